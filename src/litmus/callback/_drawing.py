"""Pictures for TensorBoard, drawn with Pillow, which is imported when the first is drawn."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image as Pillow

Image = NDArray[np.uint8]  # (height, width, 3), or several

# Wong's palette, which the colour-blind can tell apart: https://doi.org/10.1038/nmeth.1618
RIGHT, WRONG, TRUE = (0, 114, 178), (213, 94, 0), (0, 158, 115)
CELL = 28  # pixels of a confusion matrix's cell
LETTER = 7  # about the width of a letter
SMALLEST = 128  # pixels of an example's side
CAPTION = 16


def confusion_matrix(counts: NDArray[np.int64], names: Sequence[str]) -> Image:
    """Rows are the true classes, columns the predicted ones; a cell is as dark as its fraction of the row."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    short = [name[:12] for name in names]
    margin = 8 + LETTER * max(map(len, short))
    side = CELL * len(names)
    picture = Pillow.new("RGB", (margin + side, CAPTION + side + CAPTION), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((margin, 2), "predicted (columns), true (rows)", "black")
    for i, row in enumerate(counts):
        top = CAPTION + i * CELL
        draw.text((4, top + 8), short[i], "black")
        draw.text((margin + i * CELL + 4, CAPTION + side + 2), short[i][: CELL // LETTER], "black")
        for j, number in enumerate(row):
            dark = number / max(1, row.sum())
            blue = tuple(round(255 + (own - 255) * dark) for own in RIGHT)
            left = margin + j * CELL
            draw.rectangle((left, top, left + CELL - 2, top + CELL - 2), fill=blue)
            if number:
                draw.text((left + 3, top + 8), str(number), "white" if dark > 0.5 else "black")
    return np.asarray(picture)


def examples(images: Image, captions: Sequence[tuple[str, bool]]) -> Image:
    """Images in rows; below each what is predicted, with a frame that says whether that is right.

    Args:
        images: (images, height, width, 3).
        captions: the text, and whether the prediction is right.
    """
    from PIL import ImageDraw

    tiles = []
    for image, (text, right) in zip(images, captions, strict=True):
        tile = _tile(image)
        color = RIGHT if right else WRONG
        draw = ImageDraw.Draw(tile)
        draw.rectangle((0, 0, tile.width - 1, tile.height - 1), outline=color, width=3)
        draw.rectangle((0, tile.height - CAPTION, tile.width, tile.height), fill=color)
        draw.text((4, tile.height - CAPTION + 2), text[: tile.width // LETTER], "white")
        tiles.append(np.asarray(tile))
    return _grid(tiles)


def with_boxes(
    images: Image, found: Sequence[NDArray[np.float32]], truth: Sequence[NDArray[np.float32]], names: Sequence[str]
) -> Image:
    """Images in rows, with the true boxes and those that are found.

    Args:
        images: (images, height, width, 3).
        found: of each image (boxes, 6): left, top, right, bottom, score, class.
        truth: of each image (boxes, 5): class, left, top, right, bottom.
        names: of the classes.
    """
    from PIL import ImageDraw

    tiles = []
    for image, own, true in zip(images, found, truth, strict=False):
        tile = _tile(image)
        scale = tile.width / image.shape[1]
        draw = ImageDraw.Draw(tile)
        for _, *corners in true.tolist():
            draw.rectangle([scale * each for each in _ordered(corners)], outline=TRUE, width=2)
        for *corners, score, number in own.tolist():
            box = [scale * each for each in _ordered(corners)]
            draw.rectangle(box, outline=WRONG, width=1)
            draw.text((box[0] + 2, box[1] + 1), f"{names[int(number)]} {score:.0%}", WRONG)
        tiles.append(np.asarray(tile))
    return _grid(tiles)


def _ordered(corners: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = corners
    return left, top, max(left, right), max(top, bottom)


def _tile(image: Image) -> "Pillow.Image":
    from PIL import Image as Pillow

    scale = max(1, math.ceil(SMALLEST / min(image.shape[:2])))
    return Pillow.fromarray(image).resize((image.shape[1] * scale, image.shape[0] * scale), Pillow.Resampling.NEAREST)


def _grid(tiles: Sequence[Image]) -> Image:
    columns = math.ceil(math.sqrt(len(tiles)))
    empty = np.full_like(tiles[0], 255)
    filled = [*tiles, *[empty] * (-len(tiles) % columns)]
    return np.concatenate([np.concatenate(filled[i : i + columns], 1) for i in range(0, len(filled), columns)], 0)
