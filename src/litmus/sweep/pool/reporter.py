"""How a run reports to its sweep: every epoch, after which the sweep may prune it."""

from typing import Protocol, cast

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Checkpoint

from litmus.config.protocols import Task
from litmus.errors import Pruned


class Launcher(Protocol):
    """The launcher of a sweep, as a run sees it."""

    def report(self, **message: object) -> bool:
        """Sends a message, which JSON can hold; after one about an epoch, True means that the run is pruned."""


class RunReporter(Checkpoint):
    """Reports the first step and every epoch of a run, after its checkpoint is written.

    Lightning calls callbacks that are a `Checkpoint` last, and this one as the last of those: a run that is pruned
    keeps its epoch.
    """

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self._has_started = False

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: object, **kwargs: object) -> None:
        if not self._has_started:
            self._has_started = True
            self.launcher.report(first_step=True, epochs=trainer.max_epochs, after=trainer.current_epoch)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Reports the epoch's metrics to the search.

        Raises:
            Pruned: the search stops this run.
        """
        task = cast(Task, pl_module)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.launcher.report(
            epoch=trainer.current_epoch + 1, epochs=trainer.max_epochs, metrics=metrics, monitor=task.monitor
        ):
            raise Pruned(f"pruned after epoch {trainer.current_epoch + 1} of {trainer.max_epochs}")
