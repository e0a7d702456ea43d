"""The state of every random generator, in every checkpoint."""

import logging
import random
from typing import Any, ClassVar

import lightning.pytorch as lightning
import numpy as np
import torch
import torch.distributed as dist

from litmus.callback._base import Callback
from litmus.config.types import Section
from litmus.config.validate import checked

log = logging.getLogger(__name__)


class RandomState(Callback):
    """Python's, NumPy's and torch's generators (each GPU's too) continue after a resumption as if nothing had happened.

    Lightning's checkpoints do not hold them. What is drawn from them is dropout: the loader has a generator of its own,
    which its state holds. Under DDP every process draws its own numbers, and finds its own generators again.
    """

    affects_training: ClassVar = False
    needed: ClassVar = True
    state_key = "random_state"  # Lightning's own is composed anew at every hook

    @checked
    def __init__(self) -> None:
        self._loaded: list[Section] | None = None

    def state_dict(self) -> Section:
        """Plain values and tensors, of every process."""
        states = [_state()]
        if dist.is_initialized() and dist.get_world_size() > 1:
            states *= dist.get_world_size()
            dist.all_gather_object(states, states[0])
        return {"processes": states}

    def load_state_dict(self, state_dict: Section) -> None:
        self._loaded = state_dict["processes"]

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._continue(trainer)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._continue(trainer)  # within an epoch, its start is not repeated

    def _continue(self, trainer: lightning.Trainer) -> None:
        # Not when it is loaded: what comes in between draws numbers, too.
        states, self._loaded = self._loaded, None
        if states is None:
            return
        if len(states) == trainer.world_size:
            _restore(states[trainer.global_rank])
        else:
            log.warning("Dropout continues with new random numbers: the run had %d processes before.", len(states))


def _state() -> Section:
    version, internal, gauss = random.getstate()
    legacy: Any = np.random.get_state(legacy=True)
    _, keys, position, has_gauss, cached = legacy
    return {
        "python": [version, list(internal), gauss],
        "numpy": [torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def _restore(state: Section) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])
