"""All photos of a dataset: read once in threads, and kept on disk by what they were made of."""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from litmus.data import _photos
from litmus.data._photos import Broken, Photo
from litmus.spec import Images

log = logging.getLogger(__name__)

WORKERS = 8  # threads; Pillow lets go of Python's lock while it decodes
FREE = 0.8  # of a disk's free room that the cache may take
VERSION = 1  # of how photos are read: another number makes the kept ones anew


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
            return path, _photos.read(path, images)
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
