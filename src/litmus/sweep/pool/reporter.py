"""A sweep's eyes in a run: every epoch is told, and a run may be told to stop."""

from typing import Any, Protocol

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Checkpoint

from litmus.errors import Pruned


class Listener(Protocol):
    """Who is told."""

    def tell(self, **message: Any) -> bool:
        """Takes a message; after one of an epoch, True ends the run."""


class Reporter(Checkpoint):
    """Tells a listener of the first step and of every epoch, when its checkpoint is written.

    A `Checkpoint` to Lightning, and the last of them: a run that is pruned keeps its epoch.
    """

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self._begun = False

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        if not self._begun:
            self._begun = True
            self.listener.tell(first_step=True, epochs=trainer.max_epochs, after=trainer.current_epoch)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.listener.tell(
            epoch=trainer.current_epoch + 1, epochs=trainer.max_epochs, metrics=metrics, monitor=pl_module.monitor
        ):
            raise Pruned(f"pruned after epoch {trainer.current_epoch + 1} of {trainer.max_epochs}")
