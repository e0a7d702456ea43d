"""What every dataset promises: facts, parts of known sizes, and loaders on the device that trains."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from litmus.config.protocols import Split
from litmus.data._loader import Batching, BatchLoader, num_used
from litmus.errors import UserError
from litmus.spec import Classes, Spec


class Data(lightning.LightningDataModule):
    """A dataset in memory, in three parts.

    Attributes:
        spec: the facts of the data; setting it to a run's own makes its network see what it was trained on.
        source: where the data came from.
        sha256: of the files, by name.
        warning: a sentence about what a result on this data does not mean, or None.
        frozen_part: of the network in front of the data, see there; datasets may use it, to compute its results once.
    """

    spec: Spec

    def __init__(self, seed: int, batch_size: int, eval_batch_size: int) -> None:
        super().__init__()
        self.seed = seed
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.source = ""
        self.sha256: dict[str, str] = {}
        self.warning: str | None = None
        self.frozen_part: Callable[[Tensor], Tensor] | None = None

    @property
    @abstractmethod
    def sizes(self) -> dict[Split, int]:
        """Samples of each part."""

    @abstractmethod
    def _loader(self, part: Split) -> BatchLoader:
        """Batches of that part."""

    def setup(self, stage: str | None = None) -> None:
        """Does what had to wait until `spec` is as the network wants it; Lightning calls it again, to no effect."""

    def preload(self) -> None:
        """Reads what all jobs of a sweep read the same, for the processes forked from this one; fetches nothing."""

    @property
    def training_texts(self) -> list[str]:
        """What a vocabulary may be made of; nothing, where the data are no texts."""
        return []

    @property
    def class_counts(self) -> Tensor:
        """Training samples of each class, int64 (classes,).

        Raises:
            UserError: the data has no classes.
        """
        raise UserError(f"data={self.spec.data} has no classes to count.")

    @property
    def seen(self) -> Tensor | None:
        """Fingerprints of the training and validation samples, int64, for `leave_out`; None where none are kept."""
        return None

    def leave_out(self, seen: Tensor) -> None:
        """Leaves test samples out whose fingerprints are among `seen`: a network was trained or chosen on those."""

    @property
    def baselines(self) -> dict[Split, dict[str, dict[str, float]]]:
        """Errors of what needs no network, by split and name, such as `{"test": {"naive": {"rmse": 1.2}}}`."""
        return {}

    @property
    def num_batches(self) -> int:
        """Training steps in an epoch."""
        world_size = self.trainer.world_size if self.trainer else 1
        return math.ceil(num_used(self.sizes["train"], self.batch_size, world_size) / self.batch_size)

    @property
    def facts(self) -> dict[str, Any]:
        """What a result should say of the data it was reached on."""
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
        )


def counted(targets: Tensor, spec: Spec) -> Tensor:
    """How often each class occurs, int64 (classes,)."""
    assert isinstance(spec.target, Classes)
    return torch.bincount(targets, minlength=len(spec.target.names))


def classes(names: Sequence[str], training: Sequence[str], what: str) -> Classes:
    """Classes in the given order.

    Raises:
        UserError: there is only one, or one has no training sample.
    """
    if len(names) < 2:
        raise UserError(f"{what} has one class only ({few(names)}): there is nothing to tell apart.")
    present = set(training)
    if missing := [name for name in names if name not in present]:
        raise UserError(f"{what}: no training sample has the class {few(missing)}.")
    return Classes(tuple(names))


def few(names: Sequence[str], between: str = ", ") -> str:
    """The first ten, and how many more there are."""
    return between.join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
