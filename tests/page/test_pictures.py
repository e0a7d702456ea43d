"""What a page and TensorBoard both draw: confusion matrices, images with boxes, images in frames."""

import io

import numpy as np
import pytest
from PIL import Image

from litmus.page.charts import images
from litmus.page.confusion import BACKGROUND, confusion_matrix
from litmus.page.drawing import COLORS, LIGHT, Drawing
from litmus.page.scenes import FOUND, GROUND_TRUTH, LEAST_DRAWN, MOST_DRAWN, SIDE, Scene, alone, drawn, together


def pixels_of(drawing: Drawing) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(drawing.png(scale=1))))


def has(drawing: Drawing, color: str, almost: int = 2) -> bool:
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return bool((np.abs(pixels_of(drawing).astype(int) - wanted).max(axis=2) <= almost).any())


def test_a_confusion_matrix_is_blue_where_it_is_right_and_orange_where_it_is_wrong() -> None:
    blue, orange = LIGHT["right"], LIGHT["wrong"]
    right, wrong = np.array([[5, 0], [0, 5]]), np.array([[0, 5], [5, 0]])
    assert has(confusion_matrix("", right, ("a", "b")), blue)
    assert not has(confusion_matrix("", right, ("a", "b")), orange)
    assert has(confusion_matrix("", wrong, ("a", "b")), orange)
    assert not has(confusion_matrix("", wrong, ("a", "b")), blue)
    assert "a taken for b: 5" in confusion_matrix("", wrong, ("a", "b")).svg()


def test_boxes_are_confused_with_background() -> None:
    svg = confusion_matrix("", np.array([[5, 2], [1, 0]]), ("cat",)).svg()
    assert f"cat taken for {BACKGROUND}: 2" in svg
    assert f"{BACKGROUND} taken for cat: 1" in svg
    assert f"{BACKGROUND} right" not in svg, "nothing is no box"


def test_frames_say_which_is_which() -> None:
    image = np.full((28, 28, 1), 255, np.uint8)
    drawing = images("", [image, image], ["7", "1"], frames=COLORS[:2])
    assert has(drawing, LIGHT[COLORS[0]])
    assert has(drawing, LIGHT[COLORS[1]])
    assert not has(images("", [image, image], ["7", "1"]), LIGHT[COLORS[0]])


def test_boxes_that_are_there_and_found_are_drawn() -> None:
    empty = Scene(np.full((64, 64, 3), 255, np.uint8), np.zeros((0, 6)), np.zeros((0, 5)))
    both = Scene(empty.pixels, np.array([[5.0, 5, 30, 30, 0.9, 1]]), np.array([[0.0, 10, 10, 40, 40]]))
    assert has(alone(both, ("cat", "dog")), GROUND_TRUTH)
    assert has(alone(both, ("cat", "dog")), FOUND)
    assert "dog 0.90" in alone(both, ("cat", "dog")).svg()
    assert not has(alone(empty, ("cat", "dog")), GROUND_TRUTH)
    assert together([both] * 5, ("cat", "dog")).width == pytest.approx(8 + 4 * (SIDE + 8))


def test_a_png_has_the_size_that_is_asked_for() -> None:
    drawing = Drawing(100, 50, "")
    drawing.text(10, 20, "here")
    sizes = {scale: Image.open(io.BytesIO(drawing.png(scale))).size for scale in (1, 2, 3)}
    assert sizes == {1: (100, 50), 2: (200, 100), 3: (300, 150)}


def test_of_dozens_of_boxes_the_best_few_are_drawn() -> None:
    found = np.array([[0, 0, 9, 9, i / 100, 0] for i in range(60)], float)
    scores = drawn(found)[:, 4].tolist()
    assert scores == [0.59, 0.58, 0.57, 0.56, 0.55, 0.54, 0.53, 0.52, 0.51, 0.5]
    assert len(scores) == MOST_DRAWN
    assert len(drawn(found[:5])) == 0, f"none reaches {LEAST_DRAWN}"
    scene = Scene(np.zeros((20, 20, 3), np.uint8), found, np.zeros((0, 5)))
    assert alone(scene, ("cat",)).svg().count(">cat 0.") == MOST_DRAWN
