"""Choosing one class out of several."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import Metric

from litmus.config.protocols import Split
from litmus.config.types import Fraction
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.task._base import MakeOptimizer, MakeScheduler, Task


class Metrics(Metric):
    """Mean loss and accuracy, exact over batches of different sizes and over processes."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("loss_sum", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("num_correct", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("num_samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.loss_sum: Tensor
        self.num_correct: Tensor
        self.num_samples: Tensor

    def update(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Adds a batch: its mean loss, (batch, classes) logits and (batch,) class numbers."""
        self.loss_sum += loss * len(targets)
        self.num_correct += (logits.argmax(dim=1) == targets).sum()
        self.num_samples += len(targets)

    def local(self) -> dict[str, Tensor]:
        """Of this process alone: `loss`, the mean over samples, in nats, and `acc`, the share that is right."""
        return {"loss": self.loss_sum / self.num_samples, "acc": self.num_correct / self.num_samples}

    def compute(self) -> dict[str, Tensor]:
        """As `local`, over all processes."""
        return self.local()


class DetailedMetrics(Metrics):
    """Also F1, precision and recall, from the confusion matrix: rows are the right classes, columns the answers.

    A class that is never answered has precision 0, one that never occurs has recall 0; F1 is their
    harmonic mean, 0 if both are. `f1` is the mean over classes, `f1_weighted` that over samples.
    """

    def __init__(self, names: Sequence[str], per_class: bool) -> None:
        super().__init__()
        self.names = tuple(names)
        self.per_class = per_class
        self.add_state("confusion", torch.zeros(len(names), len(names), dtype=torch.int64), dist_reduce_fx="sum")
        self.confusion: Tensor

    def update(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        super().update(loss, logits, targets)
        pairs = targets * len(self.names) + logits.argmax(dim=1)
        self.confusion += torch.bincount(pairs, minlength=len(self.names) ** 2).view_as(self.confusion)

    def local(self) -> dict[str, Tensor]:
        """Of this process alone: `loss`, `acc`, `f1`, `f1_weighted`; by class `precision_<name>`, `recall_<name>`."""
        counts = self.confusion.float()
        right, answered, occurring = counts.diagonal(), counts.sum(dim=0), counts.sum(dim=1)
        precision, recall = right / answered.clamp(min=1), right / occurring.clamp(min=1)
        f1 = 2 * right / (answered + occurring).clamp(min=1)
        scores = {**super().local(), "f1": f1.mean(), "f1_weighted": (f1 * occurring).sum() / occurring.sum()}
        if self.per_class:
            for i, name in enumerate(self.names):
                scores |= {f"precision_{name}": precision[i], f"recall_{name}": recall[i]}
        return scores


class Classification(Task):
    """Cross-entropy, or the loss that the network brings with it; accuracy, F1, and per class in the test.

    `balanced` weighs a class's training samples by how rare it is: `samples / (classes * samples of the class)`.
    """

    monitor: ClassVar = "val/acc"
    mode: ClassVar[Literal["min", "max"]] = "max"
    metric_names: ClassVar = ("loss", "acc", "f1", "f1_weighted")
    headline: ClassVar = ("loss", "acc", "f1")

    @checked
    def __init__(
        self,
        net: nn.Module,
        optimizer: MakeOptimizer,
        scheduler: MakeScheduler,
        *,
        label_smoothing: Fraction,
        balanced: bool,
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        self.label_smoothing = label_smoothing
        self.balanced = balanced
        self.criterion = net.criterion or _cross_entropy
        if balanced and net.criterion:
            raise UserError("task.balanced=true: this network brings a loss of its own, which knows no weights.")
        self.weights: Tensor | None = None
        # A loss that cannot do what is asked should say so before the training starts.
        self.loss(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), "train")

    def make_metrics(self, part: Split) -> Metric:
        if part == "train":  # a confusion matrix each step would slow a small network down
            return Metrics()
        return DetailedMetrics(self.net.spec.target.names, per_class=part == "test")  # type: ignore[union-attr,arg-type]

    def on_fit_start(self) -> None:
        if self.balanced:
            counts = self.trainer.datamodule.class_counts  # type: ignore[attr-defined]
            self.weights = (counts.sum() / (len(counts) * counts)).float().to(self.device)

    def loss(self, logits: Tensor, targets: Tensor, part: Split) -> Tensor:
        """Mean loss in nats; labels are smoothed in training only."""
        smoothing = self.label_smoothing if part == "train" else 0.0
        if part == "train" and self.weights is not None:
            return cross_entropy(logits, targets, self.weights, label_smoothing=smoothing)
        return self.criterion(logits, targets, smoothing)  # type: ignore[operator]

    def step(self, batch: Any, part: Split) -> Tensor:
        inputs, targets = batch
        logits = self.net(inputs)
        loss = self.loss(logits, targets, part)
        self.metrics(part).update(loss.detach(), logits.detach(), targets)
        return loss


def _cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    return cross_entropy(logits, targets, label_smoothing=label_smoothing)
