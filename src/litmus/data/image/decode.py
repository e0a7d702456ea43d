"""A photo of any kind as a picture of one size."""

import hashlib
import io
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from litmus.spec import Images

log = logging.getLogger(__name__)

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
MODES = {1: "L", 3: "RGB"}
BARS = 114  # grey of the bars beside a picture that is fitted in, as YOLO networks are used to


class Broken(Exception):
    """A file that is no photo, or not a whole one; the sentence says why."""


@dataclass(frozen=True)
class Photo:
    """A photo, made to fit.

    Attributes:
        pixels: uint8 (channels, height, width).
        size: (height, width) that the photo had, upright.
        sha256: of the file.
        note: what was done about it that a person should know, or "".
    """

    pixels: np.ndarray[Any, Any]
    size: tuple[int, int]
    sha256: str
    note: str = ""


def found(folder: Path) -> tuple[list[Path], int]:
    """Every photo below a folder, by its ending, sorted; and how many other files there are. Hidden ones are none."""
    files = sorted(_files(folder, ()))
    photos = [p for p in files if p.suffix.lower() in ENDINGS]
    return photos, len(files) - len(photos)


def hidden(path: Path) -> bool:
    """What a person does not mean by naming the folder it is in."""
    return path.name.startswith((".", "__MACOSX"))


def _files(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """Those below a folder; links to folders are followed, but not back up to where one is."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        within = list(folder.iterdir())
    except OSError as error:
        log.warning("%s cannot be read, and is left out: %s", folder, error.strerror)
        return
    for path in within:
        if hidden(path):
            continue
        if path.is_dir():
            yield from _files(path, (*above, real))
        elif path.is_file():
            yield path


def read(path: Path, images: Images) -> Photo:
    """One photo, upright, in colour or grey, cut or fitted to the size that is wanted.

    Raises:
        Broken: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Broken(f"cannot be read ({error.strerror or error})") from None
    if not content:
        raise Broken("is empty")
    try:
        opened = Image.open(io.BytesIO(content))
        # A JPEG can be decoded at a half, a quarter or an eighth of its size: much sooner, and no worse when
        # that is still twice what is wanted.
        least = 2 * max(images.resized, images.height, images.width)
        size = _upright(opened)
        opened.draft("RGB", (least, least))
        note = _note(opened)
        picture = ImageOps.exif_transpose(_plain(opened, MODES[images.channels]))
        fit = cut(picture, images) if images.resized else letterbox(picture, images, size)
    except UnidentifiedImageError:
        raise Broken("is no image that Pillow knows") from None
    except Image.DecompressionBombError:
        raise Broken("is larger than any photo (a decompression bomb?)") from None
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        raise Broken(f"is damaged ({error})") from None
    pixels = np.asarray(fit).reshape(images.height, images.width, images.channels).transpose(2, 0, 1)
    return Photo(np.ascontiguousarray(pixels), size, hashlib.sha256(content).hexdigest(), note)


def exif_transpose(path: Path) -> Image.Image:
    """A photo that can be read, in its own size, in RGB, as a person sees it."""
    opened = Image.open(path)
    return ImageOps.exif_transpose(_plain(opened, "RGB"))


def _upright(image: Image.Image) -> tuple[int, int]:
    """Height and width as a person sees it: EXIF may say that the camera was held sideways."""
    turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (image.width, image.height) if turned else (image.height, image.width)


def _note(image: Image.Image) -> str:
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a phone's, with another view of the same
        return "animated; the first picture is used"
    return ""


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """8 bits a channel; what is transparent becomes white. EXIF stays."""
    exif = image.getexif()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "TIFF", "PPM")):
        wide = np.asarray(image)
        if wide.max(initial=0) > 65535 or wide.min(initial=0) < 0:
            raise ValueError("its pixels are wider than 16 bits")
        image = Image.fromarray((wide >> 8).astype(np.uint8))
    if image.mode in ("F", "I"):
        raise ValueError("its pixels are numbers without a known range")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert(mode)
    image.info["exif"] = exif.tobytes()
    return image


def cut(image: Image.Image, images: Images) -> Image.Image:
    """The shorter side resized to `resized`, then the middle; as torchvision's presets for its ImageNet weights do."""
    shorter = min(image.size)
    width, height = (images.resized * side // shorter for side in image.size)  # torchvision rounds down, too
    left, top = round((width - images.width) / 2), round((height - images.height) / 2)
    # Only what is needed is made: a strip would become very long.
    x, y = image.width / width, image.height / height
    box = (left * x, top * y, (left + images.width) * x, (top + images.height) * y)
    return image.resize((images.width, images.height), Image.Resampling.BILINEAR, box)


def letterbox(image: Image.Image, images: Images, size: tuple[int, int]) -> Image.Image:
    """The whole picture, which had that (height, width), as large as it fits in the middle of grey bars."""
    (height, width), left, top = placed(size, images)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    grey = BARS if images.channels == 1 else (BARS,) * images.channels
    canvas = Image.new(image.mode, (images.width, images.height), grey)
    canvas.paste(image, (left, top))
    return canvas


def placed(size: tuple[int, int], images: Images) -> tuple[tuple[int, int], int, int]:
    """Where a picture of that (height, width) comes to lie between bars: its (height, width) there, left and top."""
    scale = min(images.width / size[1], images.height / size[0])
    height, width = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return (height, width), (images.width - width) // 2, (images.height - height) // 2
