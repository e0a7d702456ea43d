"""Batches as slices of one tensor: shuffled, sharded over processes, and resumable."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Generator, Tensor

# Turns stored inputs into what a network receives. They are the given rows of a batch of the given size:
# random numbers are drawn for the whole batch, so that they do not depend on the number of processes.
Transform = Callable[[Tensor, Generator, int, slice], Tensor]


def as_stored(inputs: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:  # noqa: ARG001  # a Transform
    """The transform that does nothing."""
    return inputs


class BatchLoader:
    """Iterates over (inputs, targets) in batches.

    The samples lie in one tensor, on the device that trains, so a batch is one gather; a loader that
    handles samples one by one takes about fifteen times longer for a small network.

    An epoch's order depends on `seed` and the epoch's number alone. Under DDP every process draws the
    same order, and takes its own slice of each batch, so that a step sees the same samples whatever
    the number of processes. A last training batch that does not divide loses the remainder (fewer
    samples than there are processes), because DDP averages gradients as if all shares were equal; one
    that has fewer than two samples for each process is left out, because batch norm cannot use it.
    Every epoch leaves out others.

    Args:
        inputs: (num_samples, ...) of any dtype.
        targets: (num_samples, ...).
        batch_size: samples per step, over all processes together.
        transform: from stored inputs to the network's.
        seed: of the order and of the transform's random numbers.
        shuffle: whether the order changes; a training loader's does.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        inputs: Any,
        targets: Tensor,
        *,
        batch_size: int,
        transform: Transform,
        seed: int,
        shuffle: bool,
        rank: int,
        world_size: int,
    ) -> None:
        self.inputs = inputs
        self.targets = targets
        self.batch_size = batch_size
        self.transform = transform
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.position = 0  # batches already given out in this epoch
        self.generator = Generator()
        self._loaded = False
        self._num_used = num_used(len(targets), batch_size, world_size) if shuffle else len(targets)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return math.ceil(self._num_used / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = self._begin()
        for start in range(self.position * self.batch_size, self._num_used, self.batch_size):
            self.position += 1
            yield self._batch(order, start)

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is that epoch, from its beginning, or from where a state that was loaded had left it.

        Lightning loads a loader's state only in mid-epoch: a run that goes on after a whole one would otherwise begin
        with the order of the first.
        """
        if not (self._loaded and self.epoch == epoch):
            self.epoch, self.position, self._loaded = epoch, 0, False

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: plain values and tensors."""
        return {"epoch": self.epoch, "position": self.position, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next iteration continues where `state` was taken: in mid-epoch, or with the next epoch."""
        self.epoch = state["epoch"]
        self.position = state["position"]
        self.generator.set_state(state["generator"])
        self._loaded = True

    def _begin(self) -> Tensor | None:
        """Starts an epoch, or goes on with the one that was loaded; gives the epoch's order."""
        fresh = not self._loaded or self.position in (0, len(self))
        if fresh and self.position > 0:
            self.epoch += 1
            self.position = 0
        self._loaded = False
        generator = Generator().manual_seed(_mixed(self.seed, self.epoch))
        order = self._order(generator)
        if fresh:
            self.generator = generator
        return None if order is None else order.to(self.inputs.device)

    def _order(self, generator: Generator) -> Tensor | None:
        """In which the samples come, of which batches are slices; None is the order in which they lie."""
        return torch.randperm(len(self.targets), generator=generator) if self.shuffle else None

    def _take(self, rows: Tensor | slice) -> Tensor:
        """The stored inputs of these samples."""
        return select(self.inputs, rows)

    def _batch(self, order: Tensor | None, start: int) -> tuple[Tensor, Tensor]:
        stop = min(start + self.batch_size, len(self.targets))
        first, last = start, stop
        if self.world_size > 1:
            first, last = self._shard(start, stop)
        rows = slice(first, last) if order is None else order[first:last]
        return self._given(rows, stop - start, slice(first - start, last - start))

    def _given(self, rows: Tensor | slice, batch_size: int, within: slice) -> tuple[Tensor, Tensor]:
        """The samples of these rows, which are `within` a batch of that size."""
        return self.transform(self._take(rows), self.generator, batch_size, within), select(self.targets, rows)

    def _shard(self, start: int, stop: int) -> tuple[int, int]:
        size = stop - start
        if self.shuffle:
            size -= size % self.world_size
        bounds = [start + size * i // self.world_size for i in (self.rank, self.rank + 1)]
        return bounds[0], bounds[1]


def select(stored: Any, rows: Tensor | slice) -> Tensor:
    """These rows of a tensor, or of what can be indexed like one."""
    return stored[rows] if isinstance(rows, slice) else stored.index_select(0, rows)


def num_used(num_samples: int, batch_size: int, world_size: int) -> int:
    """How many of the samples a training epoch uses: all, or all but a last batch too small for anything."""
    rest = num_samples % batch_size
    return num_samples - rest if rest < 2 * world_size and rest < num_samples else num_samples


def _mixed(seed: int, epoch: int) -> int:
    """One 63-bit number for a pair, far apart for neighbouring pairs (the mixer of SplitMix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + epoch + 1) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return (z ^ (z >> 31)) >> 1
