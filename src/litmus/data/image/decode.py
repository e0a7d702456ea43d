"""From an image file of any kind to pixels of one size."""

import hashlib
import io
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from litmus.data.image import strokes
from litmus.fetch import local
from litmus.spec import Images

log = logging.getLogger(__name__)

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
LARGEST = 1 << 30  # bytes of an image file
MODES = {1: "L", 3: "RGB"}
MOST_BETWEEN = 50_000_000  # pixels between two passes over an image, 200 MB: a narrow one may be a million rows high
PADDING = 114  # gray level of a letterbox's bars, the one that YOLO networks are trained with
ORIENTATION = 0x0112  # EXIF's tag; values from 5 to 8 mean that width and height are swapped


Source = Path | bytes | Image.Image  # of an image: its file, what is in it, or itself


class Broken(Exception):
    """A file that is not an image, or an incomplete one; the message says why, and follows the file's name."""


@dataclass(frozen=True)
class Photo:
    """An image file's content, in the size that a network reads.

    Attributes:
        pixels: uint8 (channels, height, width).
        size: (height, width) of the image in the file, upright.
        sha256: of the file; "" without one.
        note: what a person should know about how it was read, or "".
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    sha256: str
    note: str = ""


def find_images(folder: Path) -> tuple[list[Path], int]:
    """All image files below a folder, by extension, sorted; and the number of other files. Hidden files do not count.

    Links to folders are followed, unless they lead back to a folder above.
    """
    files = sorted(_walk(folder, ()))
    images = [path for path in files if path.suffix.lower() in EXTENSIONS]
    return images, len(files) - len(images)


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        log.warning("%s cannot be read and is skipped: %s", folder, error.strerror)
        return
    for path in paths:
        if local.is_hidden(path):
            continue
        if path.is_dir():
            yield from _walk(path, (*above, real))
        elif path.is_file():
            yield path


def read(source: Source, images: Images) -> Photo:
    """One image, upright, in RGB or grayscale, cropped or letterboxed to the size in `images`.

    Args:
        source: the path of a file, its content, or an image of Pillow.
        images: size, channels and crop.

    Raises:
        Broken: the file cannot be read, or is not a complete image; or its pixels have no known range.
    """
    return _fit([_load(source, images)], images)[0]


def read_all(sources: Sequence[Source], images: Images) -> list[Photo | Broken]:
    """Several images, each as `read` gives it alone, or the reason why it has none."""
    found: list[Photo | Broken | _Upright] = []
    for source in sources:
        try:
            upright = _load(source, images)
            found.append(upright if _may_wait(upright, images) else _fit([upright], images)[0])
        except Broken as reason:
            found.append(reason)
    waiting = iter(_fit([each for each in found if isinstance(each, _Upright)], images))
    return [next(waiting) if isinstance(each, _Upright) else each for each in found]


@dataclass(frozen=True)
class _Upright:
    """An image in RGB or grayscale, before it is fitted; the rest as of `Photo`."""

    image: Image.Image
    size: tuple[int, int]
    sha256: str
    note: str


def _may_wait(upright: _Upright, images: Images) -> bool:
    """Whether an image is so small that several are kept until their strokes are looked at, all together."""
    height, width = upright.size
    return images.strokes is not None and height <= images.strokes.height and width <= images.strokes.width


def _load(source: Source, images: Images) -> _Upright:
    """An image, read and turned upright.

    Raises:
        Broken: as of `read`.
    """
    if isinstance(source, Image.Image):
        try:
            return _turned(source, images, _upright_size(source), "")
        except ValueError as error:
            raise Broken(f"cannot be used ({error})") from None
    try:
        content = source if isinstance(source, bytes) else local.read_bytes(source, LARGEST)
    except OSError as error:
        raise Broken(f"cannot be read ({local.reason(error)})") from None
    if not content:
        raise Broken("is empty")
    try:
        return _decode(content, images)
    except UnidentifiedImageError:
        raise Broken("is not an image that Pillow can read") from None
    except Image.DecompressionBombError:
        raise Broken("is too large for an image (a decompression bomb?)") from None
    except MemoryError:  # no fault of the file
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        raise Broken(f"is damaged ({error})") from None


def _decode(content: bytes, images: Images) -> _Upright:
    opened = Image.open(io.BytesIO(content))
    size = _upright_size(opened)
    # A JPEG can be decoded at a half, a quarter or an eighth of its size: much faster, and no worse as long as
    # that is still twice the size that is needed.
    enough = strokes.MAX_SIDE if images.strokes else 2 * max(images.resized, images.height, images.width)
    opened.draft("RGB", (enough, enough))
    return _turned(opened, images, size, hashlib.sha256(content).hexdigest())


def _turned(opened: Image.Image, images: Images, size: tuple[int, int], sha256: str) -> _Upright:
    note, mode, ground = _note(opened), MODES[images.channels], "white"
    if images.strokes:  # which are looked for in all channels
        mode, ground = "L" if opened.mode == "L" else "RGB", _contrasting(opened)
    return _Upright(_upright(opened, mode, ground), size, sha256, note)


def _fit(uprights: Sequence[_Upright], images: Images) -> list[Photo]:
    """Images as a network reads them."""
    if images.strokes is None:
        return [_photo(each, each.image, each.size, each.note, images) for each in uprights]
    prepared = strokes.prepare([each.image for each in uprights], images.strokes)
    return [
        _photo(each, image, (image.height, image.width), "; ".join(filter(None, (each.note, done))), images)
        for each, (image, done) in zip(uprights, prepared, strict=True)
    ]


def _photo(upright: _Upright, image: Image.Image, size: tuple[int, int], note: str, images: Images) -> Photo:
    image = _in_mode(image, MODES[images.channels])
    image = center_crop(image, images) if images.resized else letterbox(image, images, size)
    pixels = np.asarray(image).reshape(images.height, images.width, images.channels).transpose(2, 0, 1)
    return Photo(np.ascontiguousarray(pixels), upright.size, upright.sha256, note)


def exif_transpose(path: Path) -> Image.Image:
    """An image in its own size, in RGB, upright.

    Raises:
        OSError: the file cannot be read.
    """
    return _upright(Image.open(path), "RGB")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) of the upright image."""
    rotated = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    return (image.width, image.height) if rotated else (image.height, image.width)


