"""All photos of a dataset: read once in threads, and kept on disk by what they were made of."""

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from litmus.config.protocols import Split
from litmus.data._base import few
from litmus.data._split import fingerprints, unseen
from litmus.data.image import decode
from litmus.data.image.decode import Broken, Photo
from litmus.errors import UserError
from litmus.spec import Images

log = logging.getLogger(__name__)

WORKERS = 8  # threads; Pillow lets go of Python's lock while it decodes
FREE = 0.8  # of a disk's free room that the cache may take
KEPT_DAYS = 30  # that pictures stay in the cache after they were last used
VERSION = 1  # of how photos are read: another number makes the kept ones anew
PIXELS, FACTS = "pixels", "facts.json"  # the files of a folder in the cache, which is named by what they were made of
WRITING = ".writing-"


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
        pixels = []
        for path, photo in in_threads([self.paths[i] for i in rows.tolist()], self.images):
            if isinstance(photo, Broken):
                raise OSError(f"{path} could be read before, and now {photo}.")
            pixels.append(photo.pixels)
        return torch.from_numpy(np.stack(pixels))


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


class Filed:
    """A dataset of photos in files: what a network has seen is known by what is in them.

    Attributes:
        samples: of each part.
    """

    samples: dict[Split, list[Any]]

    @abstractmethod
    def groups(self, part: Split) -> list[tuple[Hashable]]:
        """The sha256 of each sample's file."""

    @cached_property  # every checkpoint asks for them
    def seen(self) -> Tensor:
        """Fingerprints of the training and validation photos, for `leave_out`."""
        return fingerprints([*self.groups("train"), *self.groups("val")])

    def leave_out(self, seen: Tensor) -> None:
        """Tests on no photo that was seen: a network was trained or chosen on those.

        Raises:
            UserError: nothing is left.
        """
        test = self.samples["test"]
        self.samples["test"] = [test[i] for i in unseen(self.groups("test"), seen, "photos")]


def say_what_is_wrong(photos: Photos, source: Path) -> None:
    """Logs which photos cannot be used, and what was done about others.

    Raises:
        UserError: more than half of them cannot be used.
    """
    for path, why in photos.broken.items():
        log.info("%s %s", path, why)
    for path, note in photos.notes.items():
        log.info("%s: %s", path, note)
    for note, count in Counter(photos.notes.values()).items():
        noted = [str(path) for path, own in photos.notes.items() if own == note]
        log.warning("%d photos are %s (%s).", count, note, few(noted))
    if photos.broken:
        said = few([f"{path} {why}" for path, why in photos.broken.items()])
        log.warning(
            "%d of %d photos cannot be used: %s.", len(photos.broken), len(photos.broken) + len(photos.paths), said
        )
    if len(photos.broken) > len(photos.paths):
        raise UserError(f"{source}: more than half of the photos cannot be used. train.log names each of them.")


def collected(paths: Sequence[Path], images: Images, cache: Path) -> Photos:
    """Reads all photos, or takes them from the cache if the same files were read the same way before.

    Args:
        paths: of the files.
        images: size, channels and cut; the mean and deviation do not matter.
        cache: a folder. Where it has no room, or cannot be written to, photos are read again for every batch, and the
            log says so.
    """
    folder = cache / _key(paths, images)
    if (kept := _kept(folder, paths, images)) is not None:
        return kept
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _swept(cache)
        writing = tempfile.TemporaryDirectory(dir=cache, prefix=WRITING)
    except OSError as error:
        return _unkept(paths, images, f"{cache} cannot be written to ({error.strerror})")
    with writing as temporary:
        room = _room(Path(temporary, PIXELS), (len(paths), images.channels, images.height, images.width))
        if room is None:
            return _unkept(paths, images, f"{cache} has no room for so many pictures")
        photos, rows = _all_read(paths, images, room)
        room.flush()
        _write_facts(Path(temporary, FACTS), photos, rows)
        try:
            Path(temporary).rename(folder)
        except OSError:  # another run has just kept the same, or what was kept cannot be used any more
            shutil.rmtree(folder, ignore_errors=True)
            Path(temporary).rename(folder)
        Path(temporary).mkdir()  # which is about to be removed
    again = _kept(folder, paths, images)
    if again is None:
        raise OSError(f"{folder} was changed while it was read.")
    return again


