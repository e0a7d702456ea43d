"""What every task shares: the optimizer, the schedule, and what a checkpoint holds besides weights."""

import inspect
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import lightning.pytorch as lightning
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import Metric

from litmus.config.protocols import Split

MakeOptimizer = Callable[[list[dict[str, Any]], bool], Optimizer]  # parameter groups, whether steps may be fused
MakeScheduler = Callable[[Optimizer, int, str], dict[str, Any]]  # optimizer, steps of the run, "min" or "max"


class Task(lightning.LightningModule):
    """A network, its loss and its metrics.

    Metrics are summed on the device and logged once an epoch: reading a value each step makes a
    small network's step half as long again.

    Attributes:
        monitor: the metric that decides which epoch is best.
        mode: whether that metric should be as large ("max") or as small ("min") as possible.
        measures: what a validation may tell of the network, `val/` left out.
        headline: the metrics to show for every epoch; the others are only written down.
        train_score, val_score, test_score: what is summed over a part of the data; `compute()` gives a dict.
    """

    monitor: ClassVar[str]
    mode: ClassVar[Literal["min", "max"]]
    metric_names: ClassVar[tuple[str, ...]]
    headline: ClassVar[tuple[str, ...]]

    def __init__(self, net: nn.Module, optimizer: MakeOptimizer, scheduler: MakeScheduler) -> None:
        super().__init__()
        self.net = net
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.train_metrics = self.make_metrics("train")
        self.val_metrics = self.make_metrics("val")
        self.test_metrics = self.make_metrics("test")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_current_fx_name":
            # Lightning sets this string some fifty times a step; a module's own way looks for
            # parameters, buffers and submodules first, which is a tenth of a small network's step.
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @abstractmethod
    def make_metrics(self, part: Split) -> Metric:
        """A fresh sum of whatever the task measures on that part; `compute()` gives {"loss": ..., ...}."""

    @abstractmethod
    def step(self, batch: Any, part: Split) -> Tensor:
        """The loss of one batch; adds it to that part's score."""

    def metrics(self, part: Split) -> Any:
        """What is summed over that part of the data."""
        return getattr(self, f"{part}_metrics")

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    # Lightning inspects the signature each step, and finds it sooner here.
    training_step.__signature__ = inspect.signature(training_step)  # type: ignore[attr-defined]

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._measure(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._measure(batch, "test")

    def _measure(self, batch: Any, part: Split) -> None:
        if len(batch[1]):  # a process's share of the last batch may be empty
            self.step(batch, part)

    def on_train_epoch_end(self) -> None:
        self._log_scores("train")
        schedule = self.lr_schedulers()
        if isinstance(schedule, ReduceLROnPlateau):  # not when Lightning would: it has saved the epoch by then
            schedule.step(self.trainer.callback_metrics[self.monitor])

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def on_validation_epoch_end(self) -> None:
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        self._log_scores("test")

    def running(self, part: Split) -> dict[str, float]:
        """The scores of this process so far in the epoch, for a progress bar; waits for the device."""
        return {name: float(value) for name, value in self.metrics(part).local().items()}

    def _log_scores(self, part: Split) -> None:
        score = self.metrics(part)
        for name, value in self.measured(part, score.compute()).items():
            self.log(f"{part}/{name}", value)
        score.reset()

    def measured(self, part: Split, scores: dict[str, Tensor]) -> dict[str, Any]:
        """The scores of a whole part, with whatever they should be seen beside."""
        return scores

    def configure_optimizers(self) -> Any:
        fused = self.trainer.precision != "16-mixed"
        optimizer = self.make_optimizer(self.net.parameter_groups(), fused)  # type: ignore[operator]
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        # Not trainer.estimated_stepping_batches: reading it here loses the loader's state on resuming.
        limit = self.trainer.limit_train_batches
        batches = min(data.num_batches, limit) if isinstance(limit, int) else data.num_batches
        schedule = self.make_scheduler(optimizer, batches * (self.trainer.max_epochs or 1), self.mode)
        if not schedule:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {**schedule, "monitor": self.monitor}}

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the gradient's norm; Lightning's own refuses fused optimizers, which are no obstacle here."""
        if gradient_clip_val is not None:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["spec"] = self.net.spec.to_plain()  # type: ignore[union-attr,operator]
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        checkpoint["sha256"] = data.facts["sha256"]
        if data.seen is not None:
            checkpoint["seen"] = data.seen
        checkpoint["model"] = self.net.rebuild_settings()  # type: ignore[operator]
