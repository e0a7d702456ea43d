"""metrics.csv: one row per epoch."""

from typing import ClassVar

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Checkpoint

from litmus.callback._base import Callback
from litmus.config.keys import hyperparameters
from litmus.config.types import Section
from litmus.config.validate import checked
from litmus.record.folder import RunDir


class History(Checkpoint, Callback):
    """Writes everything that was logged in an epoch as a row of `metrics.csv`, and to the loggers.

    The first row is epoch 0 where a network is measured before its training: see `litmus.model._base.Net.untrained`.

    Both before the epoch's checkpoint, which holds the rows, too: so a resumed run has every row and point once.

    A `Checkpoint` to Lightning, because those are called when all metrics of an epoch are known.

    Attributes:
        rows: of all epochs, those before a resumption included.
    """

    affects_training: ClassVar = False
    needed: ClassVar = True
    state_key = "history"  # Lightning's own is composed anew at every hook

    @checked
    def __init__(self) -> None:
        self.rows: list[Section] = []

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not self.rows:  # a checkpoint of an earlier version; an epoch without its checkpoint is trained again
            rows = RunDir(trainer.default_root_dir).whole_metrics()
            self.rows = [row for row in rows if row["epoch"] <= trainer.current_epoch]
        self._write(trainer)  # the file may have been lost, or have a row more than the checkpoint
        for logger in trainer.loggers:
            logger.log_hyperparams(hyperparameters(RunDir(trainer.default_root_dir).read_config()))

    def on_sanity_check_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._add(trainer, epoch=0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._add(trainer, epoch=trainer.current_epoch + 1)

    def _add(self, trainer: lightning.Trainer, epoch: int) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        order = sorted(metrics, key=lambda name: (not name.startswith("train/"), not name.startswith("val/"), name))
        row = {
            "epoch": epoch,
            "step": trainer.global_step,
            **{name: metrics[name] for name in order},
        }
        self.rows.append(row)
        self._write(trainer)
        for logger in trainer.loggers:
            logger.log_metrics(metrics, max(trainer.global_step - 1, 0))  # the epoch's last step, from 0

    def state_dict(self) -> Section:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: Section) -> None:
        self.rows = state_dict["rows"]

    def _write(self, trainer: lightning.Trainer) -> None:
        if trainer.is_global_zero and self.rows:
            RunDir(trainer.default_root_dir).write_metrics(self.rows)
