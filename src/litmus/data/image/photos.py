"""The images of a dataset, and which of them belong to a split."""

import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from litmus.config.protocols import Split
from litmus.data._ahead import Read
from litmus.data._classes import list_some
from litmus.data._loader import Rows
from litmus.data._split import are_seen, fingerprints, num_tied, select_unseen
from litmus.errors import UserError

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 2**20  # of images that are on their way to a device

Sample = TypeVar("Sample")


@runtime_checkable
class Openable(Protocol):
    """Images in files."""

    def open(self) -> AbstractContextManager[Rows]:
        """The same images, read by threads that last as long as the context."""


@dataclass
class Photos:
    """All images of a dataset.

    Attributes:
        paths: of the usable images, in the order in which they were requested.
        pixels: uint8 (images, channels, height, width): in memory, on disk, or read again for each batch.
        sizes: (height, width) of each image in its file.
        sha256: of each file.
        broken: why the other images cannot be used, by path.
        notes: how some images were read, by path.
    """

    paths: list[Path]
    pixels: Rows
    sizes: list[tuple[int, int]]
    sha256: list[str]
    broken: dict[Path, str] = field(default_factory=dict)
    notes: dict[Path, str] = field(default_factory=dict)


class Selection:
    """Some of the images, or the center of each; as much of a tensor as a loader needs.

    Args:
        pixels: all images, uint8 (images, channels, height, width).
        rows: numbers of the selected images, int64.
        crop: height and width of the center to crop, or None.
    """

    device = torch.device("cpu")

    def __init__(self, pixels: Rows, rows: Tensor, crop: tuple[int, int] | None) -> None:
        self.pixels = pixels
        self.rows = rows
        self.crop = crop

    @property
    def is_in_memory(self) -> bool:
        """Whether the images are, or in the memory-mapped cache; else each is decoded when it is read."""
        return isinstance(self.pixels, Tensor)

    @property
    def nbytes(self) -> int:
        """Of all selected images."""
        return len(self) * self._read(self.rows[:1]).numel()

    def to(self, device: torch.device) -> Tensor:
        """All selected images on a device, uint8 (samples, channels, height, width); reads some megabytes at a time."""
        shape = self._read(self.rows[:1]).shape[1:]
        moved = torch.empty((len(self), *shape), dtype=torch.uint8, device=device)
        for own in torch.arange(len(self)).split(max(1, CHUNK_BYTES // shape.numel())):
            moved[own[0] : own[-1] + 1] = self._read(self.rows[own])
        return moved

    @contextmanager
    def reading(self) -> Iterator[Read]:
        """What reads images by their numbers in the selection, with threads that last, where it has any."""
        if not isinstance(self.pixels, Openable):
            yield partial(self.index_select, 0)
            return
        with self.pixels.open() as pixels:
            yield partial(Selection(pixels, self.rows, self.crop).index_select, 0)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> Tensor:
        return self._read(self.rows[rows])

    def index_select(self, _: int, rows: Tensor) -> Tensor:
        """uint8 (rows, channels, height, width)."""
        return self._read(self.rows[rows])

    def _read(self, rows: Tensor) -> Tensor:
        images = self.pixels.index_select(0, rows)
        if self.crop is None:
            return images
        top, left = (round((side - crop) / 2) for side, crop in zip(images.shape[2:], self.crop, strict=True))
        return images[:, :, top : top + self.crop[0], left : left + self.crop[1]]


class FingerprintedImages(Generic[Sample]):
    """A dataset of images in files: samples that a network has seen are recognized by the content of their files.

    Attributes:
        samples: of each split.
    """

    samples: dict[Split, list[Sample]]

    @abstractmethod
    def groups(self, split: Split) -> list[tuple[Hashable]]:
        """The sha256 of each sample's file."""

    @cached_property  # every checkpoint stores them
    def seen(self) -> Tensor:
        """Fingerprints of the training and validation images, int64, for `leave_out`."""
        return fingerprints([*self.groups("train"), *self.groups("val")])

    @property
    def repeated(self) -> dict[Split, int]:
        """Images of validation and test whose content is that of one of an earlier split."""
        return num_tied({split: self.groups(split) for split in self.samples})

    def leave_out(self, seen: Tensor) -> None:
        """Drops test images that are among `seen`: a network was trained or selected on those.

        Raises:
            UserError: no test image is left.
        """
        test = self.samples["test"]
        self.samples["test"] = [test[i] for i in select_unseen(are_seen(self.groups("test"), seen), "images")]


def warn_of_problems(photos: Photos, source: Path) -> None:
    """Logs which images cannot be used, and how others were read.

    Raises:
        UserError: more than half of them cannot be used.
    """
    for path, why in photos.broken.items():
        log.info("%s %s", path, why)
    for path, note in photos.notes.items():
        log.info("%s: %s", path, note)
    for note, count in Counter(photos.notes.values()).items():
        noted = [str(path) for path, own in photos.notes.items() if own == note]
        log.warning("%d images are %s (%s).", count, note, list_some(noted))
    if photos.broken:
        reasons = list_some([f"{path} {why}" for path, why in photos.broken.items()])
        num_images = len(photos.broken) + len(photos.paths)
        log.warning("%d of %d images cannot be used: %s.", len(photos.broken), num_images, reasons)
    if len(photos.broken) > len(photos.paths):
        raise UserError(f"{source}: more than half of the images cannot be used; train.log lists them.")
