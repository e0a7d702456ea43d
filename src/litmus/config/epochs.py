"""How many epochs a training has: those of `trainer.max_epochs`, or as many parts of each as are validated."""

import math
from dataclasses import dataclass
from itertools import pairwise

from litmus.config.types import Section


@dataclass(frozen=True)
class Cut:
    """How the batches of a pass over the training data are cut into epochs: see `trainer.val_check_interval`.

    Attributes:
        epochs: of a pass.
        limit: batches of a pass that are used at most.
        per_step: batches whose gradients make one step, which is never cut.
    """

    epochs: int = 1
    limit: int | None = None
    per_step: int = 1

    def num_steps(self, num_batches: int) -> int:
        """Of a pass of so many batches: a cut has at most as many epochs."""
        return math.ceil(self._used(num_batches) / self.per_step)

    def parts(self, num_batches: int) -> list[range]:
        """The batches of each epoch, by their numbers: as many steps in each, or one more."""
        used, steps = self._used(num_batches), self.num_steps(num_batches)
        ends = [min(used, steps * part // self.epochs * self.per_step) for part in range(self.epochs + 1)]
        return [range(first, last) for first, last in pairwise(ends)]

    def _used(self, num_batches: int) -> int:
        return num_batches if self.limit is None else min(num_batches, self.limit)


def cut_of(trainer: Section) -> Cut:
    """The cut that the section of the configuration asks for, resolved."""
    return Cut(epochs_per_pass(trainer), trainer["limit_batches"], trainer["accumulate_grad_batches"])


def epochs_per_pass(trainer: Section) -> int:
    """How many epochs make a pass over the training data.

    An epoch ends with a validation, and with what follows one: a row of metrics, a checkpoint, early stopping. So
    `trainer.val_check_interval` cuts a pass into several.

    Args:
        trainer: the section of the configuration, resolved: the interval is a fraction.
    """
    interval: float | None = trainer["val_check_interval"]
    return 1 if interval is None else max(1, round(1 / interval))


def num_epochs(trainer: Section) -> int:
    """Of a whole training. `trainer.max_epochs` counts passes."""
    passes: int = trainer["max_epochs"]
    return passes * epochs_per_pass(trainer)


def passes_for(epochs: int, trainer: Section) -> int:
    """The `trainer.max_epochs` of so many epochs at least."""
    return -(-epochs // epochs_per_pass(trainer))
