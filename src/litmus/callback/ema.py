"""An exponential moving average of the weights, which is what is measured and kept."""

import logging
import math
from itertools import chain, compress
from typing import Any, ClassVar

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import nn
from torch.optim.swa_utils import AveragedModel

from litmus.callback._base import Callback
from litmus.config.types import Count, Fraction, Section
from litmus.config.validate import checked
from litmus.parallel.sharding import Sharding, own_part, shard_copy

log = logging.getLogger(__name__)

# Lightning's undocumented key of a checkpoint: the weights as trained, where `state_dict` holds their average.
TRAINED_WEIGHTS = "current_model_state"


@checked
def ema(*, decay: Fraction | None, ramp: Count) -> "EMA | None":
    """The callback; None without a decay, so that no step is spent on it."""
    return None if decay is None else EMA(decay, ramp)


class _Average(AveragedModel):
    """The average; no step of it waits for the device, as torch's own does, whose counter lies there."""

    def __init__(self, model: nn.Module, device: torch.device, decay: float, ramp: int) -> None:
        super().__init__(model, device, use_buffers=True)
        self.n_averaged = self.n_averaged.cpu()
        self.decay = decay
        self.ramp = ramp

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        num_averaged = int(self.n_averaged)
        self.n_averaged += 1
        weight = 1 - self.decay * (1 - math.exp(-(num_averaged + 1) / self.ramp))
        averaged, current = (
            [own_part(each) for each in chain(own.parameters(), own.buffers())] for own in (self.module, model)
        )
        # Others, such as counters, are copied; so is everything at first.
        lerped = [own.is_floating_point() and num_averaged > 0 for own in averaged]
        copied = [not own for own in lerped]
        # Private: one kernel for all tensors, as torch's own averaging does.
        if any(lerped):
            torch._foreach_lerp_(list(compress(averaged, lerped)), list(compress(current, lerped)), weight)
        if any(copied):
            torch._foreach_copy_(list(compress(averaged, copied)), list(compress(current, copied)))


class EMA(WeightAveraging, Callback):
    """After step n the average moves by `1 - decay * (1 - exp(-n / ramp))` of its distance to the weights.

    So it follows quickly at first (as in the ultralytics package). Validation, the test and the checkpoints use the
    average; `last.ckpt` holds both, so that resuming continues with the weights themselves.
    """

    def __init__(self, decay: float, ramp: int) -> None:
        super().__init__()
        self.decay = decay
        self.ramp = ramp

    affects_training: ClassVar = True
    state_key: Any = "ema"  # Lightning's own is composed anew at every hook

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage == "fit":
            # The weights are still elsewhere. An average in shards is made of them on the CPU.
            is_sharded = isinstance(trainer.strategy, Sharding)
            device = torch.device("cpu") if is_sharded else trainer.strategy.root_device
            self._average_model = _Average(pl_module, device, self.decay, self.ramp)

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if isinstance(trainer.strategy, Sharding):
            assert self._average_model is not None
            shard_copy(self._average_model.module, pl_module)

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
