"""What every dataset provides: its spec, splits of known sizes, and loaders on the device that trains.

The only module of `data` that needs Lightning, with those whose classes inherit from `Data`.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import lightning.pytorch as lightning
from torch import Tensor

from litmus.config.protocols import Split
from litmus.config.types import BatchSize, Section
from litmus.data._loader import Batching, BatchLoader, num_used
from litmus.errors import UserError
from litmus.spec import Input, Spec, Target


class Data(lightning.LightningDataModule):
    """A dataset in memory, in three splits.

    Attributes:
        input_kinds: the kinds of input that the data may have, known before it is read.
        target_kinds: the kinds of target that it may have.
        spec: the facts of the data. Setting it to a trained network's spec makes the dataset match that network.
        source: where the data came from.
        sha256: of the files, by name.
        warning: a sentence on the limits of results on this data, or None.
        batch_size: of a training step; 1 until it is found, where `auto` is requested.
        frozen_part: the part of the network that does not train, or None; a dataset may compute its output once.
    """

    input_kinds: ClassVar[tuple[type[Input], ...]]
    target_kinds: ClassVar[tuple[type[Target], ...]]
    spec: Spec

    def __init__(self, seed: int, batch_size: BatchSize, eval_batch_size: int) -> None:
        super().__init__()
        self.seed = seed
        self.batch_size = 1 if batch_size == "auto" else batch_size
        self.eval_batch_size = eval_batch_size
        self.source = ""
        self.sha256: dict[str, str] = {}
        self.warning: str | None = None
        self.frozen_part: Callable[[Tensor], Tensor] | None = None

    @property
    @abstractmethod
    def sizes(self) -> dict[Split, int]:
        """Number of samples in each split."""

    @abstractmethod
    def _loader(self, split: Split) -> BatchLoader:
        """Batches of that split."""

    def setup(self, stage: str | None = None) -> None:
        """Prepares what depends on `spec` as the network wants it; calling it again, as Lightning does, is harmless."""

    def preload(self) -> None:
        """Reads what all jobs of a sweep share, for the processes forked from this one; downloads nothing."""

    @property
    def training_texts(self) -> list[str]:
        """The texts that a vocabulary may be built from; empty for datasets without texts."""
        return []

    @property
    def class_counts(self) -> Tensor:
        """Training samples of each class, int64 (classes,).

        Raises:
            UserError: the data has no classes.
        """
        raise UserError(f"data={self.spec.data} has no classes to count.")

    @property
    @abstractmethod
    def seen(self) -> Tensor:
        """Fingerprints of the training and validation samples, int64, for `leave_out`; every checkpoint stores them."""

    @abstractmethod
    def leave_out(self, seen: Tensor) -> None:
        """Drops test samples whose fingerprints are among `seen`: a network was trained or selected on those.

        Raises:
            UserError: no test sample is left.
        """

    @property
    def baselines(self) -> dict[Split, dict[str, dict[str, float]]]:
        """Metrics of methods without a network, by split and name, such as `{"test": {"naive": {"rmse": 1.2}}}`."""
        return {}

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        """Of each column of a table its name, its kind, and what became of it; empty for other data."""
        return []

    @property
    def passes(self) -> int:
        """How often an epoch passes over the training samples."""
        return 1

    @property
    def num_batches(self) -> int:
        """Training steps in an epoch."""
        world_size = self.trainer.world_size if self.trainer else 1
        return math.ceil(num_used(self.sizes["train"] * self.passes, self.batch_size, world_size) / self.batch_size)

    @property
    def facts(self) -> Section:
        """What `result.json` records of the data."""
        sizes: dict[str, int] = dict(self.sizes.items())
        return {"source": self.source, **sizes, "sha256": self.sha256, "warning": self.warning}

    def train_dataloader(self) -> BatchLoader:
        return self._loader("train")

    def val_dataloader(self) -> BatchLoader:
        return self._loader("val")

    def test_dataloader(self) -> BatchLoader:
        return self._loader("test")

    def _batching(self, split: Split) -> Batching:
        """How that split's loader forms its batches, in this process."""
        trainer = self.trainer
        assert trainer is not None
        training = split == "train"
        return Batching(
            batch_size=self.batch_size if training else self.eval_batch_size,
            seed=self.seed,
            shuffle=training,
            epoch=(lambda: trainer.current_epoch) if training else (lambda: 0),
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            passes=self.passes if training else 1,
        )
