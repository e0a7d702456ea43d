"""Boxes on a picture, for a person to look at."""

import colorsys
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

THIN = 400  # pixels of a picture's shorter side for each pixel of a line
LEGIBLE = 320  # pixels of the shorter side, up to which a picture is enlarged: names should hide no thing


def drawn(picture: Image.Image, boxes: Sequence[dict[str, Any]], names: Sequence[str]) -> Image.Image:
    """A copy of the picture, with a frame, a name and a score for each box, one colour a class.

    A small picture is made a whole number of times as large, so that there is room for the names.

    Args:
        picture: in RGB.
        boxes: `box` (left, top, right, bottom in pixels), `label` and `score`; the best first.
        names: of the classes.
    """
    times = -(-LEGIBLE // min(picture.size))
    picture = picture.resize((times * picture.width, times * picture.height), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / THIN))
    font = ImageFont.load_default(max(11, round(min(picture.size) / 40)))
    for box in reversed(boxes):  # the best on top
        colour = _colour(names.index(box["label"]), len(names))
        left, top, right, bottom = (times * edge for edge in box["box"])
        pen.rectangle((left, top, right, bottom), outline=colour, width=line)
        text = f"{box['label']}  {box['score']:.2f}"
        x0, y0, x1, y1 = pen.textbbox((0, 0), text, font)
        width, height = x1 - x0 + 4, y1 - y0 + 4
        x = max(0.0, min(left, picture.width - width))
        y = top - height if top >= height else top
        pen.rectangle((x, y, x + width, y + height), fill=colour)
        pen.text((x + 2 - x0, y + 2 - y0), text, "black", font)
    return picture


def _colour(number: int, count: int) -> tuple[int, int, int]:
    """Bright, and as far from the others' as there is room around the circle of colours."""
    red, green, blue = colorsys.hls_to_rgb(number / max(count, 6), 0.6, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
