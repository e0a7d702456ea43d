"""`trainer.max_steps` and `trainer.max_time` end a training, within an epoch if need be; and how long each epoch is."""

import logging
import math
import time
from typing import Any, cast

import lightning.pytorch as lightning

from litmus import console
from litmus.callback.checkpoint import callbacks_of, epochs_done, is_step, is_within_epoch
from litmus.config.protocols import Data, Task
from litmus.config.types import Duration, Section
from litmus.errors import UserError
from litmus.record.folder import RunDir

log = logging.getLogger(__name__)

SYNCED_EVERY = 10  # steps after which several processes agree that the time is over
SECONDS = (1, 60, 60 * 60, 24 * 60 * 60)  # of the fields of a time, from the last


def seconds(max_time: Duration) -> float:
    """What `trainer.max_time` means, in seconds: a number of them, or `DD:HH:MM:SS` from its first field above 0."""
    if not isinstance(max_time, str):
        return max_time
    return float(sum(int(field) * unit for field, unit in zip(reversed(max_time.split(":")), SECONDS, strict=False)))


class Limits(lightning.Callback):
    """Ends a training at a step or after a time; the epoch under way is validated, and counts as one.

    Lightning's own `max_steps` ends one without a validation, and its `max_time` is read on the clock of each process.

    Args:
        trainer: the section of the configuration.
        data: of the run, whose epochs may differ by a batch: see `trainer.val_check_interval`.
    """

    state_key = "limits"  # Lightning's own is composed anew at every hook

    def __init__(self, trainer: Section, data: Data) -> None:
        self.data = data
        self.max_steps: int | None = trainer["max_steps"]
        self.max_time = trainer["max_time"]
        self._passes: int = trainer["max_epochs"]
        self._limit_s = math.inf if self.max_time is None else seconds(self.max_time)
        self._before_s = 0.0  # trained by earlier processes
        self._begin = 0.0
        self._max_epochs = 1
        self._has_warned = False

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Lets the schedule know how many steps there are to be."""
        cast(Task, pl_module).max_steps = self.max_steps
        self._max_epochs = trainer.max_epochs or 1

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begins to count. A training whose time was over, and that was stopped in its test, does not go on.

        Raises:
            UserError: the time is over, and the run finished.
        """
        is_within = is_within_epoch(trainer)
        if self._before_s >= self._limit_s and not is_within:
            run = RunDir(trainer.default_root_dir)
            if (run.read_result() or {}).get("status") == "finished":
                raise UserError(
                    f"{run.path} has already been trained for {self._before_s:,.0f} s. Add a longer trainer.max_time "
                    f"than {self.max_time}, or trainer.max_time=null, to train on."
                )
            trainer.should_stop = True
        self._begin = time.monotonic()
        self._set_length(trainer)
        begun = trainer.fit_loop.epoch_loop.batch_progress.current.ready if is_within else 0
        self._plan(trainer, epochs_done(trainer), begun // trainer.accumulate_grad_batches)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._set_length(trainer)

    def _set_length(self, trainer: lightning.Trainer) -> None:
        """Tells Lightning, which takes all epochs to be as long as the first, of the current one's length."""
        lengths = self.data.epoch_lengths
        if len(lengths) > 1:
            trainer.fit_loop.max_batches = trainer.val_check_batch = lengths[trainer.current_epoch % len(lengths)]

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._plan(trainer, trainer.current_epoch + 1, 0)  # steps may have been skipped

    def _plan(self, trainer: lightning.Trainer, done: int, begun: int) -> None:
        """Lets others know how many epochs there are to be.

        Args:
            trainer: of the run.
            done: whole epochs so far.
            begun: steps of the one under way.
        """
        if self.max_steps is None:
            return
        steps = [math.ceil(length / trainer.accumulate_grad_batches) for length in self.data.epoch_lengths]
        passes, missing = divmod(begun + self.max_steps - trainer.global_step, sum(steps))
        wanted = done + passes * len(steps)
        while missing > 0:
            missing -= steps[wanted % len(steps)]
            wanted += 1
        trainer.fit_loop.max_epochs = min(wanted, self._max_epochs)
        if wanted > self._max_epochs and not self._has_warned:
            self._has_warned = True
            log.warning(
                "trainer.max_epochs=%d ends the training before trainer.max_steps=%d.", self._passes, self.max_steps
            )

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.max_steps is not None and trainer.global_step >= self.max_steps:
            trainer.should_stop = True
        elif self._limit_s == math.inf or not is_step(trainer, batch_idx):
            return
        elif self._is_over(trainer) and not trainer.should_stop:  # which all processes have to ask
            trainer.should_stop = True
            if trainer.is_global_zero:
                epoch = f"in epoch {trainer.current_epoch + 1:,} of {trainer.max_epochs:,}"
                over = f"trainer.max_time={self.max_time} is over after step {trainer.global_step:,}, {epoch}"
                console.say(f"{over}; a schedule ends with the last epoch alone", wrap=True)

    def _is_over(self, trainer: lightning.Trainer) -> bool:
        is_over = self.trained_s() >= self._limit_s
        if trainer.world_size == 1:
            return is_over
        # The first process decides for all: their clocks differ.
        return trainer.global_step % SYNCED_EVERY == 0 and bool(trainer.strategy.broadcast(is_over))

    def left_s(self) -> float:
        """Seconds that `trainer.max_time` leaves; inf without it."""
        return self._limit_s - self.trained_s()

    def count_on(self, other: "Limits") -> None:
        """Counts what another training of the run has taken, which is taken back: the time is over when it is."""
        self._before_s = other.trained_s()

    def leave_out(self, seconds: float) -> None:
        """Does not count what has just been done for that long: it trained nothing."""
        if self._begin:
            self._begin += seconds

    def trained_s(self) -> float:
        """Seconds that the run has trained, in all processes one after another."""
        return self._before_s + (time.monotonic() - self._begin if self._begin else 0.0)

    def state_dict(self) -> Section:
        return {"seconds": self.trained_s()}

    def load_state_dict(self, state_dict: Section) -> None:
        self._before_s = max(self._before_s, state_dict["seconds"])


def limits_of(trainer: lightning.Trainer) -> Limits:
    """The one of a trainer."""
    return next(each for each in callbacks_of(trainer) if isinstance(each, Limits))
