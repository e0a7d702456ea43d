"""The part of a page on boxes: what a network that is hardly trained finds does not bury what is there."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import SCENES

from litmus.page.scenes import MOST_DRAWN, Scene
from litmus.record.metrics import MIN_SCORE, min_score_of
from litmus.report import detection
from litmus.report.material import Tested as OfTest  # pytest would take the other name for a test
from litmus.report.parts import Drawings, Words


def net(min_score: float | None) -> Any:
    return SimpleNamespace(spec=SCENES, min_score=min_score)


def page_of(scores: list[float], min_score: float | None) -> tuple[str, str]:
    """The pictures of a page, and what it says."""
    found = np.array([[i, i, i + 20, i + 20, score, 0] for i, score in enumerate(scores)], float).reshape(-1, 6)
    there = np.array([[0, 0, 0, 20, 20]], float)
    scene = Scene(np.zeros((64, 64, 3), np.uint8), found, there)
    outputs: Any = SimpleNamespace(boxes=[(found, there)])
    tested = OfTest(SimpleNamespace(), net(min_score), outputs, [scene, scene])  # type: ignore[arg-type]
    blocks = [block for section in detection.sections(tested) for block in section.blocks]
    pictures = next(block for block in blocks if isinstance(block, Drawings))
    said = [sentence for block in blocks if isinstance(block, Words) for sentence in block.sentences]
    return "".join(drawing.svg() for drawing in pictures.drawings), " ".join([pictures.caption, *said])


def test_what_a_hardly_trained_network_finds_is_not_drawn() -> None:
    drawn, said = page_of([0.001] * 30, 0.0004)
    assert ">cat 0.0" not in drawn
    assert "Of 60 boxes found, 0 are drawn" in said
    assert "Boxes count from a score of 0.0004 on, which is so low that the network is hardly sure of any" in said


def test_the_best_few_of_each_image_are_drawn_and_the_page_says_so() -> None:
    drawn, said = page_of([0.9 - i / 100 for i in range(30)], 0.25)
    assert drawn.count(">cat 0.") == 2 * MOST_DRAWN
    assert "Of 60 boxes found, 20 are drawn: at most the 10 best of an image, and none that scores below 0.05." in said
    assert "hardly" not in said


def test_few_sure_boxes_need_no_word() -> None:
    drawn, said = page_of([0.9, 0.6], None)
    assert drawn.count(">cat 0.") == 4
    assert "drawn" not in said


@pytest.mark.parametrize(("chosen", "counts_from"), [(None, MIN_SCORE), (0.0, 0.0), (0.4, 0.4), (1.0, MIN_SCORE)])
def test_the_score_from_which_a_box_counts_is_the_run_s_choice(chosen: float | None, counts_from: float) -> None:
    assert min_score_of(net(chosen)) == counts_from
