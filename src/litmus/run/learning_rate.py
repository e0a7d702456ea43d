"""The learning-rate range test (Smith 2017, sec. 3.3): a short training in which the rate grows from step to step.

Smith's rate grows linearly; here it grows exponentially, as in fastai (Gugger 2018), so that each decade has as many
steps. The network begins with fresh weights, and is thrown away.
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import lightning.pytorch as lightning
import numpy as np
from numpy.typing import NDArray
from torch.optim import Optimizer

from litmus.config.launch import alone
from litmus.config.protocols import Data
from litmus.config.types import Section
from litmus.errors import Diverged, Interrupted, UserError
from litmus.record.folder import RunDir
from litmus.record.signals import Noted
from litmus.run import batch_size, memory
from litmus.run.build import assemble, for_testing, hardware_for, resolve

Floats = NDArray[np.float64]

LEAST_STEPS, MOST_STEPS = 100, 500  # between these, as many as an epoch has
MORE = 4  # times as many, where no fall is to be seen in these: texts need some hundred steps at a good rate
TOO_MUCH = 4.0  # times the lowest loss is where a test ends (fastai), if that is above the first loss
RECENT = 5  # losses, of which the mean is compared with it
WIDTH = 1 / 40  # of all steps: the standard deviation of the weights with which the curve is smoothed
BEGINNING = 1 / 5  # of the steps up to the lowest loss
SURE = 4.0  # standard errors by which the lowest loss lies below the beginning's: it is the lowest of some 20 means
LEAST_FALL = 0.01  # of the beginning's loss
SHARE = 3.0  # see `RangeTest.suggestion`


@dataclass(frozen=True)
class RangeTest:
    """What came of a test.

    Attributes:
        rates: of the steps that were made, rising: float64 (steps,).
        losses: of the batch after each step, the first that the step had a part in; at most `highest`.
        smoothed: the same, each a mean of its neighbours.
        first: the loss before any step.
        highest: the loss at which a test ends.
        ended_early: whether this one did, before the highest rate.
    """

    rates: Floats
    losses: Floats
    smoothed: Floats
    first: float
    highest: float
    ended_early: bool

    @property
    def lowest(self) -> int:
        """The step after which the smoothed loss is lowest."""
        return int(self.smoothed.argmin())

    @property
    def falls(self) -> bool:
        """Whether the loss falls by more than chance."""
        if self.lowest < 2:
            return False
        begin = [self.first, *self.losses[: int(BEGINNING * self.lowest)]]
        noise = float((self.losses - self.smoothed)[: self.lowest].std())
        averaged = 2 * math.sqrt(math.pi) * _width(len(self.rates))  # losses that a smoothed one is worth
        error = noise * math.sqrt(1 / len(begin) + 1 / averaged)
        before = sum(begin) / len(begin)
        return before - float(self.smoothed[self.lowest]) > max(SURE * error, LEAST_FALL * before)

    @property
    def still_falls(self) -> bool:
        """Whether the lowest loss is that of the highest rate."""
        return not self.ended_early and self.lowest >= len(self.rates) - 1 - 2 * _width(len(self.rates))

    @property
    def suggestion(self) -> float | None:
        """A third of the rate at which the loss stops falling, to two digits; None where it does not fall.

        That is Smith's rule for the lower end of a cycle; the schedules here take a rate as their highest, and a
        constant one is safe there, too. The steepest descent and the middle of the longest valley (fastai), which lie
        lower, find the rate at which the confidence of the first weights vanishes: a tenth or less of one that trains
        well, for a CNN on digits. So does a tenth of the rate at the lowest loss, in short trainings.
        """
        return float(f"{self.rates[self.lowest] / SHARE:.1e}") if self.falls else None


def range_test(
    config: Section,
    data: Data,
    lowest: float,
    highest: float,
    steps: int | None,
    advance: Callable[[float], object] = lambda _: None,
) -> RangeTest:
    """Tests the network of a configuration; writes nothing that stays.

    The rate is `optimizer.lr`: what learns at a fraction of it does so here, too. Schedule and callbacks are left out.

    Args:
        config: of the run.
        data: prepared.
        lowest: the rate of the first step.
        highest: that of the last.
        steps: how many; None for as many as an epoch has, but at least 100 and at most 500, and once more with four
            times as many where the loss does not fall in these.
        advance: called after each with the fraction that is done.

    Raises:
        UserError: network, data and device do not fit together, or into memory; the first loss is no number.
        KeyboardInterrupt: a signal stopped it.
    """
    config = resolve({**config, "trainer": alone(config["trainer"])}, data)
    if config["data"].get("batch_size") == "auto":
        config["data"]["batch_size"] = data.batch_size = batch_size.find(config, data, hardware_for(config))
    if steps is not None:
        return _once(config, data, np.geomspace(lowest, highest, steps), advance)
    steps = min(max(data.num_batches // config["trainer"]["accumulate_grad_batches"], LEAST_STEPS), MOST_STEPS)
    test = _once(config, data, np.geomspace(lowest, highest, steps), advance)
    return test if test.falls else _once(config, data, np.geomspace(lowest, highest, MORE * steps), advance)


def _once(config: Section, data: Data, rates: Floats, advance: Callable[[float], object]) -> RangeTest:
    quiet = for_testing({**config, "scheduler": {"_target_": "litmus.scheduler.none"}})
    # Each epoch has a step, and the loss after the last step is that of one more.
    quiet["trainer"] |= {"max_epochs": len(rates) + 1, "max_steps": None, "max_time": None}
    quiet["trainer"] |= {"val_check_interval": None, "on_divergence": "stop", "detect_anomaly": False, "compile": False}
    rising = _Rising(rates, config["optimizer"]["lr"], advance)
    try:
        with tempfile.TemporaryDirectory(prefix="litmus-lr-") as folder:
            parts = assemble(RunDir(folder), quiet, data, callbacks=[rising])
            memory.check(quiet, parts.net, data.sizes["train"], hardware_for(quiet))
            parts.trainer.limit_val_batches = 0
            rising.noted.start()
            parts.trainer.fit(parts.task, datamodule=cast(lightning.LightningDataModule, data))
    except Diverged:
        rising.losses.append(math.inf)
    except Interrupted:
        raise KeyboardInterrupt from None
    except Exception as error:
        raise memory.explained(error, config, training=True) from None
    finally:
        rising.noted.stop()
    if not math.isfinite(rising.losses[0]):
        raise UserError("The loss is no number before the first step, so no learning rate can help.")
    return read(rates, rising.losses)


def read(rates: Floats, losses: Sequence[float]) -> RangeTest:
    """What the losses of a test say.

    Args:
        rates: of all steps: float64 (steps,).
        losses: before the first step, and after each that was made, of which the last may be no number.
    """
    limit = _limit(min(_recent(losses[: number + 1]) for number in range(len(losses))), losses[0])
    after = np.minimum(np.nan_to_num(np.array(losses[1:]), nan=limit), limit)
    made = rates[: len(after)]
    return RangeTest(made, after, smooth(after, _width(len(rates))), losses[0], limit, len(made) < len(rates))


def smooth(values: Floats, width: float) -> Floats:
    """Means of neighbours, weighed by a normal distribution: float64 (steps,).

    Args:
        values: float64 (steps,).
        width: its standard deviation, in steps.
    """
    steps = np.arange(len(values))
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / width) ** 2)
    smoothed: Floats = weights @ values / weights.sum(axis=1)
    return smoothed


def _width(steps: int) -> float:
    return max(1.0, WIDTH * steps)


def _recent(losses: Sequence[float]) -> float:
    """The mean of the last losses."""
    last = losses[-RECENT:]
    return sum(last) / len(last)


def _limit(best: float, first: float) -> float:
    """The mean of the last losses at which a test ends."""
    return max(TOO_MUCH * best, first)


class _Rising(lightning.Callback):
    """Sets the rate of each step, and notes the loss before it; ends the training when that has grown too much.

    Args:
        rates: of the steps, float64 (steps,).
        configured: the rate in the configuration, of which those of the groups are fractions.
        advance: called after each step with the fraction that is done.

    Attributes:
        losses: before each step, means over the batches whose gradients it takes.
        noted: a signal that was received ends the training, too.
    """

    def __init__(self, rates: Floats, configured: float, advance: Callable[[float], object]) -> None:
        self.rates, self.configured, self.advance = rates, configured, advance
        self.losses: list[float] = []
        self.noted = Noted()
        self._batches: list[float] = []  # losses since the last step
        self._scales: list[float] = []  # of the groups
        self._best = math.inf

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        (optimizer,) = trainer.optimizers
        self._scales = [group["lr"] / self.configured for group in optimizer.param_groups]

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: Optimizer
    ) -> None:
        rate = float(self.rates[min(len(self.losses), len(self.rates) - 1)])
        for group, scale in zip(optimizer.param_groups, self._scales, strict=True):
            group["lr"] = rate * scale

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._batches.append(float(outputs["loss"]))
        if trainer.global_step > len(self.losses):  # these gradients were complete
            self.losses.append(sum(self._batches) / len(self._batches))
            self._batches.clear()
            self.advance(len(self.losses) / (len(self.rates) + 1))
            self._best = min(self._best, recent := _recent(self.losses))
            has_grown = recent > _limit(self._best, self.losses[0])
            trainer.should_stop = has_grown or len(self.losses) > len(self.rates)
        if self.noted.received is not None:
            raise Interrupted(self.noted.received)