def _unkept(paths: Sequence[Path], images: Images, why: str) -> Photos:
    log.warning("%s: every photo is read again for each batch, which is slow.", why)
    photos, _ = _all_read(paths, images, None)
    photos.pixels = Files(photos.paths, images)
    return photos


def _all_read(paths: Sequence[Path], images: Images, room: Any) -> tuple[Photos, list[int]]:
    """What is in every photo; its pixels go into `room`, in order. Also the numbers of the paths that can be used."""
    photos = Photos([], None, [], [])
    rows: list[int] = []
    bars = Console(stderr=True)
    read = track(in_threads(paths, images), "reading photos", len(paths), console=bars, disable=not bars.is_terminal)
    for number, (path, photo) in enumerate(read):
        if isinstance(photo, Broken):
            photos.broken[path] = str(photo)
            continue
        if room is not None:
            room[len(rows)] = photo.pixels
        rows.append(number)
        photos.paths.append(path)
        photos.sizes.append(photo.size)
        photos.sha256.append(photo.sha256)
        if photo.note:
            photos.notes[path] = photo.note
    return photos, rows


def _room(path: Path, shape: tuple[int, ...]) -> Any:
    """A file for that many pixels, whose place on the disk is taken at once; None if there is too little."""
    size = int(np.prod(shape))
    if not size or size > FREE * shutil.disk_usage(path.parent).free:
        return None
    try:
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
    except OSError:
        return None
    return np.memmap(path, np.uint8, "r+", shape=shape)


def in_threads(paths: Iterable[Path], images: Images) -> Iterator[tuple[Path, Photo | Broken]]:
    """Reads files, a few ahead; gives each with its photo, or with why there is none, in order."""

    def attempt(path: Path) -> tuple[Path, Photo | Broken]:
        try:
            return path, decode.read(path, images)
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


def _key(paths: Sequence[Path], images: Images) -> str:
    how = (VERSION, PIL.__version__, images.channels, images.height, images.width, images.resized)
    digest = hashlib.sha256(repr(how).encode())
    for path in paths:
        try:
            stat = path.stat()
            facts = (stat.st_size, stat.st_mtime_ns)
        except OSError:  # said when it is read
            facts = (-1, -1)
        digest.update(f"{path.absolute()}\0{facts}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _write_facts(path: Path, photos: Photos, rows: list[int]) -> None:
    notes = [photos.notes.get(p, "") for p in photos.paths]
    path.write_text(json.dumps({"rows": rows, "sizes": photos.sizes, "sha256": photos.sha256, "notes": notes}))


def _kept(folder: Path, paths: Sequence[Path], images: Images) -> Photos | None:
    """What was kept of these files; None if there is nothing, or a file that was broken is so no more."""
    try:
        facts = json.loads((folder / FACTS).read_text())
        with suppress(OSError):  # others may have kept it, where this user may only read
            os.utime(folder)  # when it was last used
        shape = (len(paths), images.channels, images.height, images.width)
        # Copy on write: torch wants a writable array, and the file must stay as it is.
        pixels = torch.from_numpy(np.memmap(folder / PIXELS, np.uint8, "c", shape=shape))
    except (OSError, ValueError, KeyError):
        return None
    used = [paths[row] for row in facts["rows"]]
    others = [paths[row] for row in sorted(set(range(len(paths))) - set(facts["rows"]))]
    broken = {}
    for path, photo in in_threads(others, images):
        if not isinstance(photo, Broken):
            return None
        broken[path] = str(photo)
    notes = {path: note for path, note in zip(used, facts["notes"], strict=True) if note}
    sizes = [(height, width) for height, width in facts["sizes"]]
    return Photos(used, pixels[: len(used)], sizes, facts["sha256"], broken, notes)


def _swept(cache: Path) -> None:
    """Removes what runs that were killed a day ago or more have left, and what no run has used for a month."""
    for folder in cache.iterdir():
        if folder.name.startswith(WRITING):
            days = 1
        elif re.fullmatch("[0-9a-f]{64}", folder.name):  # nothing else here is ours
            days = KEPT_DAYS
        else:
            continue
        with suppress(OSError):  # another run has just removed or renamed it
            if time.time() - folder.stat().st_mtime > days * 86_400:
                shutil.rmtree(folder, ignore_errors=True)
