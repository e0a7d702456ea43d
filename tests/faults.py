"""Callbacks that disturb a run, or watch it: `train(..., watching=[Fault(kill(signal.SIGINT), epoch=2)])`."""

import os
import signal
from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning

Action = Callable[[lightning.Trainer, Any], object]


class Fault(lightning.Callback):
    """Calls `action(trainer, task)` once: when an epoch starts, or after one of its training batches.

    Args:
        action: what goes wrong, such as `fail(...)` or `kill(...)`.
        epoch: the number of the epoch, from 0.
        batch: the number of the batch, from 0; None is the epoch's start.
    """

    def __init__(self, action: Action, epoch: int, batch: int | None = None) -> None:
        self.action = action
        self.epoch = epoch
        self.batch = batch

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._act(trainer, pl_module, None)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._act(trainer, pl_module, batch_idx)

    def _act(self, trainer: lightning.Trainer, task: Any, batch: int | None) -> None:
        if (trainer.current_epoch, batch) == (self.epoch, self.batch):
            self.action(trainer, task)


class Boom(Exception):
    """Raised by `fail`."""


def fail(message: str) -> Action:
    """Raises `Boom` with that message."""

    def act(trainer: lightning.Trainer, task: Any) -> None:
        raise Boom(message)

    return act


def kill(number: signal.Signals) -> Action:
    """Sends this process a signal."""
    return lambda trainer, task: os.kill(os.getpid(), number)


class Watch(lightning.Callback):
    """Notes which epochs a run trains, and how many samples it tests.

    Attributes:
        epochs: their numbers, from 0.
        num_tested: samples, counted again when they are tested again.
    """

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.num_tested = 0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.epochs.append(trainer.current_epoch)

    def on_test_batch_end(self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        self.num_tested += len(batch[1])
