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

    Where the run trained on another kind of device before, that cannot be, and is said.

    Lightning's checkpoints do not hold them. What is drawn from them is dropout: the loader has a generator of its own,
    which its state holds. Under DDP every process draws its own numbers, and finds its own generators again.
    """

    affects_training: ClassVar = False
    needed: ClassVar = True
    state_key = "random_state"  # Lightning's own is composed anew at every hook

    @checked
    def __init__(self) -> None:
        self._loaded: list[Section] | None = None
        self._device: str | None = None  # that trains
        self._device_before: str | None = None

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device.type

    def state_dict(self) -> Section:
        """Plain values and tensors, of every process."""
        states = [_state()]
        if dist.is_initialized() and dist.get_world_size() > 1:
            states *= dist.get_world_size()
            dist.all_gather_object(states, states[0])
        return {"processes": states, "device": self._device}

    def load_state_dict(self, state_dict: Section) -> None:
        self._loaded = state_dict["processes"]
        self._device_before = state_dict.get("device")  # earlier versions did not keep it

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
        if len(states) != trainer.world_size:
            log.warning("Dropout continues with new random numbers: the run had %d processes before.", len(states))
            return
        own, device = states[trainer.global_rank], trainer.strategy.root_device
        _restore(own, device)
        before = self._device_before or device.type
        if before != device.type or not _has_state(own, device):
            was = f" It trained on {before} before." if before != device.type else ""
            log.warning("Dropout continues with new random numbers: the checkpoint has none of %s.%s", device, was)


def _state() -> Section:
    version, internal, gauss = random.getstate()
    legacy: Any = np.random.get_state(legacy=True)
    _, keys, position, has_gauss, cached = legacy
    return {
        "python": [version, list(internal), gauss],
        "numpy": [torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def _restore(state: Section, device: torch.device) -> None:
    """Continues with these states: the processor's, and those of the device that trains."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    if device.type == "cuda":
        for number, each in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(each.cpu(), number)
    if device.type == "mps" and state.get("mps") is not None:  # earlier versions did not keep it
        torch.mps.set_rng_state(state["mps"].cpu())


def _has_state(state: Section, device: torch.device) -> bool:
    """Whether it holds the state of that device's generator."""
    if device.type == "cuda":
        return len(state["cuda"]) > (device.index or 0)
    return device.type != "mps" or state.get("mps") is not None
