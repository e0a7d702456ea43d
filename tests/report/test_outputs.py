"""What is kept of a test: within a bound, with the numbers of the samples."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from litmus.report import outputs
from litmus.report.detection import average_precisions, confusion
from litmus.report.facts import facts, files, mistakes
from litmus.report.outputs import Gathering, Outputs
from litmus.spec import Boxes, Classes, Images, Spec


def data(size: int, order: torch.Tensor | None = None) -> Any:
    return SimpleNamespace(sizes={"test": size}, evaluation_order=lambda split: order)


def net(target: object) -> Any:
    return SimpleNamespace(spec=Spec("made", Images(1, 4, 4, (0.0,), (1.0,)), target), min_score=None)


def gathered(logits: torch.Tensor, targets: torch.Tensor, of: Any, keeps_all: bool = True) -> Outputs:
    gathering = Gathering(of, keeps_all)
    for rows in torch.arange(len(targets)).split(3):
        gathering(logits[rows], targets[rows])
    return gathering.outputs()


def test_all_is_kept_while_there_is_room() -> None:
    logits, targets = torch.randn(10, 4), torch.randint(4, (10,))
    found = gathered(logits, targets, data(10))
    assert np.allclose(found.outputs, logits.numpy())
    assert found.targets.tolist() == found.true.tolist() == targets.tolist()
    assert found.predicted.tolist() == logits.argmax(dim=1).tolist()
    assert found.numbers.tolist() == list(range(10))


def test_of_many_every_second_or_third_is_kept_and_every_class_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST", 16)
    logits, targets = torch.randn(10, 4), torch.randint(4, (10,))
    found = gathered(logits, targets, data(10))
    assert found.numbers.tolist() == [0, 3, 6, 9]
    assert np.allclose(found.outputs, logits[::3].numpy())
    assert len(found.true) == found.total == 10


def test_numbers_are_those_of_the_dataset() -> None:
    order = torch.tensor([4, 2, 0, 1, 3])
    assert gathered(torch.zeros(5, 2), torch.zeros(5).long(), data(5, order)).numbers.tolist() == order.tolist()


def test_a_sweep_s_job_keeps_classes_alone() -> None:
    found = gathered(torch.randn(10, 4), torch.randint(4, (10,)), data(10), keeps_all=False)
    assert len(found.outputs) == 0
    assert len(found.true) == 10


def test_boxes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST", 30)
    gathering = Gathering(data(4))
    for _ in range(4):
        gathering([torch.zeros(1, 6)], [torch.zeros(1, 5)])
    assert len(gathering.outputs().boxes) == 2
    assert gathering.outputs().total == 4


def test_a_result_has_the_matrix_of_few_classes_and_the_worst_pairs_of_many() -> None:
    true, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    own = Outputs(3, np.arange(3), true=true, predicted=predicted)
    assert facts(own, net(Classes(("a", "b")))) == {"confusion": [[1, 1], [0, 1]]}
    many = facts(own, net(Classes(tuple(f"c{i}" for i in range(101)))))
    assert many == {"confusion": [{"true": "c0", "predicted": "c1", "count": 1}]}
    assert files(own, net(Classes(("a, b", "c")))) == {
        "confusion.csv": 'true,predicted,count\n"a, b","a, b",1\n"a, b",c,1\nc,c,1\n',
        "per_class.csv": 'class,samples,precision,recall,f1\n"a, b",2,1,0.5,0.666667\nc,1,0.5,1,0.666667\n',
    }


def boxed(found: list[list[float]], there: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(found, float).reshape(-1, 6), np.array(there, float).reshape(-1, 5)


# One box is right, one is taken for the other class, one is missed, and one is nothing; a fifth scores too low.
SCENE = boxed(
    [[0, 0, 10, 10, 0.9, 0], [20, 0, 30, 10, 0.8, 0], [60, 60, 70, 70, 0.7, 1], [0, 60, 9, 70, 0.01, 1]],
    [[0, 0, 0, 10, 10], [1, 20, 0, 30, 10], [1, 40, 0, 50, 10]],
)


def test_boxes_are_confused_with_each_other_and_with_the_background() -> None:
    assert confusion([SCENE], 2, 0.25).tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert confusion([boxed([], [])], 2, 0.25).sum() == 0


def test_several_classes_at_one_place_count_once() -> None:
    twice = boxed([[0, 0, 10, 10, 0.9, 0], [0, 0, 10, 10, 0.8, 1]], [[0, 0, 0, 10, 10]])
    assert confusion([twice], 2, 0.25).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_average_precision_of_each_class() -> None:
    found = average_precisions([SCENE])
    assert found[0] == pytest.approx((1.0, 1.0))
    assert found[1] == (0.0, 0.0)
    own = Outputs(1, np.arange(1), boxes=[SCENE])
    found = facts(own, net(Boxes(("a", "b"))))
    assert found["average_precision"]["b"] == {"map": 0.0, "map50": 0.0}
    assert found["confusion"] == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert files(own, net(Boxes(("a", "b"))))["confusion.csv"].endswith("b,background,1\nbackground,b,1\n")
    assert files(own, net(Boxes(("a", "b"))))["per_class.csv"] == "class,boxes,map,map50\na,1,1,1\nb,2,0,0\n"


@pytest.mark.parametrize(("second", "words"), [("predicted", "cat taken for background"), ("found", "cat missed")])
def test_a_class_may_be_called_background(tmp_path: Path, second: str, words: str) -> None:
    (tmp_path / "confusion.csv").write_text(f"true,{second},count\ncat,background,26\ncat,cat,3\n")
    assert mistakes(tmp_path) == [(words, 26)]
    (tmp_path / "confusion.csv").write_text("")
    assert mistakes(tmp_path) == []
