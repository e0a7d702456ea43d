"""Stopping when nothing gets better."""

from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from litmus.check import Count, NonNegative, checked


class EarlyStopping(LightningEarlyStopping):
    """Stops after `patience` epochs in which the task's monitored metric did not improve; null never stops."""

    state_key = "early_stopping"  # Lightning's own is put together anew at every hook

    @checked
    def __init__(self, *, patience: Count | None, min_delta: NonNegative) -> None:
        self.enabled = patience is not None
        super().__init__(monitor="", patience=patience or 0, min_delta=min_delta)

    def setup(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        self.monitor, self.mode = pl_module.monitor, pl_module.mode
        self.min_delta = abs(self.min_delta) * (1 if self.mode == "max" else -1)
        self.best_score = torch.tensor(float("-inf") if self.mode == "max" else float("inf"))
        super().setup(trainer, pl_module, stage)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on counting; how long to wait is what is asked for now."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """A run that had stopped, and was killed before its test, has stopped."""
        diverged = self.stopping_reason is EarlyStoppingReason.NON_FINITE_METRIC
        if self.enabled and (diverged or self.wait_count >= self.patience):
            trainer.should_stop = True

    def _should_skip_check(self, trainer: lightning.Trainer) -> bool:
        return not self.enabled or super()._should_skip_check(trainer)
