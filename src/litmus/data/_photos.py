"""Photos of any kind as pictures of one size: read once in threads, kept on disk by what they were made of."""

import hashlib
import io
import json
import logging
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track
from torch import Tensor

from litmus.spec import Images

log = logging.getLogger(__name__)

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
MODES = {1: "L", 3: "RGB"}
BARS = 114  # grey of the bars beside a picture that is fitted in, as YOLO networks are used to
WORKERS = 8  # threads; Pillow lets go of Python's lock while it decodes
FREE = 0.8  # of a disk's free room that the cache may take
VERSION = 1  # of how photos are read: another number makes the kept ones anew


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


@dataclass
class Photos:
    """All photos of a dataset.

    Attributes:
        paths: of those that can be used, in the order in which they were asked for.
        pixels: uint8 (photos, channels, height, width): in memory, on disk, or read again for each batch.
        sizes: (height, width) of each before it was made to fit.
        sha256: of each file.
        broken: why the others cannot be used, by path.
        notes: what was done about some, by path.
    """

    paths: list[Path]
    pixels: Any
    sizes: list[tuple[int, int]]
    sha256: list[str]
    broken: dict[Path, str] = field(default_factory=dict)
    notes: dict[Path, str] = field(default_factory=dict)


def found(folder: Path) -> tuple[list[Path], int]:
    """Every photo below a folder, by its ending, sorted; and how many other files there are. Hidden ones are none."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not _hidden(p.relative_to(folder))]
    photos = [p for p in files if p.suffix.lower() in ENDINGS]
    return photos, len(files) - len(photos)


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a huge one is refused below, by its size; odd metadata do no harm
            opened = Image.open(io.BytesIO(content))
            # A JPEG can be decoded at a half, a quarter or an eighth of its size: much sooner, and no worse when
            # that is still twice what is wanted.
            least = 2 * max(images.resized, images.height, images.width)
            size = _upright(opened)
            opened.draft("RGB", (least, least))
            note = _note(opened)
            picture = _plain(ImageOps.exif_transpose(opened), MODES[images.channels])
    except UnidentifiedImageError:
        raise Broken("is no image that Pillow knows") from None
    except Image.DecompressionBombError:
        raise Broken("is larger than any photo (a decompression bomb?)") from None
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        raise Broken(f"is damaged ({error})") from None
    fit = cut(picture, images) if images.resized else barred(picture, images, size)
    pixels = np.asarray(fit).reshape(images.height, images.width, images.channels).transpose(2, 0, 1)
    return Photo(np.ascontiguousarray(pixels), size, hashlib.sha256(content).hexdigest(), note)


def upright(path: Path) -> Image.Image:
    """A photo that can be read, in its own size, in RGB, as a person sees it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _plain(ImageOps.exif_transpose(Image.open(path)), "RGB")


def _upright(image: Image.Image) -> tuple[int, int]:
    """Height and width as a person sees it: EXIF may say that the camera was held sideways."""
    turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (image.width, image.height) if turned else (image.height, image.width)


def _note(image: Image.Image) -> str:
    if getattr(image, "n_frames", 1) > 1:
        return "animated: its first picture is used"
    return ""


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """8 bits a channel; what is transparent becomes white."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "TIFF", "PPM")):
        wide = np.asarray(image).astype(np.int64)
        if wide.max(initial=0) > 65535 or wide.min(initial=0) < 0:
            raise ValueError("its pixels are wider than 16 bits")
        image = Image.fromarray((wide >> 8).astype(np.uint8))
    if image.mode == "F" or image.mode == "I":
        raise ValueError("its pixels are numbers without a known range")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def cut(image: Image.Image, images: Images) -> Image.Image:
    """The shorter side resized to `resized`, then the middle; as torchvision's presets for its ImageNet weights do."""
    shorter = min(image.size)
    width, height = (images.resized * side // shorter for side in image.size)  # torchvision rounds down, too
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - images.width) / 2), round((height - images.height) / 2)
    return image.crop((left, top, left + images.width, top + images.height))


def barred(image: Image.Image, images: Images, size: tuple[int, int]) -> Image.Image:
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


class Files:
    """Photos that are read each time they are used, for want of room to keep them; as much as a tensor need be."""

    device = torch.device("cpu")

    def __init__(self, paths: Sequence[Path], images: Images) -> None:
        self.paths = list(paths)
        self.images = images

    def __len__(self) -> int:
        return len(self.paths)

    def index_select(self, _: int, rows: Tensor) -> Tensor:
        """uint8 (rows, channels, height, width)."""
        read_again = [photo for _, photo in in_threads([self.paths[i] for i in rows.tolist()], self.images)]
        if lost := [photo for photo in read_again if isinstance(photo, Broken)]:
            raise OSError(f"A photo that could be read before {lost[0]}.")
        return torch.from_numpy(np.stack([photo.pixels for photo in read_again if isinstance(photo, Photo)]))


