"""Sums over a split of the data, from which a task's metrics follow.

Not torchmetrics: importing it takes about half of the 6.5 s of `import lightning` on two cores (it imports what is
installed of transformers, torchvision, scipy.signal and matplotlib), and what is needed of it is a sum. Lightning
imports it for a base class, which config/deferred.py puts off until it is used: nothing here uses it.
"""

from typing import TypedDict, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


class MetricsState(TypedDict):
    """Sums and the number of samples that they are sums over."""

    sums: dict[str, Tensor]
    num_samples: int


class Metrics:
    """Named sums over batches, exact over batches of different sizes and over processes.

    They stay on the device that trains, because reading a value waits for it. A subclass adds to them in `update`, and
    says in `from_sums` what follows from them.

    Attributes:
        sums: by name, of this process.
        num_samples: that they are sums over.
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.num_samples = 0

    def add(self, num_samples: int, **values: Tensor) -> None:
        """Adds a batch: each value to the sum of its name."""
        self.num_samples += num_samples
        for name, value in values.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def from_sums(self, sums: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
        """The metrics by name, each a scalar.

        Args:
            sums: as they were added up; not empty.
            num_samples: that they are sums over, at least 1.
        """
        raise NotImplementedError

    def local(self) -> dict[str, Tensor]:
        """The metrics of this process alone; none before the first batch."""
        return self.from_sums(self.sums, self.num_samples) if self.num_samples else {}

    def compute(self) -> dict[str, Tensor]:
        """The metrics over all processes; none where no process had a batch."""
        own = {name: value.cpu() for name, value in self.sums.items()} if in_several_processes() else self.sums
        everywhere = [each for each in all_gather((own, self.num_samples)) if each[1]]
        if not everywhere:
            return {}
        names = everywhere[0][0]
        sums = {name: _sum([each[name] for each, _ in everywhere]) for name in names}
        return self.from_sums(sums, sum(number for _, number in everywhere))

    def state(self) -> MetricsState:
        """The sums so far, for a checkpoint within an epoch."""
        return {"sums": {name: value.cpu() for name, value in self.sums.items()}, "num_samples": self.num_samples}

    def add_state(self, state: MetricsState, device: torch.device) -> None:
        """Adds the sums of a checkpoint, on the device that trains."""
        self.add(state["num_samples"], **{name: value.to(device) for name, value in state["sums"].items()})

    def reset(self) -> None:
        """Forgets all batches."""
        self.sums = {}
        self.num_samples = 0


def in_several_processes() -> bool:
    """Whether this process trains together with others."""
    return dist.is_initialized() and dist.get_world_size() > 1


def all_gather(own: T) -> list[T]:
    """What every process has, in order of their ranks; in a single process, its own."""
    if not in_several_processes():
        return [own]
    everywhere = [own] * dist.get_world_size()
    dist.all_gather_object(everywhere, own)
    return everywhere


def relative_to_mean(own: Tensor) -> Tensor | float:
    """This process's value as a multiple of the mean over all processes; in a single process, 1.

    DDP averages gradients as if all processes' losses weighed alike. A loss that is divided by a sum of weights, which
    differs between processes, is to be multiplied by this, so that the average is that of the whole batch.

    Args:
        own: a scalar above 0, on the device that trains.
    """
    if not in_several_processes():
        return 1.0
    total = own.detach().clone()
    dist.all_reduce(total)
    return own.detach() * dist.get_world_size() / total


def _sum(values: list[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(values).sum(dim=0)
