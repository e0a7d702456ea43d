"""All images of a dataset: read once in threads, and cached on disk under a hash of the files and settings."""

import hashlib
import json
import logging
import math
import os
import re
import shutil
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import BinaryIO, TypedDict, TypeVar

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from torch import Tensor

from litmus.console import Screen
from litmus.data.image import decode
from litmus.data.image.decode import Broken, Photo
from litmus.data.image.photos import Photos
from litmus.fetch.once import one_at_a_time
from litmus.fetch.room import make_room
from litmus.spec import Images

log = logging.getLogger(__name__)

Source = TypeVar("Source", bound=decode.Source)

NUM_WORKERS = 8  # threads; Pillow releases Python's lock while it decodes
# Up to which threads would wait for each other longer than one needs to decode: a file's bytes, and an image's pixels.
SMALL_BYTES, SMALL_PIXELS = 2048, 64 * 64
TOGETHER = 64  # small images that are read in one go
MAX_DISK = 0.8  # of a disk's free space that images may take
MOST_BYTES = 100 * 10**9  # of all entries: those that were unused for longest make room for new ones
MAX_AGE_DAYS = 30  # that images stay in the cache after they were last used
VERSION = 2  # of how images are read: another number invalidates the cache
PIXELS, FACTS = "pixels", "facts.json"  # the files of an entry, a folder named by its hash
WRITING = ".writing-"
ENTRY = "[0-9a-f]{64}"
LIMITS = f"at most {MAX_DISK:.0%} of the free space, and {MOST_BYTES / 1e9:.0f} GB in all"


class Facts(TypedDict):
    """What `facts.json` holds: one item for each usable image. Caches of earlier versions have the same keys.

    `rows` are the numbers of the usable images among all paths.
    """

    rows: list[int]
    sizes: list[tuple[int, int]]
    sha256: list[str]
    notes: list[str]


class Files:
    """Images that are read from their files whenever they are used, where the cache has no space for them.

    Args:
        paths: of the files.
        images: size, channels and crop.
        threads: that read; None starts some for each batch.
    """

    def __init__(self, paths: Sequence[Path], images: Images, threads: ThreadPoolExecutor | None = None) -> None:
        self.paths = paths
        self.images = images
        self.threads = threads

    @contextmanager
    def open(self) -> Iterator["Files"]:
        """The same images, read by threads that last as long as the context."""
        with ThreadPoolExecutor(NUM_WORKERS) as threads:
            yield Files(self.paths, self.images, threads)

    def __len__(self) -> int:
        return len(self.paths)

    def index_select(self, _: int, rows: Tensor) -> Tensor:
        """uint8 (rows, channels, height, width).

        Raises:
            OSError: an image can no longer be read.
        """
        pixels = []
        for path, photo in in_threads([self.paths[i] for i in rows.tolist()], self.images, self.threads):
            if isinstance(photo, Broken):
                raise OSError(f"{path} was readable before, but now {photo}.")
            pixels.append(photo.pixels)
        return torch.from_numpy(np.stack(pixels))


def collect(paths: Sequence[Path], images: Images, cache: Path) -> Photos:
    """Reads all images, or takes them from the cache if the same files were read in the same way before.

    Args:
        paths: of the files.
        images: size, channels and crop; mean and standard deviation do not matter.
        cache: a folder. Where it has no space, or cannot be written to, images are read again for every batch, with
            a warning.

    Raises:
        OSError: the cache was changed while it was written.
    """
    folder = cache / _key(paths, images)
    if (photos := _load(folder, paths, images)) is not None:
        return photos
    with one_at_a_time(folder):  # another run may be reading the same images
        return _load(folder, paths, images) or _collected(paths, images, cache, folder)


