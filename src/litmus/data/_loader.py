"""Batches as slices of one tensor: shuffled, sharded over processes, and resumable."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol, TypedDict

import torch
from torch import Generator, Tensor

from litmus.config.epochs import Cut
from litmus.config.types import USUAL_BATCH
from litmus.data._ahead import Ahead, moved, staged

CPU = torch.device("cpu")
WHOLE = Cut()
MOST_STEPS, LARGEST_BATCH = 1000, 1024  # of a table's epoch, and in its steps
# Turns stored inputs into what a network receives. The inputs are the given rows of a batch of the given size:
# random numbers are drawn for the whole batch, so that they do not depend on the number of processes.
Transform = Callable[[Tensor, Generator, int, slice], Tensor]


class Rows(Protocol):
    """Samples of which any can be read by their numbers: a tensor, or images that are read from disk."""

    def index_select(self, dim: int, index: Tensor, /) -> Tensor: ...


class Stored(Rows, Protocol):
    """As much of a tensor as a loader needs of its inputs."""

    @property
    def device(self) -> torch.device: ...

    def __getitem__(self, rows: slice, /) -> Tensor: ...


@dataclass(frozen=True)
class Part:
    """This process's part of a batch.

    Attributes:
        rows: the numbers of its samples.
        batch_size: of the whole batch.
        within: the slice of the whole batch that it is.
    """

    rows: Tensor | slice
    batch_size: int
    within: slice


@dataclass(frozen=True)
class Batching:
    """How a loader forms its batches.

    Attributes:
        batch_size: samples per step, over all processes together.
        seed: of the order and of the transform's random numbers.
        shuffle: whether each epoch has an order of its own; a training loader's has.
        epoch: returns the number of the current epoch; read whenever an iteration begins.
        rank: number of this process.
        world_size: number of processes.
        passes: of an epoch over the samples.
        cut: of the batches of those passes into epochs.
        device: that trains.
    """

    batch_size: int
    seed: int
    shuffle: bool
    epoch: Callable[[], int]
    rank: int
    world_size: int
    passes: int = 1
    cut: Cut = WHOLE
    device: torch.device = CPU


class LoaderState(TypedDict):
    """The position of a loader within an epoch: plain values and a tensor, so that it loads with `weights_only=True`.

    `position` counts the batches that were delivered in this epoch; `generator` is the state of the transform's
    random numbers, uint8.
    """

    epoch: int
    position: int
    generator: Tensor


def as_stored(inputs: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:  # noqa: ARG001  # a Transform
    """The transform that changes nothing."""
    return inputs


class BatchLoader:
    """Iterates over (inputs, targets) in batches.

    The samples lie in one tensor, on the device that trains, so a batch is one gather; a loader that
    handles samples one by one takes about fifteen times longer for a small network.

    An epoch's order depends on the seed and the epoch's number alone; epochs that are parts of the same pass share its
    order, one after another, so that together they have the batches of a pass that is not cut. Under DDP every process
    draws the same order, and takes its own slice of each batch, so that a step sees the same samples whatever
    the number of processes. A last training batch that does not divide evenly loses the remainder (fewer
    samples than there are processes), because DDP averages gradients as if all slices were of equal size; one
    that has fewer than two samples for each process is dropped, because batch norm cannot use it.
    Every epoch drops other samples.

    Args:
        inputs: (num_samples, ...) of any dtype.
        targets: (num_samples, ...), on the device that trains; or on the CPU, from which those of a batch are sent.
        transform: from stored inputs to the network's.
        batching: batch size, order, and the rows of this process.
    """

    def __init__(self, inputs: Stored, targets: Tensor, transform: Transform, batching: Batching) -> None:
        self.inputs = inputs
        self.targets = targets
        self.transform = transform
        self.batching = batching
        self.epoch = 0
        self.position = 0  # batches already delivered in this epoch
        self.seconds = 0.0  # that the training waited for batches
        self.generator = Generator()
        self._loaded = False  # a state that the next iteration continues
        batch_size, world_size = batching.batch_size, batching.world_size
        self._num_samples = len(targets) * batching.passes
        self._num_used = num_used(self._num_samples, batch_size, world_size) if batching.shuffle else len(targets)

    def __len__(self) -> int:
        """Batches in the current epoch."""
        return len(self._numbers)

    @property
    def _numbers(self) -> range:
        """The current epoch's batches, by their numbers in its order."""
        batching, num_batches = self.batching, math.ceil(self._num_used / self.batching.batch_size)
        if batching.cut.epochs == 1:
            return range(num_batches)
        return batching.cut.parts(num_batches)[batching.epoch() % batching.cut.epochs]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        parts = self._parts(self._begin_epoch())
        ahead = self.inputs if isinstance(self.inputs, Ahead) else None
        with ahead.open() if ahead else nullcontext():
            part = next(parts, None)
            while part is not None:
                self.position += 1
                begin = time.perf_counter()
                batch = self._batch(part.rows, part.batch_size, part.within)
                part = next(parts, None)
                if ahead and part:
                    ahead.expect(*self._needed(part))
                self.seconds += time.perf_counter() - begin
                yield batch

    def _parts(self, order: Tensor | None) -> Iterator[Part]:
        """Those of the epoch's batches that are not delivered yet."""
        batch_size = self.batching.batch_size
        for number in self._numbers[self.position :]:
            start = number * batch_size
            stop = min(start + batch_size, self._num_samples)
            first, last = self._shard(start, stop)
            yield Part(self._rows(order, first, last), stop - start, slice(first - start, last - start))

    def _needed(self, part: Part) -> list[Tensor | slice]:
        """The inputs that the next batch will read, to be read ahead; draws nothing from `generator`."""
        return [part.rows]

    def state_dict(self) -> LoaderState:
        """The loader's position: plain values and tensors."""
        return {"epoch": self.epoch, "position": self.position, "generator": self.generator.get_state()}

    def load_state_dict(self, state: LoaderState) -> None:
        """The next iteration continues where `state` was taken, if that is in the middle of the current epoch."""
        self.epoch = state["epoch"]
        self.position = state["position"]
        self.generator.set_state(state["generator"])
        self._loaded = True

    def _begin_epoch(self) -> Tensor | None:
        """Starts the current epoch, or continues it where a loaded state left it; returns the epoch's order.

        Lightning loads a loader's state in mid-epoch only. A run resumed after a whole epoch, and a state of another
        epoch, begin the current one from its start.
        """
        epoch, seed = self.batching.epoch(), self.batching.seed
        whole, part = divmod(epoch, self.batching.cut.epochs)
        generator = Generator().manual_seed(_mix(seed, whole))
        order = self._order(generator)
        if part:  # not the random numbers of the first one again
            generator = Generator().manual_seed(_mix(seed, -1 - epoch))
        # Before its first batch, a state's generator has not drawn the order yet.
        if not (self._loaded and self.epoch == epoch and self.position > 0):
            self.epoch, self.position, self.generator = epoch, 0, generator
        self._loaded = False
        return None if order is None else order.to(self.inputs.device)

    def _order(self, generator: Generator) -> Tensor | None:
        """The epoch's order, int64 (num_samples * passes,), of which batches are slices; None is the data's order."""
        if not self.batching.shuffle:
            return None
        return torch.cat([torch.randperm(len(self.targets), generator=generator) for _ in range(self.batching.passes)])

    def _shard(self, start: int, stop: int) -> tuple[int, int]:
        """The bounds of this process's samples in the batch from `start` to `stop`."""
        rank, world_size = self.batching.rank, self.batching.world_size
        if world_size == 1:
            return start, stop
        size = stop - start
        if self.batching.shuffle:
            size -= size % world_size
        return start + size * rank // world_size, start + size * (rank + 1) // world_size

    def _rows(self, order: Tensor | None, first: int, last: int) -> Tensor | slice:
        """What to read for the samples from `first` to `last` of the epoch."""
        return slice(first, last) if order is None else order[first:last]

    def _batch(self, rows: Tensor | slice, batch_size: int, within: slice) -> tuple[Tensor, Tensor]:
        """Inputs and targets of these rows, which are the slice `within` of a batch of `batch_size` samples."""
        inputs = self.transform(select(self.inputs, rows), self.generator, batch_size, within)
        return inputs, self._select_targets(rows)

    def _select_targets(self, rows: Tensor | slice) -> Tensor:
        if isinstance(rows, Tensor):
            rows = moved(rows, self.targets.device)
        targets = select(self.targets, rows)
        device = self.batching.device
        return targets if targets.device == device else moved(staged(targets, device), device)


def select(stored: Stored, rows: Tensor | slice) -> Tensor:
    """These rows; a slice of a tensor is a view."""
    # stored[rows] would gather a batch of MNIST in four times the time of index_select.
    return stored[rows] if isinstance(rows, slice) else stored.index_select(0, rows)


def batch_size_for(num_samples: int) -> int:
    """The smallest power of two with which an epoch has at most `MOST_STEPS` steps, in [USUAL_BATCH, LARGEST_BATCH]."""
    batch_size = USUAL_BATCH
    while batch_size < LARGEST_BATCH and num_samples > MOST_STEPS * batch_size:
        batch_size *= 2
    return batch_size


def num_used(num_samples: int, batch_size: int, world_size: int) -> int:
    """Samples that a training epoch uses: all, or all but a last batch too small for batch norm in every process."""
    rest = num_samples % batch_size
    return num_samples - rest if rest < 2 * world_size and rest < num_samples else num_samples


def _mix(seed: int, epoch: int) -> int:
    """One 63-bit number for a pair, far apart for neighboring pairs (the mixer of SplitMix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + epoch + 1) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return (z ^ (z >> 31)) >> 1
