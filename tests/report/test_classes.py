"""The parts of a page on classes and labels: of many, the worst are drawn; counts are of every split."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers import COLUMNS, SCENES

from litmus.config.protocols import SPLITS
from litmus.config.sample import Sample
from litmus.data.image.boxes import BoxData
from litmus.page.classes import quality
from litmus.report import background, classification, multilabel
from litmus.report.material import Material
from litmus.report.material import Tested as OfTest  # pytest would take the other name for a test
from litmus.report.parts import Chart, Section, Tabled, card
from litmus.spec import Classes, Labels, Spec, Target

NUMBER = 12
NAMES = tuple(f"name {i}." for i in range(NUMBER))
TRUE = np.arange(240) % NUMBER


def outcome(target: Target, logits: np.ndarray, targets: np.ndarray) -> OfTest:
    numbers = np.arange(len(logits))
    outputs: Any = SimpleNamespace(outputs=logits, targets=targets, numbers=numbers, total=len(logits))
    if isinstance(target, Classes):
        outputs.true, outputs.predicted = targets, logits.argmax(axis=1)
    net: Any = SimpleNamespace(spec=Spec("made", COLUMNS.input, target), predicts_probabilities=False)
    data: Any = SimpleNamespace(sample=lambda split, number: Sample(cells=(("x", 1.0),)))
    return OfTest(data, net, outputs)


def curves(sections: list[Section]) -> Chart:
    blocks = [block for section in sections for block in section.blocks]
    return next(block for block in blocks if isinstance(block, Chart) and block.name == "precision-recall")


@pytest.mark.parametrize("noun", ["classes", "labels"])
def test_of_many_the_worst_have_a_curve(noun: str) -> None:
    one_hot, said = np.eye(NUMBER), TRUE.copy()
    said[:120] = np.where(TRUE[:120] < 2, TRUE[:120], (TRUE[:120] - 1) % 10 + 2)  # the first two are never wrong
    one_hot, logits = one_hot[TRUE], 4 * one_hot[said] - 2
    tested = outcome(Classes(NAMES), logits, TRUE) if noun == "classes" else outcome(Labels(NAMES), logits, one_hot)
    found = curves((classification if noun == "classes" else multilabel).sections(tested))
    shown = [name for name in NAMES if f">{name} AP " in found.drawing.svg()]
    assert shown == list(NAMES[2:])
    assert f"Of 12 {noun}, the 10 of the lowest F1." in found.caption


def test_precision_recall_and_f1_by_hand() -> None:
    correct, predicted, true = np.array([2, 0, 0, 0]), np.array([4, 0, 3, 0]), np.array([2, 5, 0, 0])
    found = quality(correct, predicted, true)
    assert np.array_equal(found.precision, [0.5, 0, 0, np.nan], equal_nan=True)
    assert np.array_equal(found.recall, [1, 0, np.nan, np.nan], equal_nan=True)
    assert np.allclose(found.f1, [2 / 3, 0, 0, np.nan], equal_nan=True)


def counted(data: Any) -> list[list[str]]:
    """The table of the counts, with its head."""
    tested = OfTest(data, SimpleNamespace(spec=data.spec), SimpleNamespace())  # type: ignore[arg-type]
    material = Material(None, {}, {}, [], None, None, None, tested)  # type: ignore[arg-type]
    found = next(block for block in background.data_section(material).blocks if isinstance(block, Tabled))
    return [list(found.table.head), *([cell.text for cell in row.cells] for row in found.table.rows)]


def test_boxes_are_counted_by_class_and_split() -> None:
    boxes = {"train": [0.0, 0, 1, -1], "val": [1.0, -1], "test": [0.0, 1, 1]}
    data: Any = SimpleNamespace(spec=SCENES, sizes={"train": 1}, targets=lambda split: None)
    data.stored = lambda split: (None, torch.tensor(boxes[split])[None, :, None].expand(-1, -1, 5))
    data.counts = lambda split: BoxData.counts(data, split)
    data.sample = lambda split, number: Sample(image=np.zeros((4, 4, 3), np.uint8))
    assert counted(data) == [["", *SPLITS], ["cat", "2", "0", "1"], ["dog", "1", "1", "2"]]


def test_a_card_has_numbers_of_three_digits() -> None:
    cells = (("x", 0.123456789012345), ("year", 1995.0), ("price", 1234567.8), ("kind", "0.123456"))
    assert [text for _, text in card(Sample(cells=cells), []).cells] == ["0.123", "1995", "1.23e+06", "0.123456"]