class Selection:
    """Some rows of what holds pictures, or their middles; as much of a tensor as a loader needs.

    Args:
        pixels: all pictures.
        rows: numbers of those that are meant.
        middle: height and width of what to cut out of the middle, or None.
    """

    device = torch.device("cpu")

    def __init__(self, pixels: Any, rows: Tensor, middle: tuple[int, int] | None) -> None:
        self.pixels = pixels
        self.rows = rows
        self.middle = middle

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> Tensor:
        return self._taken(self.rows[rows])

    def index_select(self, _: int, rows: Tensor) -> Tensor:
        """uint8 (rows, channels, height, width)."""
        return self._taken(self.rows[rows])

    def _taken(self, rows: Tensor) -> Tensor:
        taken = self.pixels.index_select(0, rows)
        if self.middle is None:
            return taken
        top, left = (round((whole - part) / 2) for whole, part in zip(taken.shape[2:], self.middle, strict=True))
        return taken[:, :, top : top + self.middle[0], left : left + self.middle[1]]


def collected(paths: Sequence[Path], images: Images, cache: Path) -> Photos:
    """Reads all photos, or takes them from the cache if the same files were read the same way before.

    Args:
        paths: of the files.
        images: size, channels and cut; the mean and deviation do not matter.
        cache: a folder. Where its disk has no room, photos are read again for every batch, and the log says so.
    """
    path = cache / _key(paths, images)
    if (kept := _kept(path, images)) is not None:
        return kept
    shape = (len(paths), images.channels, images.height, images.width)
    size = int(np.prod(shape))
    cache.mkdir(parents=True, exist_ok=True)
    room = int(FREE * shutil.disk_usage(cache).free)
    target = path.with_suffix(f".{id(paths)}.writing")
    pixels = np.memmap(target, np.uint8, "w+", shape=shape) if size <= room and paths else None
    photos = Photos([], None, [], [])
    try:
        for place, photo in track(
            in_threads(paths, images), "reading photos", len(paths), console=_bars(), disable=not _bars().is_terminal
        ):
            if isinstance(photo, Broken):
                photos.broken[place] = str(photo)
                continue
            if pixels is not None:
                pixels[len(photos.paths)] = photo.pixels
            photos.paths.append(place)
            photos.sizes.append(photo.size)
            photos.sha256.append(photo.sha256)
            if photo.note:
                photos.notes[place] = photo.note
        if pixels is None:
            log.warning(
                "%s has no room for %.1f GB of pictures: every photo is read again for each batch, which is slow.",
                cache,
                size / 1e9,
            )
            photos.pixels = Files(photos.paths, images)
            return photos
        pixels.flush()
        target.replace(path.with_suffix(".pixels"))
        _keep(path, photos)
    finally:
        target.unlink(missing_ok=True)
    again = _kept(path, images)
    assert again is not None
    return again


def in_threads(paths: Iterable[Path], images: Images) -> Iterator[tuple[Path, Photo | Broken]]:
    """Reads files, a few ahead; gives each with its photo, or with why there is none, in order."""

    def attempt(path: Path) -> tuple[Path, Photo | Broken]:
        try:
            return path, read(path, images)
        except Broken as reason:
            return path, reason

    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: list[Any] = []
        for path in paths:
            waiting.append(pool.submit(attempt, path))
            if len(waiting) > 4 * WORKERS:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _bars() -> Console:
    return Console(stderr=True)


def _key(paths: Sequence[Path], images: Images) -> str:
    digest = hashlib.sha256(
        f"{VERSION}\0{images.channels}\0{images.height}\0{images.width}\0{images.resized}\0".encode()
    )
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _keep(path: Path, photos: Photos) -> None:
    facts = {
        "paths": [str(p) for p in photos.paths],
        "sizes": photos.sizes,
        "sha256": photos.sha256,
        "broken": {str(p): why for p, why in photos.broken.items()},
        "notes": {str(p): why for p, why in photos.notes.items()},
    }
    temporary = path.with_suffix(f".{id(photos)}.json-writing")
    temporary.write_text(json.dumps(facts))
    temporary.replace(path.with_suffix(".json"))


def _kept(path: Path, images: Images) -> Photos | None:
    try:
        facts = json.loads(path.with_suffix(".json").read_text())
        shape = (len(facts["paths"]), images.channels, images.height, images.width)
        # Copy on write: torch wants a writable array, and the file must stay as it is.
        pixels = torch.from_numpy(np.memmap(path.with_suffix(".pixels"), np.uint8, "c", shape=shape))
    except (OSError, ValueError, KeyError):
        return None
    return Photos(
        [Path(p) for p in facts["paths"]],
        pixels,
        [(height, width) for height, width in facts["sizes"]],
        facts["sha256"],
        {Path(p): why for p, why in facts["broken"].items()},
        {Path(p): why for p, why in facts["notes"].items()},
    )
