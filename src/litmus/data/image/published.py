"""Published datasets of small labeled images, each with an official test set."""

import gzip
import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import Split
from litmus.config.types import Augment, BatchSize, Chance, Count, Folds, Section, Seed, Whole
from litmus.config.validate import checked
from litmus.data._folds import fold_of
from litmus.data._preflight import published_folder
from litmus.data._split import limits
from litmus.data.image.base import ImagesInMemory
from litmus.data.image.mixing import MIXES
from litmus.data.image.transform import Augmentation, augmentation, mean_and_std, random_affine
from litmus.errors import UserError
from litmus.fetch import download
from litmus.fetch.once import keeping, once
from litmus.fetch.package import sha256_of
from litmus.spec import Classes, Images, Spec

log = logging.getLogger(__name__)

Samples = tuple[Tensor, Tensor]


class PublishedImages(ImagesInMemory):
    """Labeled images, as uint8 in memory; the official test set is used for testing only.

    `source` is where files may come from. `auto` tries the data folder, and then the official server. `split_seed`
    decides which training images validate, and the order of the others.

    Attributes:
        dataset: its name, and that of its folder.
        class_names: in the order of their numbers.
        checksums: of the files, by name: see `download.ensure`.
        usual_flip: `flip` of augmented images, where it is null.
    """

    dataset: ClassVar[str]
    class_names: ClassVar[tuple[str, ...]]
    checksums: ClassVar[Mapping[str, str]]
    usual_flip: ClassVar[float] = 0.0

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        dir: str | None,
        source: Literal["auto", "disk", "official"],
        val_size: Count,
        limit: Count | None,
        limit_eval: Count | None,
        split_seed: Seed | None,
        folds: Folds | None,
        fold: Whole | None,
        batch_size: BatchSize,
        eval_batch_size: Count,
        augment: Augment,
        flip: Chance | None,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.folder = published_folder(dir, self.dataset)
        self.allowed: str = source
        self.val_size = val_size
        self.fold = fold_of(folds, fold)
        self.limits = limits(limit, limit_eval)
        self.split_seed = seed if split_seed is None else split_seed
        self.flip = flip if flip is not None else 0.0 if augment == "none" else self.usual_flip
        self.augmentation, self.augmented = augmentation(augment, self.flip, self.light), (augment, self.flip)
        self.mix = MIXES.get(augment)
        self.splits = {}

    @property
    def light(self) -> Augmentation:
        """The small random changes of training images that are usual for these."""
        return random_affine

    @abstractmethod
    def official(self) -> download.Fetch:
        """Gets the files from the official server."""

    @abstractmethod
    def read(self) -> tuple[Samples, Samples]:
        """The official training and test set, from the files in the folder."""

    def prepare_data(self) -> None:
        """Finds, downloads and checks the files, and splits the images.

        Raises:
            UserError: no source has the files.
        """
        if self.splits:
            return
        train, test = self._found()
        train, val = self._split(train)
        splits: dict[Split, Samples] = {"train": train, "val": val, "test": test}
        self.splits = {name: (x[: self.limits[name]], y[: self.limits[name]]) for name, (x, y) in splits.items()}
        self.spec = Spec(self.dataset, self._facts(train[0]), Classes(self.class_names))

    def preload(self) -> None:
        """Reads the files that are on disk, for the processes forked from this one; downloads and computes nothing."""
        with keeping(), suppress(UserError):
            if all((self.folder / name).is_file() for name in self.checksums):
                self._from([])

    @property
    def chosen(self) -> Section:
        return {"flip": self.flip}

    def _found(self) -> tuple[Samples, Samples]:
        try:
            return self._from([("official", self.official())] if self.allowed != "disk" else [])
        except UserError as error:
            raise UserError(f"data={self.dataset} has no images: {error} data.dir says where to look.") from None

    def _from(self, sources: Sequence[tuple[str, download.Fetch]]) -> tuple[Samples, Samples]:
        """The official training and test set, whose files come from these sources where they are missing."""
        self.source = download.ensure(self.folder, self.checksums, sources)
        for name, checksum in self.checksums.items():
            self.sha256[name] = once(sha256_of, self.folder / name) if checksum.startswith("md5:") else checksum
        return self.read()

    def _split(self, samples: Samples) -> tuple[Samples, Samples]:
        """What trains, and what validates."""
        if self.fold is not None:
            number = torch.arange(self.fold.number, len(samples[1]), self.fold.of)
            return _divided(samples, number, self.split_seed)
        return split_stratified(samples, self._fitting_val_size(len(samples[1])), self.split_seed)

    def _fitting_val_size(self, num_train: int) -> int:
        if self.val_size >= num_train:
            raise UserError(
                f"data.val_size={self.val_size} leaves nothing to train on: there are {num_train:,} training images."
            )
        return self.val_size

    def _facts(self, training: Tensor) -> Images:
        """What a network needs to know of the images; `training` are all that are not validated on."""
        images = self.splits["train"][0]
        mean, std = mean_and_std(images, torch.arange(len(images)))
        _, channels, height, width = images.shape
        return Images(channels, height, width, mean, std)


def split_stratified(split: Samples, num_second: int, seed: int) -> tuple[Samples, Samples]:
    """Splits at random in two, the second with `num_second` samples and the same proportions of the classes.

    Both are shuffled, so that their first n samples are a random sample, too.
    """
    # Every (n / num_second)-th sample: proportional to the classes, to within one.
    return _divided(split, (torch.arange(num_second) * len(split[1])) // num_second, seed)


def _divided(split: Samples, positions: Tensor, seed: int) -> tuple[Samples, Samples]:
    """Splits in two; the second has those at the positions, int64, in a random order that is sorted by class."""
    inputs, targets = split
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    by_class = order[torch.argsort(targets[order], stable=True)]
    second = torch.zeros(len(targets), dtype=torch.bool)
    second[by_class[positions]] = True
    chosen = second[order]
    first_rows, second_rows = order[~chosen], order[chosen]
    return (inputs[first_rows], targets[first_rows]), (inputs[second_rows], targets[second_rows])


def read_idx(path: Path) -> NDArray[np.uint8]:
    """A file in the IDX format: two zero bytes, type 8 (uint8), number of dimensions, their sizes, the data.

    One whose name ends with `.gz` is compressed.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    num_dimensions = content[3]
    shape = np.frombuffer(content, ">i4", num_dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_dimensions).reshape(shape)


def read_idx_files(folder: Path, names: Mapping[str, str]) -> tuple[Samples, Samples]:
    """Training and test set from the files of training images, training labels, test images and test labels."""
    train, labels, test, test_labels = (once(read_idx, folder / name) for name in names)
    return as_samples(train, labels), as_samples(test, test_labels)


def as_samples(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Samples:
    """Grayscale images, uint8 (samples, height, width), and their labels as tensors."""
    return torch.tensor(images).unsqueeze(1), torch.tensor(labels, dtype=torch.int64)
