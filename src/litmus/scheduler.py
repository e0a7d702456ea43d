"""Learning-rate schedules: one function per choice of `scheduler=`.

Each takes the optimizer, whose rate is the schedule's highest, the number of training steps of the
whole run, and whether the monitored metric should be large ("max") or small ("min"). It returns
Lightning's description of a schedule (without the scheduler: none).
"""

import math
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from litmus.config.types import Count, Fraction, NonNegative, Section
from litmus.config.validate import checked

Mode = Literal["min", "max"]
# Their rates depend on the number of all steps: a run that is extended is not one that was as long from the start.
FOLLOWING_LENGTH = ("cosine", "one_cycle", "warmup_linear")


@checked
def none(optimizer: Optimizer, num_steps: int, mode: Mode) -> Section:
    """A constant rate."""
    return {}


@checked
def cosine(optimizer: Optimizer, num_steps: int, mode: Mode, *, final: Fraction) -> Section:
    """From the full rate to `final` times it along half a cosine (Loshchilov and Hutter 2017, eq. 5)."""

    def factor(step: int) -> float:
        progress = min(step / max(num_steps, 1), 1.0)
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    return _stepwise(LambdaLR(optimizer, factor))


@checked
def one_cycle(optimizer: Optimizer, num_steps: int, mode: Mode, *, warmup: Fraction, initial: Fraction) -> Section:
    """Up from `initial` times the rate over the first `warmup` of the steps, then down to nothing.

    (Smith and Topin 2018, with half cosines for both ways.) Momentum stays as it is: only the rate moves.
    """
    rise = round(warmup * num_steps)

    def factor(step: int) -> float:
        if step < rise:
            return initial + (1 - initial) * 0.5 * (1 - math.cos(math.pi * step / rise))
        progress = min((step - rise) / max(num_steps - rise, 1), 1.0)
        return 0.5 * (1 + math.cos(math.pi * progress))

    return _stepwise(LambdaLR(optimizer, factor))


@checked
def plateau(optimizer: Optimizer, num_steps: int, mode: Mode, *, factor: Fraction, patience: Count) -> Section:
    """Multiplies the rate by `factor` after `patience` epochs without a better monitored metric."""
    scheduler = ReduceLROnPlateau(optimizer, mode, factor, patience - 1)  # torch counts the epochs that it bears
    return {"scheduler": scheduler, "interval": "epoch"}


@checked
def warmup_linear(optimizer: Optimizer, num_steps: int, mode: Mode, *, warmup: Fraction, final: NonNegative) -> Section:
    """Linearly up over the first `warmup` of the steps, then linearly down to `final` times the rate."""
    rise = round(warmup * num_steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 1 - (1 - final) * min((step - rise) / max(num_steps - rise, 1), 1.0)

    return _stepwise(LambdaLR(optimizer, factor))


def _stepwise(scheduler: LRScheduler) -> Section:
    return {"scheduler": scheduler, "interval": "step"}
