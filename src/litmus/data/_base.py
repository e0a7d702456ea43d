"""What every dataset promises: facts, parts of known sizes, and loaders on the device that trains."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal

import lightning.pytorch as lightning
import torch
from torch import Tensor

from litmus.data._loader import BatchLoader, num_used
from litmus.errors import Refused
from litmus.spec import Classes, Spec

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")


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
    def sizes(self) -> dict[Part, int]:
        """Samples of each part."""

    @abstractmethod
    def _loader(self, part: Part) -> BatchLoader:
        """Batches of that part."""

    def settle(self) -> None:
        """Does what had to wait until `spec` is as the network wants it."""

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

    def _batching(self, part: Part) -> dict[str, Any]:
        """How that part's loader makes its batches, in this process."""
        assert self.trainer is not None
        training = part == "train"
        return {
            "batch_size": self.batch_size if training else self.eval_batch_size,
            "seed": self.seed,
            "shuffle": training,
            "rank": self.trainer.global_rank,
            "world_size": self.trainer.world_size,
        }


def counted(targets: Tensor, spec: Spec) -> Tensor:
    """How often each class occurs, int64 (classes,)."""
    assert isinstance(spec.target, Classes)
    return torch.bincount(targets, minlength=len(spec.target.names))


def classes(names: Sequence[str], training: Sequence[str], what: str) -> Classes:
    """Classes in the given order.

    Raises:
        Refused: there is only one, or one has no training sample.
    """
    if len(names) < 2:
        raise Refused(f"{what} has one class only ({few(names)}): there is nothing to tell apart.")
    present = set(training)
    if missing := [name for name in names if name not in present]:
        raise Refused(f"{what}: no training sample has the class {few(missing)}.")
    return Classes(tuple(names))


def few(names: Sequence[str], between: str = ", ") -> str:
    """The first ten, and how many more there are."""
    return between.join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