def _upright(image: Image.Image, mode: str, ground: str = "white") -> Image.Image:
    """8 bits a channel, in that mode; transparent pixels show the ground, a name of a color."""
    exif = image.getexif()
    converted = _convert(image, mode, ground)
    converted.load()  # here, where a damaged file is named
    if exif.get(ORIENTATION, 1) == 1:
        return converted
    turned = converted.copy()
    turned.info["exif"] = exif.tobytes()  # which some conversions lose
    return ImageOps.exif_transpose(turned)


def _note(image: Image.Image) -> str:
    # Only formats with frames have the attribute. A phone's MPO file holds another view of the same scene.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        return "animated; the first frame is used"
    return ""


def _contrasting(image: Image.Image) -> str:
    """The ground on which the opaque pixels of an image stand out: black if they are bright, else white."""
    if not _is_transparent(image):
        return "white"
    gray, opacity = (np.asarray(band, dtype=float) for band in image.convert("RGBA").convert("LA").split())
    return "black" if (gray * opacity).sum() > 127.5 * opacity.sum() else "white"


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _convert(image: Image.Image, mode: str, ground: str) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "TIFF", "PPM")):
        wide = np.asarray(image)
        if wide.max(initial=0) > 65535 or wide.min(initial=0) < 0:
            raise ValueError("its pixels have more than 16 bits")
        image = Image.fromarray((wide >> 8).astype(np.uint8))
    if image.mode in ("F", "I"):
        raise ValueError("its pixels are numbers without a known range")
    if _is_transparent(image):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image)
    return _in_mode(image, mode)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The same image where it has that mode: a copy of each takes longer than a small one's decoding."""
    return image if image.mode == mode else image.convert(mode)


def center_crop(image: Image.Image, images: Images) -> Image.Image:
    """Resizes the shorter side to `images.resized`, then crops the center, as torchvision's ImageNet presets do."""
    shorter = min(image.size)
    width, height = (images.resized * side // shorter for side in image.size)  # torchvision rounds down, too
    left, top = round((width - images.width) / 2), round((height - images.height) / 2)
    # Resizes only what the crop shows: a long, narrow image would become huge.
    x, y = image.width / width, image.height / height
    box = (left * x, top * y, (left + images.width) * x, (top + images.height) * y)
    return _resized(image, (images.width, images.height), box)


def _resized(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image:
    """The box of an image in that size, columns first, then rows, with 8 bits in between, as exported files do it.

    From version 13 on, Pillow begins with the rows where that is faster, which changes many pixels by a level.
    """
    lost = image.height - size[1]
    if lost > max(0, 2 * (image.width - size[0])) and size[0] * image.height <= MOST_BETWEEN:
        left, top, right, bottom = box
        image = image.resize((size[0], image.height), Image.Resampling.BILINEAR, (left, 0, right, image.height))
        box = (0, top, size[0], bottom)
    return image.resize(size, Image.Resampling.BILINEAR, box)


def letterbox(image: Image.Image, images: Images, size: tuple[int, int]) -> Image.Image:
    """The whole image, (height, width) `size` in its file, resized to fit and centered between gray bars."""
    (height, width), left, top = letterbox_geometry(size, images)
    if (width, height) != image.size:
        image = _resized(image, (width, height), (0, 0, *image.size))
    gray = PADDING if images.channels == 1 else (PADDING,) * images.channels
    if (width, height) == (images.width, images.height):
        return image
    canvas = Image.new(image.mode, (images.width, images.height), gray)
    canvas.paste(image, (left, top))
    return canvas


def letterbox_geometry(size: tuple[int, int], images: Images) -> tuple[tuple[int, int], int, int]:
    """Where a letterbox places an image of that (height, width): its (height, width) there, its left and its top."""
    scale = min(images.width / size[1], images.height / size[0])
    height, width = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return (height, width), (images.width - width) // 2, (images.height - height) // 2