def _collected(paths: Sequence[Path], images: Images, cache: Path, folder: Path) -> Photos:
    """Reads all images, and keeps them in a folder of the cache."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_old(cache)
        writing = tempfile.TemporaryDirectory(dir=cache, prefix=WRITING)
    except OSError as error:
        return _read_without_cache(paths, images, f"{cache} cannot be written to ({error.strerror})")
    shape = (len(paths), images.channels, images.height, images.width)
    size = f"{math.prod(shape) / 1e9:,.2f} GB"
    with writing as temporary:
        pixels = _allocate(Path(temporary, PIXELS), shape)
        if pixels is None:
            return _read_without_cache(paths, images, f"{cache} has no space for {size} of images ({LIMITS})")
        log.info("%s: %d images are kept in %s (%s)", folder, len(paths), size, LIMITS)
        photos, rows = _read_all(paths, images, pixels)
        pixels.flush()
        _write_facts(Path(temporary, FACTS), photos, rows)
        try:
            Path(temporary).rename(folder)
        except OSError:  # the entry is damaged
            shutil.rmtree(folder, ignore_errors=True)
            Path(temporary).rename(folder)
        Path(temporary).mkdir()  # for TemporaryDirectory to remove
    cached = _load(folder, paths, images)
    if cached is None:
        raise OSError(f"{folder} was changed while it was written.")
    return cached


def _read_without_cache(paths: Sequence[Path], images: Images, why: str) -> Photos:
    log.warning("%s: images are read again for every batch, which is slow.", why)
    photos, _ = _read_all(paths, images, None)
    photos.pixels = Files(photos.paths, images)
    return photos


def _read_all(paths: Sequence[Path], images: Images, pixels: NDArray[np.uint8] | None) -> tuple[Photos, list[int]]:
    """Reads every image, its pixels into `pixels`, if given; also returns the numbers of the usable paths."""
    photos = Photos([], Files([], images), [], [])
    rows: list[int] = []
    bars = Screen(stderr=True)
    read = track(in_threads(paths, images), "reading images", len(paths), console=bars, disable=not bars.is_terminal)
    for number, (path, photo) in enumerate(read):
        if isinstance(photo, Broken):
            photos.broken[path] = str(photo)
            continue
        if pixels is not None:
            pixels[len(rows)] = photo.pixels
        rows.append(number)
        photos.paths.append(path)
        photos.sizes.append(photo.size)
        photos.sha256.append(photo.sha256)
        if photo.note:
            photos.notes[path] = photo.note
    return photos, rows


def _allocate(path: Path, shape: tuple[int, ...]) -> "np.memmap[tuple[int, ...], np.dtype[np.uint8]] | None":
    """A file for that many pixels, its disk space allocated at once; None if there is too little."""
    size, cache = math.prod(shape), path.parent.parent
    if not size or size > MOST_BYTES:
        return None
    make_room(cache, MOST_BYTES - size, ENTRY)
    if size > MAX_DISK * shutil.disk_usage(cache).free:
        return None
    try:
        with path.open("wb") as file:
            _reserve(file, size)
    except OSError:
        return None
    return np.memmap(path, np.uint8, "r+", shape=shape)


def _reserve(file: BinaryIO, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # not on macOS and Windows
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


def in_threads(
    sources: Iterable[Source], images: Images, threads: ThreadPoolExecutor | None = None
) -> Iterator[tuple[Source, Photo | Broken]]:
    """Reads images in threads, a few ahead; yields each source with its image, or with the reason why it has none.

    Small files are read without threads, which would spend more time on waiting for each other.

    Args:
        sources: paths of files, their contents, or images of Pillow; the order is kept.
        images: size, channels and crop.
        threads: that read, and stay; None starts some for this call.
    """
    with nullcontext(threads) if threads else ThreadPoolExecutor(NUM_WORKERS) as pool:
        waiting: deque[tuple[list[Source], Callable[[], list[Photo | Broken]]]] = deque()
        for is_small, group in groupby(sources, lambda source: _is_small(source, images)):
            while some := list(islice(group, TOGETHER if is_small else 1)):
                read = partial(decode.read_all, some, images)
                waiting.append((some, read if is_small else pool.submit(read).result))
                if len(waiting) > 4 * NUM_WORKERS:
                    yield from _result(*waiting.popleft())
        for each in waiting:
            yield from _result(*each)


def _result(sources: list[Source], read: Callable[[], list[Photo | Broken]]) -> Iterator[tuple[Source, Photo | Broken]]:
    return zip(sources, read(), strict=True)


def _is_small(source: decode.Source, images: Images) -> bool:
    """Whether an image is small, in its file and as the network reads it."""
    if images.height * images.width > SMALL_PIXELS:
        return False
    if isinstance(source, Image.Image):
        return source.width * source.height <= SMALL_PIXELS
    if isinstance(source, bytes):
        return len(source) <= SMALL_BYTES
    try:
        return source.stat().st_size <= SMALL_BYTES
    except (OSError, ValueError):  # reported when it is read
        return True


def _key(paths: Sequence[Path], images: Images) -> str:
    how = (VERSION, PIL.__version__, images.channels, images.height, images.width, images.resized)
    digest = hashlib.sha256(repr((*how, images.strokes) if images.strokes else how).encode())
    for path in paths:
        try:
            stat = path.stat()
            size_and_time = (stat.st_size, stat.st_mtime_ns)
        except OSError:  # reported when it is read
            size_and_time = (-1, -1)
        digest.update(f"{path.absolute()}\0{size_and_time}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _write_facts(path: Path, photos: Photos, rows: list[int]) -> None:
    notes = [photos.notes.get(p, "") for p in photos.paths]
    facts: Facts = {"rows": rows, "sizes": photos.sizes, "sha256": photos.sha256, "notes": notes}
    path.write_text(json.dumps(facts))


def _load(folder: Path, paths: Sequence[Path], images: Images) -> Photos | None:
    """The cached images of these files; None if there are none, or if a file that was broken can be read by now."""
    try:
        facts: Facts = json.loads((folder / FACTS).read_text())
        with suppress(OSError):  # another user's cache may be read-only
            os.utime(folder)  # marks when it was last used
        shape = (len(paths), images.channels, images.height, images.width)
        pixels = _mapped(folder / PIXELS, shape)
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


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor:
    """An entry's pixels, read only: Linux refuses to map more than its memory for whoever may write to a copy."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # nobody writes to it
        return torch.from_numpy(np.memmap(path, np.uint8, "r", shape=shape))


def _remove_old(cache: Path) -> None:
    """Removes what runs that were killed at least a day ago have left, and what no run has used for a month."""
    for folder in cache.iterdir():
        if folder.name.startswith(WRITING):
            days = 1
        elif re.fullmatch(ENTRY, folder.name):  # nothing else here is ours
            days = MAX_AGE_DAYS
        else:
            continue
        with suppress(OSError):  # another run has just removed or renamed it
            if time.time() - folder.stat().st_mtime > days * 86_400:
                shutil.rmtree(folder, ignore_errors=True)
