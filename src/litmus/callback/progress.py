"""The progress of a run on the screen: a bar in a terminal, a line per epoch elsewhere."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Checkpoint
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from litmus import console
from litmus.callback._base import Callback, task_of
from litmus.config.types import Positive
from litmus.config.validate import checked

SPEED = "time/samples_per_second"
TRAIN = "  train/... is a running mean in training mode: dropout on, weights moving"
_BESIDE = 36  # columns of a bar besides its values and the digits of its batches: epoch, bar, time left


def ordered(metrics: Mapping[str, float], headline: Sequence[str], monitor: str) -> dict[str, float]:
    """The metrics of an epoch's line, those that count most first: a narrow screen cuts the line.

    Args:
        metrics: of the epoch, by name.
        headline: those to show: see `litmus.task._base.Task`.
        monitor: the one that decides which epoch is best.
    """
    most = list(dict.fromkeys((monitor.partition("/")[2], "loss")))
    rest = [name for name in headline if name not in most]
    order = [f"{split}/{name}" for names in (most, rest) for split in ("val", "train") for name in names]
    return {name: metrics[name] for name in order if name in metrics}


class Progress(Checkpoint, Callback):
    """Shows epoch, batch, running loss and metrics, and samples per second.

    A `Checkpoint` to Lightning, because those are called when all metrics of an epoch are known. The
    values are read from the device a few times a second, not each step.
    """

    affects_training: ClassVar = False
    has_explained = False  # what `train/` means

    @checked
    def __init__(self, *, refresh_per_second: Positive) -> None:
        self.interval_s = 1 / refresh_per_second
        self._bar: Bar | None = None
        self._next = 0.0
        self._started = 0.0
        self._num_before = 0  # samples of this epoch, by the process that began it

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.is_global_zero or not console.out.redraws:
            return
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}", style="cyan"),
            TimeRemainingColumn(compact=True),
            console=console.out,
            auto_refresh=False,
            transient=True,
            expand=True,
        )
        self._bar.start()
        # A run that is resumed within an epoch does not start it.
        self._begin_epoch(trainer, num_before=task_of(pl_module).num_samples("train"))

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._begin_epoch(trainer)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._bar is None or time.perf_counter() < self._next:
            return
        task, elapsed = task_of(pl_module), time.perf_counter() - self._started
        self._next = time.perf_counter() + self.interval_s
        rate = (task.num_samples("train") - self._num_before) * trainer.world_size / elapsed
        running = {f"train/{name}": value for name, value in task.running("train").items()}
        pieces = [*console.metric_pieces(ordered(running, task.headline, task.monitor)), f"  {rate:,.0f}/s"]
        room = max(console.out.width - _BESIDE - 2 * len(str(trainer.num_training_batches)), 0)
        self._update(completed=batch_idx + 1, values=console.fitting(["", *pieces], room).strip())

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._bar is not None and not trainer.sanity_checking:
            self._update(completed=trainer.num_training_batches, values="validating")

    def on_sanity_check_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._say(trainer, pl_module, epoch=0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._say(trainer, pl_module, epoch=trainer.current_epoch + 1)

    def _say(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, epoch: int) -> None:
        if not trainer.is_global_zero:
            return
        task = task_of(pl_module)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        shown = ordered(metrics, task.headline, task.monitor)
        if not self.has_explained and any(name.startswith("train/") for name in shown):
            self.has_explained = True
            console.say(TRAIN, style="dim", wrap=True)
        speed = [f"  {metrics[SPEED]:,.0f} samples/s"] if SPEED in metrics else []
        number = f"{epoch:>{len(str(trainer.max_epochs))}}/{trainer.max_epochs}"
        console.say_fitting([f"epoch {number}", *console.metric_pieces(shown), *speed])

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._close()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _begin_epoch(self, trainer: lightning.Trainer, num_before: int = 0) -> None:
        self._started = self._next = time.perf_counter()
        self._num_before = num_before
        if self._bar is not None:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            title = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self._bar.add_task(title, total=trainer.num_training_batches, values="")

    def _update(self, **fields: Any) -> None:
        assert self._bar is not None
        self._bar.update(self._bar.task_ids[0], **fields)
        self._bar.refresh()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
