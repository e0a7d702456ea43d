"""checkpoints/best.ckpt, checkpoints/last.ckpt, and those of the best epochs."""

import logging
import math
import signal
import time
from pathlib import Path
from typing import Any, ClassVar, cast

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from litmus.callback._base import Callback, data_of, task_of
from litmus.callback._best_epochs import BestEpochs
from litmus.callback.ema import EMA, TRAINED_WEIGHTS
from litmus.callback.interrupt import Interrupt
from litmus.config.types import Positive, Section, Whole
from litmus.config.validate import checked
from litmus.errors import Interrupted
from litmus.record import folder
from litmus.record.checkpoint import checkpoint_entries
from litmus.record.metrics import GAIN, TIE_BREAKER

log = logging.getLogger(__name__)

MOST_PART = 50  # a checkpoint within an epoch takes at most this part of the time
SYNCED_EVERY = 10  # steps after which several processes agree whether to keep one


def callbacks_of(trainer: lightning.Trainer) -> list[lightning.Callback]:
    """Those of a run."""
    return cast(list[lightning.Callback], trainer.callbacks)  # type: ignore[attr-defined]  # Lightning's types miss it


def epochs_done(trainer: lightning.Trainer) -> int:
    """How many epochs the training has ended; a checkpoint of an epoch's end does not count it as completed."""
    return trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]  # Lightning's types miss it


def is_within_epoch(trainer: lightning.Trainer) -> bool:
    """Whether a training that is about to begin goes on within an epoch."""
    return epochs_done(trainer) < trainer.fit_loop.epoch_progress.current.ready


def is_step(trainer: lightning.Trainer, batch_idx: int) -> bool:
    """Whether the optimizer made a step after this batch of the epoch: see `trainer.accumulate_grad_batches`."""
    return trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches == 0


