"""Stopping when nothing gets better."""

from typing import ClassVar

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from litmus.callback._base import Callback, task_of
from litmus.config.types import Count, NonNegative, Section
from litmus.config.validate import checked


@checked
def early_stopping(*, patience: Count | None, min_delta: NonNegative) -> "EarlyStopping | None":
    """The callback; None without a patience, so that nothing could stop a run by mistake."""
    return None if patience is None else EarlyStopping(patience, min_delta)


class EarlyStopping(LightningEarlyStopping, Callback):
    """Stops after `patience` epochs in which the task's monitored metric did not improve by `min_delta`."""

    affects_training: ClassVar = True
    state_key = "early_stopping"  # Lightning's own is composed anew at every hook

    def __init__(self, patience: int, min_delta: float) -> None:
        super().__init__(monitor="", patience=patience, min_delta=min_delta)

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.monitor, self.mode = task_of(pl_module).monitor, task_of(pl_module).mode
        self.min_delta = abs(self.min_delta) * (1 if self.mode == "max" else -1)
        self.best_score = torch.tensor(float("-inf") if self.mode == "max" else float("inf"))
        super().setup(trainer, pl_module, stage)

    def load_state_dict(self, state_dict: Section) -> None:
        """Continues counting; how long to wait is what the configuration says now."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A run that had stopped, and was killed before its test, has stopped."""
        diverged = self.stopping_reason is EarlyStoppingReason.NON_FINITE_METRIC
        if diverged or self.wait_count >= self.patience:
            trainer.should_stop = True
