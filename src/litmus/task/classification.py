"""Choosing one class out of several."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import Metric

from litmus.check import Fraction, checked
from litmus.task._base import MakeOptimizer, MakeScheduler, Part, Task


class Score(Metric):
    """Mean loss and accuracy, exact over batches of different sizes and over processes."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("loss_sum", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("num_right", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("num_samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.loss_sum: Tensor
        self.num_right: Tensor
        self.num_samples: Tensor

    def update(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Adds a batch: its mean loss, (batch, classes) logits and (batch,) class numbers."""
        if len(targets) == 0:  # this process's share of a small batch: the mean over nothing is not a number
            return
        self.loss_sum += loss * len(targets)
        self.num_right += (logits.argmax(dim=1) == targets).sum()
        self.num_samples += len(targets)

    def local(self) -> dict[str, Tensor]:
        """Of this process alone: `loss`, the mean over samples, in nats, and `acc`, the share that is right."""
        return {"loss": self.loss_sum / self.num_samples, "acc": self.num_right / self.num_samples}

    def compute(self) -> dict[str, Tensor]:
        """As `local`, over all processes."""
        return self.local()


class Classification(Task):
    """Cross-entropy, or the loss that the network brings with it, and accuracy."""

    monitor: ClassVar = "val/acc"
    mode: ClassVar[Literal["min", "max"]] = "max"

    @checked
    def __init__(
        self, net: nn.Module, optimizer: MakeOptimizer, scheduler: MakeScheduler, *, label_smoothing: Fraction
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        self.label_smoothing = label_smoothing
        self.criterion = net.criterion or _cross_entropy
        # A loss that cannot do what is asked should say so before the training starts.
        self.loss(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), "train")

    def make_score(self) -> Metric:
        return Score()

    def loss(self, logits: Tensor, targets: Tensor, part: Part) -> Tensor:
        """Mean loss in nats; labels are smoothed in training only."""
        smoothing = self.label_smoothing if part == "train" else 0.0
        return self.criterion(logits, targets, smoothing)  # type: ignore[operator]

    def step(self, batch: Any, part: Part) -> Tensor:
        inputs, targets = batch
        logits = self.net(inputs)
        loss = self.loss(logits, targets, part)
        self.score(part).update(loss.detach(), logits.detach(), targets)
        return loss


def _cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    return cross_entropy(logits, targets, label_smoothing=label_smoothing)
