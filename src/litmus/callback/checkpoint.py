"""checkpoints/best.ckpt and checkpoints/last.ckpt."""

from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import ModelCheckpoint

from litmus import rundir
from litmus.check import checked


class Checkpoint(ModelCheckpoint):
    """Keeps the best epoch by the task's monitored metric, and the last one; the first wins a tie."""

    @checked
    def __init__(self) -> None:
        super().__init__(
            filename=rundir.BEST,
            save_last=True,
            save_top_k=1,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )
        self.CHECKPOINT_NAME_LAST = rundir.LAST

    def setup(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        self.dirpath = str(Path(trainer.default_root_dir, rundir.CHECKPOINTS))
        self.monitor, self.mode = pl_module.monitor, pl_module.mode
        self.kth_value, _ = {"min": (float("inf"), "min"), "max": (float("-inf"), "max")}[self.mode]
        super().setup(trainer, pl_module, stage)
