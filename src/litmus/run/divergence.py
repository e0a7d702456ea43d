"""A training whose loss is no longer a number, or has grown 10,000-fold, is noticed in the step it happens."""

import logging
import math
from collections.abc import Callable
from typing import Any, Literal, cast

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn

from litmus.callback.checkpoint import callbacks_of
from litmus.config.protocols import Task
from litmus.config.types import Section
from litmus.errors import Diverged
from litmus.parallel.sharding import is_sharded, whole
from litmus.record.checkpoint import save
from litmus.record.files import link
from litmus.record.folder import RunDir

log = logging.getLogger(__name__)

MOST_GROWTH = 1e4  # of the loss, over its first value or 1, whichever is more
READ_EVERY = 50  # steps, on a GPU, where reading a value waits for it
Action = Literal["stop", "skip", "rollback"]


def divergence_of(trainer: lightning.Trainer) -> "Divergence":
    """The trainer's callback of that kind, which every one has."""
    return next(each for each in callbacks_of(trainer) if isinstance(each, Divergence))


class Divergence(lightning.Callback):
    """Raises `Diverged` before the step that would be made with such a loss; `skip` leaves its batch out.

    On a CPU every loss is read; on a GPU their maximum, which keeps NaN, every 50 steps and before a checkpoint.

    Args:
        action: what follows. With `rollback` the run goes back to an epoch's end: on which step within one a
            checkpoint was kept depends on the clock, and the run could not be repeated.

    Attributes:
        rollbacks: so far, each with the step that `diverged` and the one that it went `to`; the learning rate was
            halved at each. To be set before training.
        num_skipped: batches that were left out.
    """

    state_key = "divergence"  # Lightning's own is composed anew at every hook

    def __init__(self, action: Action) -> None:
        self.action = action
        self.rollbacks: list[Section] = []
        self.num_skipped = 0
        self._num_skipped_before = 0  # this epoch
        self._limit = math.inf  # until the first loss is known
        self._done_halvings = 0
        self._batch: Any = None
        self._largest: Tensor | None = None
        self._num_unread = 0

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if self.action == "skip":
            _task_of(pl_module).accepts = lambda loss: self._accepts(trainer, pl_module, loss)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Halves the learning rate as often as it was not yet halved, wherever optimizer and schedule keep it."""
        factor = 0.5 ** (len(self.rollbacks) - self._done_halvings)
        self._done_halvings = len(self.rollbacks)
        if factor == 1:
            return
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                for key in group.keys() & {"lr", "initial_lr", "max_lr", "min_lr"}:
                    group[key] *= factor
        for config in trainer.lr_scheduler_configs:
            rates = getattr(config.scheduler, "base_lrs", None)  # plateau's schedule has none
            if rates is not None:
                config.scheduler.base_lrs = [rate * factor for rate in rates]

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._num_skipped_before = self.num_skipped
        run = RunDir(trainer.default_root_dir)
        if self.action == "rollback" and trainer.is_global_zero and trainer.current_epoch > 0:
            link(run.last, run.rollback)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Says how many batches of the epoch were left out.

        Raises:
            Diverged: all of them: nothing is learned any more.
        """
        skipped = self.num_skipped - self._num_skipped_before
        if not skipped:
            return
        epoch, num_batches = trainer.current_epoch + 1, trainer.num_training_batches
        if skipped == num_batches:
            raise Diverged(f"every batch of epoch {epoch} was skipped", trainer.global_step)
        log.warning("epoch %d: %d of %d batches were skipped (trainer.on_divergence=skip)", epoch, skipped, num_batches)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._batch = batch

    def on_before_backward(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, loss: Tensor
    ) -> None:
        if self.action == "skip":  # the task asked before
            return
        if loss.device.type == "cpu":
            value = loss.item()
        else:
            loss = loss.detach()
            self._largest = loss if self._largest is None else torch.maximum(self._largest, loss)
            self._num_unread += 1
            if self._num_unread < READ_EVERY and math.isfinite(self._limit):
                return
            value = self._read()
        if not self._is_fine(value) and trainer.is_global_zero:
            raise Diverged(self._describe(trainer, pl_module, value), trainer.global_step + 1)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: Section
    ) -> None:
        """Nothing that has diverged is kept, to be resumed or rolled back to.

        Raises:
            Diverged: a loss that was not read yet, or a weight, is no number.
        """
        if trainer.is_global_zero and self._largest is not None and not self._is_fine(value := self._read()):
            raise Diverged(self._describe(trainer, pl_module, value), trainer.global_step)
        weights = cast(nn.Module, pl_module).parameters()
        # One by one, in all processes: each has a part of a weight in shards.
        if not all(bool(whole(weight.isfinite().all())) for weight in weights):
            raise Diverged(f"a weight is no number after step {trainer.global_step}", trainer.global_step)

    def _read(self) -> float:
        """The largest loss since it was read last; waits for the GPU."""
        assert self._largest is not None
        value, self._largest, self._num_unread = self._largest.item(), None, 0
        return value

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """No epoch whose validation has diverged is kept as the best: the last step may have been the one."""
        value = float(trainer.callback_metrics.get("val/loss", 0.0))
        if not self._is_fine(value) and trainer.is_global_zero and trainer.state.fn == "fit":
            raise Diverged(f"val/loss is {value:.4g} after epoch {trainer.current_epoch + 1}", trainer.global_step)

    def state_dict(self) -> Section:
        skipped = {"num_skipped": self.num_skipped, "num_skipped_before": self._num_skipped_before}
        return {"limit": self._limit, "halvings": self._done_halvings, "rollbacks": self.rollbacks, **skipped}

    def load_state_dict(self, state_dict: Section) -> None:
        self._limit = state_dict["limit"]
        self._done_halvings = state_dict["halvings"]
        if len(self.rollbacks) < self._done_halvings:
            self.rollbacks = state_dict.get("rollbacks", [{}] * self._done_halvings)  # earlier versions counted them
        self.num_skipped = state_dict["num_skipped"]
        self._num_skipped_before = state_dict.get("num_skipped_before", 0)

    def _is_fine(self, value: float) -> bool:
        if math.isinf(self._limit) and math.isfinite(value):
            self._limit = MOST_GROWTH * max(abs(value), 1.0)
        return value < self._limit  # not NaN either

    def _accepts(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, loss: Tensor) -> bool:
        if self._is_fine(value := loss.item()):
            return True
        if not self.num_skipped:
            log.warning("skipped: %s", self._describe(trainer, pl_module, value))
        self.num_skipped += 1
        return False

    def _describe(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, value: float) -> str:
        """What happened: the step, the learning rate, and the first layer; keeps the batch in the run's folder."""
        run = RunDir(trainer.default_root_dir)
        inputs, targets = self._batch
        save({"inputs": inputs, "targets": targets, "step": trainer.global_step + 1}, run.diverged)
        net = cast(nn.Module, _task_of(pl_module).net)
        if is_sharded(net):  # it computes in all processes or in none
            where = "in shards, its layers are not looked through"
        elif layer := _first_not_finite(net, inputs):
            where = f"the first layer whose output is not finite is {layer}"
        else:
            where = "every layer's output is finite"
        rate = trainer.optimizers[0].param_groups[-1]["lr"]
        late = "" if pl_module.device.type == "cpu" else f"; on a GPU, this may be {READ_EVERY - 1} steps late"
        return (
            f"the loss is {value:.4g} at step {trainer.global_step + 1}, in epoch {trainer.current_epoch + 1}, with a "
            f"learning rate of {rate:.4g}; {where}. The batch is in {run.diverged.name}{late}"
        )


def _task_of(module: lightning.LightningModule) -> Task:
    return cast(Task, module)


def _first_not_finite(net: nn.Module, inputs: Tensor) -> str | None:
    """The name and class of the first layer, in order of computation, whose output has a value that is not finite."""
    found: list[str] = []

    def look(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:  # noqa: ARG001  # torch calls it
            if isinstance(output, Tensor) and output.is_floating_point() and not output.isfinite().all():
                found.append(f"{name} ({type(module).__name__})")

        return hook

    layers = [(name, module) for name, module in net.named_modules() if name and not list(module.children())]
    handles = [module.register_forward_hook(look(name)) for name, module in layers]
    try:
        with torch.no_grad():
            net(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None
