"""Classification: one class out of several."""

from collections.abc import Sequence
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from litmus.config.protocols import Net, Split
from litmus.config.types import Fraction
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.task._base import Batch, MakeOptimizer, MakeScheduler, Task
from litmus.task._metrics import Metrics, relative_to_mean

COUNTS = ("correct", "predicted", "occurring")  # of each class


class ClassMetrics(Metrics):
    """Mean loss and accuracy."""

    def update(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Adds a batch: its mean loss, (batch, classes) logits, and targets as of `Classification.step`.

        Of an image that is made of two, the share of the predicted class is correct.
        """
        predicted = logits.argmax(dim=1)
        if targets.is_floating_point():
            num_correct = targets.gather(1, predicted[:, None]).sum()
        else:
            num_correct = (predicted == targets).sum()
        self.add(len(targets), loss=(loss * len(targets)).float(), num_correct=num_correct)

    def from_sums(self, sums: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
        """`loss`, the mean over samples, in nats, and `acc`, the fraction that is correct."""
        return {"loss": sums["loss"] / num_samples, "acc": sums["num_correct"] / num_samples}


class DetailedMetrics(ClassMetrics):
    """Also F1, precision and recall, from how often each class is right, is predicted and occurs.

    These are the diagonal and the sums of a confusion matrix, which itself would take 200 MB for 5,000 classes.

    A class counts where it occurs in the targets or the predictions, as for scikit-learn's `f1_score(average="macro")`,
    whose labels are the `unique_labels(y_true, y_pred)`: of a class that is in neither, nothing was measured. One that
    is never predicted has precision 0, one that is predicted but never occurs has recall 0; F1 is their
    harmonic mean, 0 if both are. `f1` is the mean over these classes, `f1_weighted` that over samples.
    """

    def __init__(self, names: Sequence[str], per_class: bool) -> None:
        super().__init__()
        self.names = tuple(names)
        self.per_class = per_class

    def update(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        super().update(loss, logits, targets)
        self.add(0, **_counts(logits.argmax(dim=1), targets, len(self.names)))

    def from_sums(self, sums: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
        """`loss`, `acc`, `f1`, `f1_weighted`; `precision_<name>` and `recall_<name>` of each class that counts."""
        metrics = {**super().from_sums(sums, num_samples), **_f1(sums)}
        if self.per_class:
            correct, predicted, occurring = (sums[name].float() for name in COUNTS)
            precision, recall = correct / predicted.clamp(min=1), correct / occurring.clamp(min=1)
            for i in (predicted + occurring).nonzero().flatten().tolist():
                metrics |= {f"precision_{self.names[i]}": precision[i], f"recall_{self.names[i]}": recall[i]}
        return metrics


class Classification(Task):
    """Cross-entropy, or the network's own loss; accuracy, F1, and per class in the test.

    `balanced` weighs a class's training samples by how rare it is: `samples / (classes * samples of the class)`.
    A class without training samples weighs 0: label smoothing, too, gives it nothing.

    Beside the network's metrics stand those of baselines, unless `baselines` is false. `skill` is the fraction of the
    best baseline's mistakes that the network avoids, 1 - (1 - acc) / (1 - acc of the best): 1 without a mistake, 0 with
    as many, negative with more. There is none where a baseline makes no mistake.
    """

    monitor: ClassVar = "val/acc"
    mode: ClassVar[Literal["min", "max"]] = "max"
    metric_names: ClassVar = {"loss": "min", "acc": "max", "f1": "max", "f1_weighted": "max", "skill": "max"}
    headline: ClassVar = ("loss", "acc", "f1")

    @checked
    def __init__(
        self,
        net: Net,
        optimizer: MakeOptimizer,
        scheduler: MakeScheduler,
        *,
        label_smoothing: Fraction,
        balanced: bool,
        baselines: bool,
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        self.baselines = baselines
        self.label_smoothing = label_smoothing
        self.balanced = balanced
        self.criterion = net.criterion or _cross_entropy
        if balanced and net.criterion:
            raise UserError(
                "task.balanced=true cannot be used: this network has a loss of its own, without class weights."
            )
        self.weights: Tensor | None = None
        # A loss that cannot do what is requested should say so before the training starts.
        self.loss(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), "train")

    def make_metrics(self, split: Split) -> Metrics:
        if split == "train":  # counting classes each step would slow a small network down
            return ClassMetrics()
        return DetailedMetrics(self.net.spec.target.names, per_class=split == "test")

    def measure(self, predictions: Tensor, targets: Tensor) -> dict[str, float]:
        counts = _counts(predictions, targets, len(self.net.spec.target.names))
        acc = (predictions == targets).sum() / len(targets)
        return {name: float(value) for name, value in {"acc": acc, **_f1(counts)}.items()}

    def skill(self, metrics: dict[str, Tensor], baselines: dict[str, dict[str, float]]) -> dict[str, Tensor | float]:
        best = max(own["acc"] for own in baselines.values())
        return {"skill": 1 - (1 - float(metrics["acc"])) / (1 - best)} if best < 1 else {}

    def on_fit_start(self) -> None:
        if self.balanced:
            counts = self.data.class_counts
            weights = torch.where(counts > 0, counts.sum() / (len(counts) * counts), 0.0)
            self.weights = weights.float().to(self.device)

    def loss(self, logits: Tensor, targets: Tensor, split: Split) -> Tensor:
        """Mean loss in nats; labels are smoothed in training only. Arguments as of `step`.

        With weights, it is the weighted mean: shares of two classes are shares of their weights.
        """
        smoothing = self.label_smoothing if split == "train" else 0.0
        if split == "train" and self.weights is not None:
            if targets.is_floating_point():
                total = (targets @ self.weights).sum()
                loss = cross_entropy(logits, targets, self.weights, reduction="sum", label_smoothing=smoothing) / total
            else:
                total = self.weights[targets].sum()
                loss = cross_entropy(logits, targets, self.weights, label_smoothing=smoothing)
            return loss * relative_to_mean(total)
        return self.criterion(logits, targets, smoothing)

    def step(self, batch: Batch, split: Split) -> Tensor:
        """The loss of one batch; observers get logits, float (batch, classes), and class numbers, int64 (batch,).

        In training, targets may be shares of the classes instead, float (batch, classes), where images are mixed.
        """
        inputs, targets = batch
        logits = self.net(inputs)
        loss = self.loss(logits, targets, split)
        cast(ClassMetrics, self.metrics(split)).update(loss.detach(), logits.detach(), targets)
        self.observe(split, logits.detach(), targets)
        return loss


def _counts(predictions: Tensor, targets: Tensor, num_classes: int) -> dict[str, Tensor]:
    """Of each class how many samples are predicted rightly, are predicted, and are there: int64 (classes,)."""
    own = (targets[predictions == targets], predictions, targets)
    return {name: each.bincount(minlength=num_classes) for name, each in zip(COUNTS, own, strict=True)}


def _f1(counts: dict[str, Tensor]) -> dict[str, Tensor]:
    """`f1` and `f1_weighted` of what `_counts` counts."""
    correct, predicted, occurring = (counts[name].float() for name in COUNTS)
    present = (predicted + occurring) > 0
    f1 = 2 * correct / (predicted + occurring).clamp(min=1)
    return {
        "f1": f1.sum() / present.sum(),
        "f1_weighted": (f1 * occurring).sum() / occurring.sum(),
    }


def _cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    return cross_entropy(logits, targets, label_smoothing=label_smoothing)