class Checkpoint(ModelCheckpoint, Callback):
    """Keeps the best epoch by the task's monitored metric, and the last step.

    Of epochs with the same value the one with the lowest loss on the validation split is best, and of those the first:
    see `record.metrics.best_row`. Where the network is measured before its training, as epoch 0, an epoch has to be
    better than that by the task's `min_gain`.

    `last.ckpt` is written after every epoch, and within one after `every_s` seconds, or later where writing it would
    take more than a fiftieth of the time. A signal is acted on here: the step that it arrived in is kept.

    Args:
        every_s: seconds between two checkpoints within an epoch.
        top_k: so many of the best epochs have a file of their own, besides.
    """

    affects_training: ClassVar = False
    needed: ClassVar = True
    state_key = "checkpoint"  # Lightning's own is composed anew at every hook

    @checked
    def __init__(self, *, every_s: Positive, top_k: Whole) -> None:
        self.every_s = every_s
        self._best_epochs = BestEpochs(top_k)
        self._next = math.inf
        self._interrupt: Interrupt | None = None
        self.best_loss: float | None = None  # of the best epoch
        self.best_epoch: int | None = None  # counted from 1, as far as training has come
        self._has_untrained = False  # whether there is an epoch 0
        super().__init__(
            filename=folder.BEST,
            save_top_k=1,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.dirpath = str(Path(trainer.default_root_dir, folder.CHECKPOINTS))
        self.monitor, self.mode = task_of(pl_module).monitor, task_of(pl_module).mode
        # Undocumented: what ModelCheckpoint compares the next value with; it is set before the monitor is known.
        self.kth_value = torch.tensor(float("inf") if self.mode == "min" else float("-inf"))
        self._interrupt = next((each for each in callbacks_of(trainer) if isinstance(each, Interrupt)), None)
        super().setup(trainer, pl_module, stage)

    def on_sanity_check_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keeps the network before its training, until an epoch is better by more than chance."""
        # Private: what ModelCheckpoint does after a validation, which it does not after this one.
        self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
        self._has_untrained = True

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._next = time.monotonic() + self.every_s
        if trainer.is_global_zero:  # a process that was killed may have kept one more, or one less
            self._best_epochs.write(self._last_path, 0 if is_within_epoch(trainer) else epochs_done(trainer))

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keeps this step if `every_s` have passed, or if a signal arrived; the last one of an epoch, also of one
        that is cut short, waits for its end.

        Raises:
            Interrupted: a signal arrived, and the step is kept.
        """
        # Not between the batches of a step, whose gradients no checkpoint holds.
        is_last = trainer.is_last_batch or trainer.should_stop
        if not is_last and is_step(trainer, batch_idx) and self._is_due(trainer, batch_idx):
            self._save_last(trainer)
            self._stop_if_requested()

    def _is_due(self, trainer: lightning.Trainer, batch_idx: int) -> bool:
        due = self._received is not None or time.monotonic() >= self._next
        if trainer.world_size == 1:
            return due
        # The first process decides for all: their clocks differ, and it alone receives signals.
        return trainer.global_step % SYNCED_EVERY == 0 and bool(trainer.strategy.broadcast(due))

    @property
    def _received(self) -> signal.Signals | None:
        return self._interrupt.received if self._interrupt else None

    def _stop_if_requested(self) -> None:
        if self._received is not None:
            raise Interrupted(self._received)

    @property
    def _last_path(self) -> Path:
        return Path(str(self.dirpath), f"{folder.LAST}.ckpt")

    def _save_last(self, trainer: lightning.Trainer) -> None:
        begin = time.monotonic()
        for logger in trainer.loggers:
            logger.save()  # what is logged until now is on the disk before it
        trainer.save_checkpoint(self._last_path)
        end = time.monotonic()
        self._next = end + max(self.every_s, MOST_PART * (end - begin))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keeps every epoch as the last one; Lightning's `save_last` keeps it only where it is the best, too."""
        task, epoch, metrics = task_of(pl_module), trainer.current_epoch + 1, trainer.callback_metrics
        loss = float(metrics.get(TIE_BREAKER, math.inf))
        if task.monitor in metrics:  # before the checkpoints, which say what is kept
            self._best_epochs.add(epoch, task.monitor, task.mode, float(metrics[task.monitor]), loss)
        super().on_train_epoch_end(trainer, pl_module)
        self._save_last(trainer)
        if trainer.is_global_zero:
            self._best_epochs.write(self._last_path, epoch)
        self._stop_if_requested()

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Whether this epoch is the best so far."""
        least, gain = task_of(trainer.lightning_module).min_gain, trainer.callback_metrics.get(GAIN)
        if self._has_untrained and least is not None and gain is not None and not float(gain) > least:
            return False
        found = trainer.callback_metrics.get(TIE_BREAKER)
        loss = None if found is None else float(found)
        is_best = super().check_monitor_top_k(trainer, current)
        if not is_best and current is not None and loss is not None and self.best_loss is not None:
            is_lower_tie = bool(current == self.kth_value) and loss < self.best_loss
            is_best = trainer.strategy.reduce_boolean_decision(is_lower_tie)
        if is_best:
            self.best_loss = loss
            self.best_epoch = 0 if trainer.sanity_checking else trainer.current_epoch + 1
        return is_best

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: Section
    ) -> None:
        checkpoint.update(checkpoint_entries(task_of(pl_module).net, data_of(trainer)))

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: Section
    ) -> None:
        """A run that averaged its weights, and is resumed without, continues with the weights themselves."""
        averages = any(isinstance(each, EMA) for each in callbacks_of(trainer))
        if trainer.state.fn == "fit" and TRAINED_WEIGHTS in checkpoint and not averages:
            pl_module.load_state_dict(checkpoint[TRAINED_WEIGHTS])
            log.warning(
                "callback.ema.decay is off now: training continues with the weights themselves, not the average."
            )

    def state_dict(self) -> Section:
        return {
            **super().state_dict(),
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "has_untrained": self._has_untrained,
            "best_epochs": self._best_epochs.state_dict(),
        }

    def load_state_dict(self, state_dict: Section) -> None:
        """Continues with the best value so far, wherever the run folder lies now."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath), Path(path).name)) if path else path

        # Keys of Lightning's state, undocumented: without them a moved run overwrites its best checkpoint when resumed.
        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        moved = {
            **state_dict,
            "dirpath": self.dirpath,
            "best_k_models": {here(path): score for path, score in state_dict["best_k_models"].items()},
            **{name: here(state_dict[name]) for name in paths},
        }
        if not Path(str(self.dirpath), f"{folder.BEST}.ckpt").is_file():  # it was damaged, and removed
            moved |= {"best_model_score": None, "best_k_models": {}, "kth_value": self.kth_value}
            moved |= {
                "best_model_path": "",
                "kth_best_model_path": "",
                "best_loss": None,
                "best_epoch": None,
                "has_untrained": False,
            }
        self.best_loss = moved.get("best_loss")  # earlier versions kept the first epoch, whatever its loss
        self.best_epoch = moved.get("best_epoch")
        self._has_untrained = moved.get("has_untrained", False)
        self._best_epochs.load_state_dict(moved.get("best_epochs", []))
        super().load_state_dict(moved)
