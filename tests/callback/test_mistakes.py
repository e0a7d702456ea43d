"""The worst mistakes among texts, and forecasts side by side: which are chosen, and what is said of them."""

import html
import re
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from tensorboard.plugin_util import markdown_to_safe_html

from litmus.callback import _drawings
from litmus.callback._drawings import of_classes, of_forecasts, of_values
from litmus.callback._mistakes import LONGEST, MOST, worst_mistakes
from litmus.config.protocols import Net
from litmus.config.sample import CUT, UNKNOWN, Piece, Sample
from litmus.spec import Classes, Labels, Target, Tokens, Values

CELLS = ("<b>bad</b>", "go|od")


def net_of(target: Target, sure: bool = True) -> Net:
    spec = SimpleNamespace(target=target, input=Tokens())
    return cast(Net, SimpleNamespace(spec=spec, predicts_probabilities=sure, min_score=None))


def sample(row: int) -> Sample:
    return Sample(text=(Piece(f"text {row} of ", ""), Piece("<i>x</i>", UNKNOWN), Piece(" end", ""), Piece("cut", CUT)))


def rows_of(text: str) -> list[list[str]]:
    """The cells of each row, as a person reads them."""
    body = markdown_to_safe_html(text).partition("<tbody>")[2]
    rows = [row.split("</td>")[:-1] for row in body.split("</tr>")[:-1]]
    return [[html.unescape(re.sub("<[^>]*>", "", cell)).strip() for cell in row] for row in rows]


def test_the_surest_mistakes_come_first() -> None:
    logits = torch.tensor([[0.0, 3.0], [0.0, 1.0], [2.0, 0.0], [float("nan"), 0.0]])
    text = worst_mistakes(net_of(Classes(CELLS)), logits, torch.tensor([0, 0, 0, 0]), sample)
    assert text.startswith("Of 2 wrong samples among 4 of validation, the worst 2. Bold: ")
    first, second = rows_of(text)
    assert first == ["<b>bad</b>", "go|od", "95%", "text 0 of <i>x</i> end…"]
    assert second[2:] == ["73%", "text 1 of <i>x</i> end…"]
    assert "<strong>&lt;i&gt;" in markdown_to_safe_html(text).replace("&#60;", "&lt;").replace("&#62;", "&gt;")


def test_scores_that_are_no_probabilities_are_not_shown() -> None:
    logits, truth = torch.tensor([[0.0, 3.0]]), torch.tensor([0])
    assert rows_of(worst_mistakes(net_of(Classes(CELLS), sure=False), logits, truth, sample))[0][:2] == [*CELLS]
    assert "confidence" not in worst_mistakes(net_of(Classes(CELLS), sure=False), logits, truth, sample)


@pytest.mark.parametrize("has_confidence", [True, False])
def test_images_say_how_sure_the_network_is_where_it_knows(
    has_confidence: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions: list[str] = []
    monkeypatch.setattr(_drawings, "in_rows", lambda title, images, said, *rest, **more: captions.extend(said))
    pixels = [np.zeros((4, 4, 3), np.uint8)] * 2
    of_classes(Classes(("a", "b")), torch.tensor([[0.0, 3.0]] * 2), torch.tensor([1, 0]), pixels, has_confidence)
    assert captions == (["b 95%", "b 95%, is a"] if has_confidence else ["b", "b, is a"])


def test_where_nothing_is_wrong_it_says_so() -> None:
    logits, truth = torch.tensor([[0.0, 3.0], [1.0, 0.0]]), torch.tensor([1, 0])
    assert worst_mistakes(net_of(Classes(CELLS)), logits, truth, sample) == "None of 2 validation samples is wrong."


def test_labels_and_values_have_mistakes_too() -> None:
    logits, truth = torch.tensor([[9.0, 2.0], [-9.0, 9.0]]), torch.tensor([[1, 0], [0, 1]])
    (row,) = rows_of(worst_mistakes(net_of(Labels(CELLS)), logits, truth, sample))
    assert row[:3] == ["<b>bad</b>", "<b>bad</b>, go|od", "88%"]
    values, true = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [0.0]])
    far, near = rows_of(worst_mistakes(net_of(Values(("a",), (10.0,), (2.0,))), values, true, sample))
    assert far == ["10", "14", "text 1 of <i>x</i> end…"]
    assert near[:2] == ["12", "10"]


def test_long_texts_and_many_mistakes_are_cut() -> None:
    logits, truth = torch.zeros(50, 2) + torch.tensor([0.0, 1.0]), torch.zeros(50, dtype=torch.int64)
    long = Sample(text=(Piece("a" * 999, ""),))
    rows = rows_of(worst_mistakes(net_of(Classes(CELLS)), logits, truth, lambda _: long))
    assert len(rows) == MOST
    assert rows[0][-1] == "a" * LONGEST + "…"


def test_forecasts_side_by_side_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[float]] = {}

    def lines(label: str, x: object, y: object, given: list[_drawings.Line], *_: object) -> str:
        drawn["truth"] = [value for line in given if line.name == "truth" for value in line.x]
        drawn["forecast"] = [value for line in given if line.name != "truth" for value in line.y]
        return label

    monkeypatch.setattr(_drawings, "lines", lines)
    series = np.arange(100.0)
    true = np.stack([series[row : row + 3] for row in range(20, 30)])
    of_forecasts("a", true, true + 0.5, lambda row: Sample(past=series[: 20 + row], row=20 + row))
    assert drawn["forecast"] == (np.arange(20.0, 32.0) + 0.5).tolist(), "four windows of three steps"
    assert drawn["truth"] == np.arange(-20.0, 12.0).tolist()
    of_forecasts("a", true, true, lambda row: Sample(past=series[:20], row=20 + row, name="old" if row < 8 else "new"))
    assert drawn["forecast"] == [29.0, 30.0, 31.0], "of the last series alone"


def test_values_that_are_not_finite_are_left_out() -> None:
    none = np.full(3, np.nan)
    assert of_values([("a", np.arange(3.0), none)]) == {}
    some = of_values([("a", np.arange(3.0), np.array([0.0, np.inf, 2.0])), ("b", np.arange(3.0), np.zeros(3))])
    assert set(some) == {"predicted_and_true/a", "residuals/a", "predicted_and_true/b", "residuals/b"}
    assert all(len(picture.png(scale=1)) > 500 for picture in some.values())
