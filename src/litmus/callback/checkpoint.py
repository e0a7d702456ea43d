"""checkpoints/best.ckpt and checkpoints/last.ckpt."""

from pathlib import Path
from typing import ClassVar, cast

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from litmus.callback._base import Callback, task_of
from litmus.config.protocols import Data
from litmus.config.types import Section
from litmus.config.validate import checked
from litmus.record import folder
from litmus.record.checkpoint import checkpoint_entries


class Checkpoint(ModelCheckpoint, Callback):
    """Keeps the best epoch by the task's monitored metric, and the last one; the first wins a tie."""

    affects_training: ClassVar = False
    needed: ClassVar = True
    state_key = "checkpoint"  # Lightning's own is composed anew at every hook

    @checked
    def __init__(self) -> None:
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
        super().setup(trainer, pl_module, stage)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keeps every epoch as the last one; Lightning's `save_last` keeps it only where it is the best, too."""
        super().on_train_epoch_end(trainer, pl_module)
        trainer.save_checkpoint(Path(str(self.dirpath), f"{folder.LAST}.ckpt"))

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: Section
    ) -> None:
        data = cast(Data, trainer.datamodule)  # type: ignore[attr-defined]  # Lightning's types leave it out
        checkpoint.update(checkpoint_entries(task_of(pl_module).net, data))

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
        super().load_state_dict(moved)
