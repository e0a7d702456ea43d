"""Multi-label classification: any number of labels out of several."""

from collections.abc import Sequence
from typing import ClassVar, Literal, cast

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from litmus.config.protocols import Net, Split
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.task._base import Batch, MakeOptimizer, MakeScheduler, Task
from litmus.task._metrics import Metrics


class LabelMetrics(Metrics):
    """Mean loss, F1, and how often all labels of a sample are right.

    A label is predicted where its probability is above 0.5: its logit above 0. Over all samples and labels, F1 is
    2 TP / (2 TP + FP + FN), 0 without any: scikit-learn's `f1_score(average="micro")`. `f1_macro` is the mean of the
    labels' own, of those that occur in the targets or the predictions: of others, nothing was measured.

    Args:
        names: of the labels.
        per_label: whether precision and recall of each label are given, too.
    """

    def __init__(self, names: Sequence[str], per_label: bool) -> None:
        super().__init__()
        self.names = tuple(names)
        self.per_label = per_label

    def update(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Adds a batch: its mean loss, (batch, labels) logits, and (batch, labels) of 0 and 1."""
        counts = label_counts(logits > 0, targets.bool())
        self.add(len(targets), loss=(loss * len(targets)).float(), **counts)

    def from_sums(self, sums: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
        """`loss`, the mean over samples and labels, in nats; `f1_micro`, `f1_macro`, `exact_match`.

        `precision_<name>` and `recall_<name>` are of each label that counts.
        """
        metrics = {"loss": sums["loss"] / num_samples, **from_counts(sums, num_samples)}
        if self.per_label:
            correct, predicted, occurring = sums["correct"], sums["predicted"], sums["occurring"]
            precision, recall = correct / predicted.clamp(min=1), correct / occurring.clamp(min=1)
            for i in (predicted + occurring).nonzero().flatten().tolist():
                metrics |= {f"precision_{self.names[i]}": precision[i], f"recall_{self.names[i]}": recall[i]}
        return metrics


class Multilabel(Task):
    """Binary cross-entropy of each label, or the network's own loss; F1, and per label in the test.

    `balanced` weighs a label's positive training samples by its negatives / positives, so that both weigh the same.

    Beside the network's metrics stand those of baselines, unless `baselines` is false. `skill` is the fraction that the
    network makes up for of what the best lacks: 1 - (1 - f1_micro) / (1 - f1_micro of the best). There is none where
    that lacks nothing.
    """

    monitor: ClassVar = "val/f1_micro"
    mode: ClassVar[Literal["min", "max"]] = "max"
    metric_names: ClassVar = {"loss": "min", "f1_micro": "max", "f1_macro": "max", "exact_match": "max", "skill": "max"}
    headline: ClassVar = ("loss", "f1_micro", "f1_macro")

    @checked
    def __init__(
        self, net: Net, optimizer: MakeOptimizer, scheduler: MakeScheduler, *, balanced: bool, baselines: bool
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        self.baselines = baselines
        self.balanced = balanced
        self.criterion = net.criterion or _cross_entropy
        if balanced and net.criterion:
            raise UserError(
                "task.balanced=true cannot be used: this network has a loss of its own, without weights of labels."
            )
        self.weights: Tensor | None = None

    def make_metrics(self, split: Split) -> Metrics:
        return LabelMetrics(self.net.spec.target.names, per_label=split == "test")

    def measure(self, predictions: Tensor, targets: Tensor) -> dict[str, float]:
        counts = label_counts(predictions.bool(), targets.bool())
        return {name: float(value) for name, value in from_counts(counts, len(targets)).items()}

    def skill(self, metrics: dict[str, Tensor], baselines: dict[str, dict[str, float]]) -> dict[str, Tensor | float]:
        best = max(own["f1_micro"] for own in baselines.values())
        return {"skill": 1 - (1 - float(metrics["f1_micro"])) / (1 - best)} if best < 1 else {}

    def on_fit_start(self) -> None:
        if self.balanced:
            positives, number = self.data.class_counts, self.data.sizes["train"]
            self.weights = ((number - positives) / positives.clamp(min=1)).float().to(self.device)

    def step(self, batch: Batch, split: Split) -> Tensor:
        """The loss of one batch; observers get logits, float (batch, labels), and uint8 of the same shape."""
        inputs, targets = batch
        logits = self.net(inputs)
        if split == "train" and self.weights is not None:
            loss = binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), pos_weight=self.weights)
        else:
            loss = self.criterion(logits, targets, 0.0)
        cast(LabelMetrics, self.metrics(split)).update(loss.detach(), logits.detach(), targets)
        self.observe(split, logits.detach(), targets)
        return loss


def label_counts(predicted: Tensor, true: Tensor) -> dict[str, Tensor]:
    """By label how often it is right, predicted, and there; and the samples of which all labels are right.

    Args:
        predicted: bool (samples, labels).
        true: bool (samples, labels).
    """
    return {
        "correct": (predicted & true).sum(dim=0),
        "predicted": predicted.sum(dim=0),
        "occurring": true.sum(dim=0),
        "exact": (predicted == true).all(dim=1).sum(),
    }


def from_counts(counts: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
    """`f1_micro`, `f1_macro` and `exact_match` of what `label_counts` counts."""
    correct, marked = counts["correct"], counts["predicted"] + counts["occurring"]
    return {
        "f1_micro": 2 * correct.sum() / marked.sum().clamp(min=1),
        "f1_macro": (2 * correct / marked.clamp(min=1)).sum() / (marked > 0).sum().clamp(min=1),
        "exact_match": counts["exact"] / num_samples,
    }


def _cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:  # noqa: ARG001  # a Criterion
    return binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))
