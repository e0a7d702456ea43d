"""What every dataset promises: facts, parts of known sizes, and loaders on the device that trains."""

import math
from abc import abstractmethod
from typing import Any, Literal

import lightning.pytorch as lightning

from litmus.data._loader import BatchLoader, num_used
from litmus.spec import Spec

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")


class Data(lightning.LightningDataModule):
    """A dataset in memory, in three parts.

    Attributes:
        spec: the facts of the data; setting it to a run's own makes its network see what it was trained on.
        source: where the data came from.
        sha256: of the files, by name.
        warning: a sentence about what a result on this data does not mean, or None.
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

    @property
    @abstractmethod
    def sizes(self) -> dict[Part, int]:
        """Samples of each part."""

    @abstractmethod
    def _loader(self, part: Part) -> BatchLoader:
        """Batches of that part."""

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
