"""What every task shares: the optimizer, the schedule, the steps, and metrics that are logged once an epoch."""

import inspect
import logging
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, cast

import lightning.pytorch as lightning
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from litmus.config.protocols import Data, Net, Observer, Outputs, Split
from litmus.config.types import Section
from litmus.task._metrics import Metrics, MetricsState, all_gather

log = logging.getLogger(__name__)

SUMS = "train_sums"  # an entry of ours in Lightning's checkpoints
Batch = tuple[Tensor, Tensor]  # inputs and targets
MakeOptimizer = Callable[[list[Section], bool], Optimizer]  # parameter groups, whether steps may be fused
MakeScheduler = Callable[[Optimizer, int, str], Section]  # optimizer, steps of the run, "min" or "max"


class Task(lightning.LightningModule):
    """A network, its loss and its metrics.

    Metrics are summed on the device and logged once an epoch: reading a value each step makes a
    small network's step half as long again.

    Attributes:
        monitor: the metric that decides which epoch is best.
        mode: whether that metric should be as large ("max") or as small ("min") as possible.
        metric_names: what validation may measure, `val/` left out, and whether it should be large ("max") or small.
        headline: the metrics to show for every epoch; the others are only written down.
        accepts: whether a step may be made with a loss; None lets all pass.
        baselines: whether metrics of methods without a network stand beside the network's.
        observers: who else is given each batch's outputs and targets, by split; none in training.
        min_gain: by how many standard errors of the validation loss an epoch must be better than the network before
            its training (`litmus.model._base.Net.untrained`); None where that is not measured.
        max_steps: after which the training ends at the latest: see `trainer.max_steps`.
    """

    monitor: ClassVar[str]
    mode: ClassVar[Literal["min", "max"]]
    metric_names: ClassVar[dict[str, Literal["min", "max"]]]
    headline: ClassVar[tuple[str, ...]]
    baselines = False
    min_gain: float | None = None
    balanced: bool = False
    max_steps: int | None = None

    def __init__(self, net: Net, optimizer: MakeOptimizer, scheduler: MakeScheduler) -> None:
        super().__init__()
        self.net = net
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.accepts: Callable[[Tensor], bool] | None = None
        self.observers: dict[Split, list[Observer]] = {"val": [], "test": []}
        self._loaded: list[MetricsState] | None = None
        self._sums: dict[Split, Metrics] = {
            "train": self.make_metrics("train"),
            "val": self.make_metrics("val"),
            "test": self.make_metrics("test"),
        }

    def __setattr__(self, name: str, value: object) -> None:
        if name == "_current_fx_name":
            # Lightning sets this string some fifty times a step; a module's own way looks for
            # parameters, buffers and submodules first, which is a tenth of a small network's step.
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)  # type: ignore[arg-type]  # anything, whatever torch's types say

    @abstractmethod
    def make_metrics(self, split: Split) -> Metrics:
        """Fresh sums of whatever the task measures on that split; `compute()` gives {"loss": ..., ...}."""

    @abstractmethod
    def step(self, batch: Batch, split: Split) -> Tensor:
        """The loss of one batch; adds it to the split's metrics."""

    def measure(self, predictions: Tensor, targets: Tensor) -> dict[str, float]:
        """The metrics of predictions that no network made, named and defined as the network's.

        Args:
            predictions: class numbers, int64 (samples,); a 1 for each label, integers (samples, labels); or values in
                their unit, float64 (samples, values).
            targets: the same.
        """
        raise NotImplementedError

    def skill(self, metrics: dict[str, Tensor], baselines: dict[str, dict[str, float]]) -> dict[str, Tensor | float]:
        """How much better the network is than the best baseline: above 0 if it is, at most 1."""
        raise NotImplementedError

    def metrics(self, split: Split) -> Metrics:
        """The sums over that split so far."""
        return self._sums[split]

    @property
    def data(self) -> Data:
        """The dataset on which the task is trained or tested."""
        return cast(Data, self.trainer.datamodule)  # type: ignore[attr-defined]  # Lightning's types leave it out

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        if self.accepts is None:
            return self._of_its_step(self.step(batch, "train"), batch_idx)
        metrics = self.metrics("train")
        before = dict(metrics.sums), metrics.num_samples
        loss = self.step(batch, "train")
        if self.accepts(loss):
            return self._of_its_step(loss, batch_idx)
        metrics.sums, metrics.num_samples = before
        return None  # Lightning then makes no step

    # Lightning inspects the signature each step: 12 microseconds, of which this attribute saves two thirds.
    training_step.__signature__ = inspect.signature(training_step)  # type: ignore[attr-defined]

    def _of_its_step(self, loss: Tensor, batch_idx: int) -> Tensor:
        """The loss, weighted for a step of the mean gradient of its batches.

        Lightning divides by `trainer.accumulate_grad_batches`, also where an epoch ends with a step of fewer batches.
        """
        accumulate = self.trainer.accumulate_grad_batches
        if accumulate == 1:
            return loss
        num_batches = min(accumulate, self.trainer.num_training_batches - batch_idx // accumulate * accumulate)
        return loss if num_batches == accumulate else loss * (accumulate / num_batches)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: Batch, split: Split) -> None:
        if len(batch[1]):  # a process's shard of the last batch may be empty
            self.step(batch, split)

    def observe(self, split: Split, outputs: Outputs, targets: Outputs) -> None:
        """Hands what a batch of validation or test gave to the observers; each task says what it is."""
        for observer in self.observers.get(split, ()):
            observer(outputs, targets)

    def on_save_checkpoint(self, checkpoint: Section) -> None:
        """Keeps the sums of the epoch under way, of every process; at the end of an epoch there are none."""
        checkpoint[SUMS] = all_gather(self.metrics("train").state())

    def on_load_checkpoint(self, checkpoint: Section) -> None:
        self._loaded = checkpoint.get(SUMS)

    def on_train_start(self) -> None:
        """Continues the sums: here, as the network is on its device by now."""
        states, self._loaded = self._loaded or [], None
        if len(states) == self.trainer.world_size:
            states = [states[self.global_rank]]
        elif self.global_rank > 0:  # there were more processes, or fewer: the first one takes all
            states = []
        for state in states:
            self.metrics("train").add_state(state, self.device)

    def on_train_epoch_end(self) -> None:
        self._log_metrics("train")
        schedule = self.lr_schedulers()
        if isinstance(schedule, ReduceLROnPlateau):  # not when Lightning would: it has saved the epoch by then
            schedule.step(self.trainer.callback_metrics[self.monitor])

    def lr_scheduler_step(self, scheduler: LRScheduler | ReduceLROnPlateau, metric: Any | None) -> None:
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def on_validation_epoch_end(self) -> None:
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        self._log_metrics("test")

    def running(self, split: Split) -> dict[str, float]:
        """The metrics of this process so far in the epoch, for a progress bar; waits for the device."""
        return {name: float(value) for name, value in self.metrics(split).local().items()}

    def loss_sum(self, split: Split) -> Tensor | None:
        """The mean loss of this process so far in the epoch, times its samples; does not wait for the device."""
        loss = self.metrics(split).local().get("loss")
        return None if loss is None else loss * self.metrics(split).num_samples

    def num_samples(self, split: Split) -> int:
        """Samples of this process so far in the epoch."""
        return self.metrics(split).num_samples

    def _log_metrics(self, split: Split) -> None:
        metrics = self.metrics(split)
        logged = None if split == "test" else False  # None is Lightning's default; of an epoch, `History` writes all
        for name, value in self.with_baselines(split, metrics.compute()).items():
            self.log(f"{split}/{name}", value, logger=logged)
        metrics.reset()

    def with_baselines(self, split: Split, metrics: dict[str, Tensor]) -> dict[str, Tensor | float]:
        """The metrics of a whole split, and beside them `skill` and those of what needs no network."""
        baselines = self.data.measure_baselines().get(split, {}) if metrics and split != "train" else {}
        if not baselines:
            return dict(metrics)
        named = {f"{name}_{metric}": value for name, own in baselines.items() for metric, value in own.items()}
        return {**metrics, **self.skill(metrics, baselines), **named}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        fused = self.trainer.precision != "16-mixed"
        hidden = {id(p) for p in self.net.hidden_matrices()}
        groups = [{**g, "is_hidden": [id(p) in hidden for p in g["params"]]} for g in self.net.parameter_groups()]
        optimizer = self.make_optimizer(groups, fused)
        # Not trainer.estimated_stepping_batches: reading it here loses the loader's state on resuming.
        lengths = self.data.epoch_lengths
        accumulate = self.trainer.accumulate_grad_batches
        if accumulate > max(lengths):
            log.warning(
                "trainer.accumulate_grad_batches=%d is more than the %d batches of an epoch: it is a single step.",
                accumulate,
                max(lengths),
            )
        passes = (self.trainer.max_epochs or 1) // len(lengths)
        steps = sum(math.ceil(length / accumulate) for length in lengths) * passes
        steps = steps if self.max_steps is None else min(steps, self.max_steps)
        schedule = self.make_scheduler(optimizer, steps, self.mode)
        if not schedule:
            return optimizer
        config: Any = {"optimizer": optimizer, "lr_scheduler": {**schedule, "monitor": self.monitor}}
        return cast(OptimizerLRScheduler, config)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the gradient's norm; Lightning's own refuses fused optimizers, which are no obstacle here."""
        if gradient_clip_val is not None:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)
