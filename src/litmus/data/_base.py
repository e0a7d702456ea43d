"""What every dataset provides: its spec, splits of known sizes, and loaders on the device that trains.

The only module of `data` that needs Lightning, with those whose classes inherit from `Data`.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import lightning.pytorch as lightning
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.epochs import Cut
from litmus.config.protocols import Baselines, FrozenPart, KeepFeatures, Split
from litmus.config.sample import Sample
from litmus.config.types import BALANCE, BatchSize, Section
from litmus.data._concerns import of_classes, of_joined
from litmus.data._loader import Batching, BatchLoader, num_used
from litmus.errors import UserError
from litmus.spec import Classes, Input, Labels, Spec, Target, Values


class Data(lightning.LightningDataModule):
    """A dataset in memory, in three splits.

    Attributes:
        input_kinds: the kinds of input that the data may have, known before it is read.
        target_kinds: the kinds of target that it may have.
        is_tabular: whether each input is a column of its own meaning, for which boosted trees are a baseline, too.
        spec: the facts of the data. Setting it to a trained network's spec makes the dataset match that network.
        source: where the data came from.
        sha256: of the files, by name.
        warning: a sentence on the limits of results on this data, or None.
        batch_size: of a training step; 1 until it is found, where `auto` is requested.
        frozen_part: the part of the network that does not train, or None; a dataset may compute its output once.
        keep_features: gives that output by its name, and whether an earlier run kept it; else it is computed.
        cut: of a pass over the training batches into epochs.
        limits: how many samples of a split are used at most, where a limit is set.
        measure_baselines: gives the metrics of methods without a network, measured at the first call: see
            `litmus.run.baselines`.
    """

    input_kinds: ClassVar[tuple[type[Input], ...]]
    target_kinds: ClassVar[tuple[type[Target], ...]]
    is_tabular: ClassVar[bool] = False
    spec: Spec

    def __init__(self, seed: int, batch_size: BatchSize, eval_batch_size: int) -> None:
        super().__init__()
        self.seed = seed
        self.batch_size = 1 if batch_size == "auto" else batch_size
        self.eval_batch_size = eval_batch_size
        self.source = ""
        self.sha256: dict[str, str] = {}
        self.warning: str | None = None
        self.frozen_part: FrozenPart | None = None
        self.keep_features: KeepFeatures = lambda _, compute: (compute(), False)
        self.measure_baselines: Callable[[], Baselines] = dict
        self.cut = Cut()
        self.limits: dict[Split, int | None] = {}
        self._train_loader: BatchLoader | None = None

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

    def counts(self, split: Split) -> Tensor:
        """Samples of each class or label in a split, or boxes of each class, int64 (names,).

        Raises:
            UserError: the data has neither.
        """
        raise UserError(f"data={self.spec.data} has no classes to count.")

    @property
    def class_counts(self) -> Tensor:
        """Those of training, on which losses and warnings depend."""
        return self.counts("train")

    @property
    def concerns(self) -> list[str]:
        """Sentences on what the training split lacks, or the splits share, to be said before the training."""
        target = self.spec.target
        if isinstance(target, Values):
            return []
        hint = BALANCE if isinstance(target, Classes) else ""
        counts = self.class_counts.tolist()
        noun = "labels" if isinstance(target, Labels) else "classes"  # of boxes, too
        joined = of_joined(target.names) if isinstance(target, Classes) else []
        return [*of_classes(counts, target.names, noun, self.limits.get("train"), hint), *joined]

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
    def repeated(self) -> dict[Split, int]:
        """Samples of validation and test that are equal to one of an earlier split, target included."""
        return {}

    @property
    def leaks(self) -> dict[str, list[str]]:
        """Of each target, the columns that determine it, or nearly."""
        return {}

    @property
    def seconds_waited(self) -> float:
        """How long the training of this process has waited for batches."""
        return self._train_loader.seconds if self._train_loader else 0.0

    # What baselines need: `targets` for those that are a constant, the other three for a linear model.

    def targets(self, split: Split) -> Tensor | None:
        """What is to be predicted.

        Class numbers, int64 (samples,); a 1 for each label, uint8 (samples, labels); or values in their unit, float64
        (samples, values).
        None where no method without a network is worth a comparison.
        """
        return None

    @property
    def most_flat(self) -> int:
        """How many samples of a split `flat_inputs` gives in about a tenth of a second; 0 if it has none to give."""
        return 0

    @property
    def flat_noun(self) -> str:
        """What `flat_inputs` gives, to be shown: `pixels`."""
        return ""

    def flat_inputs(self, split: Split, rows: Tensor) -> NDArray[np.float32] | list[str]:
        """Inputs for a linear model: float32 (rows, columns), each of a scale of about 1; or texts.

        Args:
            split: of which.
            rows: numbers of the samples, int64, at most `most_flat`.
        """
        raise NotImplementedError

    def forecasts(self, split: Split) -> dict[str, Tensor]:
        """Predictions that need no fitting, by name, like `targets`."""
        return {}

    # What pages show.

    def sample(self, split: Split, number: int) -> Sample:
        """A sample as a person looks at it; a dataset that has no more to show gives its number.

        Args:
            split: of which.
            number: in the order of `targets`.
        """
        return Sample(name=f"sample {number:,}")

    def evaluation_order(self, split: Split) -> Tensor | None:
        """The samples' numbers in the order in which evaluation reads them, int64; None is that of `targets`."""
        return None

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        """Of each column of a table its name, its kind, and what became of it; empty for other data."""
        return []

    @property
    def notes(self) -> list[str]:
        """What it decided by the data, a line each, to be shown."""
        return []

    @property
    def passes(self) -> int:
        """How often an epoch passes over the training samples."""
        return 1

    @property
    def num_batches(self) -> int:
        """Training batches in an epoch; in all of a pass together, where `trainer.val_check_interval` cuts it."""
        return self.num_batches_of(self.trainer.world_size if self.trainer else 1)

    def num_batches_of(self, num_processes: int) -> int:
        """The same, of so many processes: each needs its share of the last batch."""
        return math.ceil(num_used(self.sizes["train"] * self.passes, self.batch_size, num_processes) / self.batch_size)

    @property
    def epoch_lengths(self) -> list[int]:
        """Training batches of each epoch of a pass: see `trainer.val_check_interval`."""
        return [len(part) for part in self.cut.parts(self.num_batches)]

    @property
    def facts(self) -> Section:
        """What `result.json` records of the data."""
        sizes: dict[str, int] = dict(self.sizes.items())
        return {"source": self.source, **sizes, "sha256": self.sha256, "warning": self.warning}

    @property
    def chosen(self) -> Section:
        """Its settings that were null, with the values that it chose by the data, by name."""
        return {}

    def train_dataloader(self) -> BatchLoader:
        self._train_loader = self._loader("train")
        return self._train_loader

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
            cut=self.cut if training else Cut(),
            device=trainer.strategy.root_device,
        )
