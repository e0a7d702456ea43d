"""Images with boxes, drawn: what is there in orange, dashed; what is found in blue, with the class and the score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from litmus.page.drawing import Drawing, Pixels, text_width
from litmus.page.names import shorten_all

SIDE = 260.0  # of an image
PER_ROW = 4
FOUND, GROUND_TRUTH = "#56b4e9", "#d55e00"  # of boxes, on images of any color
# Of boxes that are found: a network that is hardly trained finds dozens everywhere, and is sure of none.
LEAST_DRAWN, MOST_DRAWN = 0.05, 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """An image with boxes.

    Attributes:
        pixels: of the image.
        found: float64 (found, 6): left, top, right, bottom in pixels, score, class.
        ground_truth: float64 (boxes, 5): class, left, top, right, bottom.
        name: of its file, if there is one.
    """

    pixels: Pixels
    found: Floats
    ground_truth: Floats
    name: str = ""


def drawn(found: Floats) -> Floats:
    """Those of the boxes found in an image that are drawn, the best first: few, and none that scores next to nothing.

    Args:
        found: as of `Scene`.
    """
    kept = found[found[:, 4] >= LEAST_DRAWN]
    return kept[np.argsort(-kept[:, 4], kind="stable")][:MOST_DRAWN]


def alone(scene: Scene, names: Sequence[str]) -> Drawing:
    """One image.

    Args:
        scene: the image.
        names: of the classes.
    """
    height, width = scene.pixels.shape[:2]
    scale = SIDE / max(height, width)
    label = f"an image with {len(scene.ground_truth)} boxes, {len(scene.found)} found"
    drawing = Drawing(width * scale, height * scale, label)
    _draw(drawing, scene, names, 0, 0, scale)
    return drawing


def together(scenes: Sequence[Scene], names: Sequence[str]) -> Drawing:
    """All in one picture, some in a row."""
    per_row, room = min(PER_ROW, len(scenes)), SIDE + 8
    drawing = Drawing(8 + per_row * room, 8 + -(-len(scenes) // per_row) * room, "images with boxes")
    for number, scene in enumerate(scenes):
        scale = SIDE / max(scene.pixels.shape[:2])
        _draw(drawing, scene, names, 8 + number % per_row * room, 8 + number // per_row * room, scale)
    return drawing


def _draw(drawing: Drawing, scene: Scene, names: Sequence[str], x: float, y: float, scale: float) -> None:
    height, width = scene.pixels.shape[:2]
    drawing.image(x, y, width * scale, height * scale, scene.pixels)
    for _, *corners in scene.ground_truth.tolist():
        _frame(drawing, corners, x, y, scale, GROUND_TRUTH, dashed=True)
    short = shorten_all(names, 14)
    for left, top, right, bottom, score, number in reversed(drawn(scene.found).tolist()):
        _frame(drawing, [left, top, right, bottom], x, y, scale, FOUND, dashed=False)
        text = f"{short[int(number)]} {score:.2f}"
        at = (x + max(left, 0) * scale, y + max(top * scale, 11))
        drawing.rectangle(at[0], at[1] - 11, 6 + text_width(text, 9.5), 12, FOUND)
        drawing.text(at[0] + 3, at[1] - 2, text, "#000000", 9.5)


def _frame(
    drawing: Drawing, corners: Sequence[float], x: float, y: float, scale: float, color: str, dashed: bool
) -> None:
    left, top, right, bottom = (edge * scale for edge in corners)
    points = [(x + a, y + b) for a, b in ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))]
    drawing.line(points, color, 2, dashed)
