"""Bounding boxes drawn on an image.

Not by torchvision's `draw_bounding_boxes`: without a font file it writes names 10 pixels high whatever the image's
size, inside the box, and cuts them off at the image's right edge.
"""

import colorsys
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from litmus.data.image import decode
from litmus.errors import UserError
from litmus.inference.prediction import Box, ImagePrediction
from litmus.page import fonts
from litmus.record.files import replacing

PIXELS_PER_WIDTH = 400  # of an image's shorter side, for each pixel of a line's width
MIN_SIDE = 320  # pixels of the shorter side, below which an image is enlarged so that names do not hide objects


def draw_boxes(image: Image.Image, boxes: Sequence[Box], names: Sequence[str]) -> Image.Image:
    """A copy of the image with a frame, a name and a score for each box, one color for each class.

    A small image is enlarged by a whole number, so that there is room for the names.

    Args:
        image: in RGB.
        boxes: the best first.
        names: of all classes.
    """
    factor = -(-MIN_SIDE // min(image.size))
    image = image.resize((factor * image.width, factor * image.height), Image.Resampling.NEAREST)
    canvas = ImageDraw.Draw(image)
    width = max(2, round(min(image.size) / PIXELS_PER_WIDTH))
    size = max(11, round(min(image.size) / 40))
    for box in reversed(boxes):  # the best on top
        color = _color(names.index(box["label"]), len(names))
        left, top, right, bottom = (factor * edge for edge in box["box"])
        canvas.rectangle((left, top, right, bottom), outline=color, width=width)
        text = fonts.drawable(f"{box['label']}  {box['score']:.2f}")
        font = fonts.font(size, text)
        x0, y0, x1, y1 = canvas.textbbox((0, 0), text, font)
        text_width, text_height = x1 - x0 + 4, y1 - y0 + 4
        x = max(0.0, min(left, image.width - text_width))
        y = top - text_height if top >= text_height else top
        canvas.rectangle((x, y, x + text_width, y + text_height), fill=color)
        canvas.text((x + 2 - x0, y + 2 - y0), text, "black", font)
    return image


def _color(number: int, count: int) -> tuple[int, int, int]:
    """A bright color whose hue is as far as possible from those of the other classes."""
    red, green, blue = colorsys.hls_to_rgb(number / max(count, 6), 0.6, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


class Drawings:
    """A folder of images with boxes drawn on them, and beside each a .json of its boxes.

    A drawing of the same image is replaced; no other file is.

    Args:
        folder: made when the first image is written.
        names: of all classes.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder
        self.names = names
        self.written: set[Path] = set()

    def save(self, prediction: ImagePrediction) -> Path:
        """Draws the boxes of a prediction on a copy of its image.

        Returns:
            The path of the copy.

        Raises:
            UserError: the folder cannot be written.
            OSError: the image can no longer be read.
        """
        source = Path(prediction["image"])
        path = self._path(source)
        self.written.add(path)
        image = draw_boxes(decode.exif_transpose(source), prediction["boxes"], self.names)
        content = json.dumps({"image": prediction["image"], "boxes": prediction["boxes"]}, indent=2)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                image.save(temporary, "PNG" if path.suffix == ".png" else "JPEG", quality=92)
            with replacing(path.with_suffix(".json")) as temporary:
                temporary.write_text(content + "\n")
        except OSError as error:
            raise UserError(f"{self.folder} cannot be written: {error.strerror or error}.") from None
        return path

    def _path(self, source: Path) -> Path:
        """Of a drawing; numbered, because a/cat.jpg and b/cat.jpg have the same name."""
        suffix = ".png" if source.suffix.lower() == ".png" else ".jpg"
        path, number = self.folder / f"{source.stem}-boxes{suffix}", 1
        taken = {written.with_suffix(".json") for written in self.written}
        while path.with_suffix(".json") in taken or not _is_replaceable(path, source):
            number += 1
            path = self.folder / f"{source.stem}-boxes-{number}{suffix}"
        return path


def _is_replaceable(drawing: Path, source: Path) -> bool:
    """Whether there is no file of that name, or an earlier drawing of the same image."""
    beside = drawing.with_suffix(".json")
    if not drawing.exists() and not beside.exists():
        return True
    try:
        return bool(Path(json.loads(beside.read_text())["image"]) == source)
    except (OSError, ValueError, KeyError, TypeError):
        return False
