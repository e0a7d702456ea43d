"""An exponential moving average of the weights, which is what is measured and kept."""

import logging
import math
from typing import Any, ClassVar

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from litmus.callback._base import Callback
from litmus.config.types import Count, Fraction, Section
from litmus.config.validate import checked

log = logging.getLogger(__name__)

# Lightning's undocumented key of a checkpoint: the weights as trained, where `state_dict` holds their average.
TRAINED_WEIGHTS = "current_model_state"


@checked
def ema(*, decay: Fraction | None, ramp: Count) -> "EMA | None":
    """The callback; None without a decay, so that no step is spent on it."""
    return None if decay is None else EMA(decay, ramp)


class EMA(WeightAveraging, Callback):
    """After step n the average moves by `1 - decay * (1 - exp(-n / ramp))` of its distance to the weights.

    So it follows quickly at first (as in the ultralytics package). Validation, the test and the checkpoints use the
    average; `last.ckpt` holds both, so that resuming continues with the weights themselves.
    """

    def __init__(self, decay: float, ramp: int) -> None:
        def average(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor | int) -> None:
            weight = 1 - decay * (1 - math.exp(-(int(num_averaged) + 1) / ramp))
            if torch.is_floating_point(averaged[0]):  # they come by their types
                # Private: one kernel for all tensors, as torch's own averaging does.
                torch._foreach_lerp_(averaged, current, weight)
            else:
                torch._foreach_copy_(averaged, current)  # counters

        super().__init__(multi_avg_fn=average)

    affects_training: ClassVar = True
    state_key: Any = "ema"  # Lightning's own is composed anew at every hook

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the weights are still elsewhere
        super().setup(trainer, pl_module, stage)

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: Section
    ) -> None:
        """Only training continues with the weights themselves; a test is of the average."""
        if trainer.state.fn != "fit":
            return
        if TRAINED_WEIGHTS in checkpoint:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
        else:  # the first step from here makes the average of what it finds
            log.warning("callback.ema.decay is on now: the average starts at the weights of this checkpoint.")
