"""Lightning's loop over batches, with less around each step.

Around each step, Lightning passes through hooks that nobody implements, collects values that nobody has logged, and
looks for the same objects again: an eighth of a step of `model=fnn`. `Steps` does the same in the same order, to the
last bit, without these. Where anything is set up that it does not know (several processes, scaled gradients, a hook of
the task itself), Lightning's own code runs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import lightning.pytorch as lightning
from lightning.pytorch.loops.fetchers import _DataFetcher, _PrefetchDataFetcher
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.optim import Optimizer

from litmus.trainer import STEP_HOOKS

LOG_NO_STEPS = ("litmus.", "lightning.")  # whose callbacks log nothing step by step
# Hooks of a task that are left out here; Lightning calls them if a task has its own.
UNUSED = (
    "backward",
    "on_after_backward",
    "on_after_batch_transfer",
    "on_before_backward",
    "on_before_batch_transfer",
    "on_before_optimizer_step",
    "on_before_zero_grad",
    "on_train_batch_end",
    "on_train_batch_start",
    "optimizer_step",
    "optimizer_zero_grad",
    "transfer_batch_to_device",
)


def shorten(trainer: lightning.Trainer) -> None:
    """Lets a trainer make its steps by `Steps`."""
    loop = trainer.fit_loop.epoch_loop
    trainer.fit_loop.epoch_loop = Steps(trainer, loop.min_steps, loop.max_steps)


class Steps(_TrainingEpochLoop):
    """The steps of an epoch."""

    _is_plain = False
    _hooks: dict[str, list[Callable[..., None]]]

    def on_run_start(self, data_fetcher: _DataFetcher) -> None:
        # Lightning reads it once, and epochs may differ: see `run.limits`.
        data_fetcher.combined_loader.limits = [self.trainer.num_training_batches]
        super().on_run_start(data_fetcher)
        callbacks = self.trainer.callbacks  # those that they only inherit are None: see `litmus.trainer`
        self._hooks = {
            hook: [own for callback in callbacks if (own := getattr(callback, hook)) is not None] for hook in STEP_HOOKS
        }
        self._is_plain = self._can_be_shortened(data_fetcher)

    def _can_be_shortened(self, data_fetcher: _DataFetcher) -> bool:
        trainer = self.trainer
        task, precision = trainer.lightning_module, trainer.precision_plugin
        return (
            type(trainer.strategy) is SingleDeviceStrategy
            and type(data_fetcher) is _PrefetchDataFetcher
            and (type(precision) is Precision or (type(precision) is MixedPrecision and precision.scaler is None))
            and task.automatic_optimization
            and not any(getattr(type(task), name) is not getattr(lightning.LightningModule, name) for name in UNUSED)
            # One of somebody else may log a value of each step, which Lightning collects.
            and all(own.__module__.startswith(LOG_NO_STEPS) for owns in self._hooks.values() for own in owns)
        )

    def advance(self, data_fetcher: _DataFetcher) -> None:
        """Makes a step, or a part of one, of the next batch."""
        if self.restarting or not self._is_plain:
            super().advance(data_fetcher)
            return
        trainer, progress = self.trainer, self.batch_progress
        task = trainer.lightning_module
        self.val_loop.restarting = False
        batch, _, _ = next(data_fetcher)
        number = self.batch_idx + 1
        progress.is_last_batch = data_fetcher.done
        if trainer.strategy.root_device.type != "cpu":
            batch = trainer.strategy.batch_to_device(batch)
        progress.increment_ready()
        # Lightning weighs what is logged by the size of the batch that it knows: at the end of an epoch, of none.
        trainer._logger_connector.on_batch_start(None)
        self._call("on_train_batch_start", task, batch, number)
        progress.increment_started()
        outputs = self._step(task, batch, number)
        progress.increment_processed()
        self.update_lr_schedulers("step", update_plateau_schedulers=False)
        if self._num_ready_batches_reached():
            self.update_lr_schedulers("epoch", update_plateau_schedulers=False)
        self._call("on_train_batch_end", task, outputs, batch, number)
        progress.increment_completed()

    def _step(self, task: lightning.LightningModule, batch: Any, number: int) -> dict[str, Tensor]:
        """Forward and backward of a batch, and the optimizer's step unless gradients are accumulated."""
        optimizer, progress = self.trainer.optimizers[0], self.automatic_optimization.optim_progress.optimizer
        outputs: dict[str, Tensor] = {}
        compute = partial(self._compute, task, optimizer, batch, number, outputs)
        if self._should_accumulate():
            compute()
            return outputs
        progress.step.increment_ready()
        optimizer.step(partial(self._compute_and_clip, compute, task, optimizer))
        progress.step.increment_completed()
        return outputs

    def _compute(
        self,
        task: lightning.LightningModule,
        optimizer: Optimizer,
        batch: Any,
        number: int,
        outputs: dict[str, Tensor],
    ) -> Tensor | None:
        trainer = self.trainer
        with trainer.precision_plugin.train_step_context():
            loss = cast(Tensor | None, task.training_step(batch, number))
        accumulate = trainer.accumulate_grad_batches
        if number % accumulate == 0:
            progress = self.automatic_optimization.optim_progress.optimizer.zero_grad
            progress.increment_ready()
            self._call("on_before_zero_grad", task, optimizer)
            progress.increment_started()
            optimizer.zero_grad()
            progress.increment_completed()
        if loss is None:  # the task refuses the step
            return None
        if accumulate > 1:
            loss = loss / accumulate
        self._call("on_before_backward", task, loss)
        loss.backward()
        self._call("on_after_backward", task)
        outputs["loss"] = loss.detach()
        return loss

    def _compute_and_clip(
        self, compute: "partial[Tensor | None]", task: lightning.LightningModule, optimizer: Optimizer
    ) -> Tensor | None:
        loss = compute()
        self._call("on_before_optimizer_step", task, optimizer)
        task.configure_gradient_clipping(optimizer, self.trainer.gradient_clip_val)
        return loss

    def _call(self, hook: str, task: lightning.LightningModule, *arguments: Any) -> None:
        for own in self._hooks[hook]:
            own(self.trainer, task, *arguments)
