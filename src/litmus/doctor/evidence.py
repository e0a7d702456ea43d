"""What is known of a run, for the doctor's rules: plain values, so that a run can be examined without torch."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from litmus.config.epochs import passes_for
from litmus.config.keys import choice
from litmus.config.types import MIXING, Section

Z = 1.96  # standard errors on either side of a mean in which it lies with 95 %
COLLAPSED = 0.1  # how often all other classes are predicted, relative to how often they occur in training
UNEVEN = 1.3  # of the largest class to the mean one
NO_BOXES = 0.01  # average precision of a detector below which it finds nothing
AT_CHANCE = 0.02  # progress of a loss below which nothing is learned
FEW_STEPS = 50  # within which a network that learns may not have begun to
USUAL_RATES = {
    "sgd": 0.1,
    "adafactor": 0.01,
    "lion": 3e-4,
}  # learning rates that are usually tried first, by optimizer; 0.001 for others
NEAR = 5.0  # factor between two learning rates below which one is tried in vain where the other was
BEGUN = 0.3  # progress of a loss from which on samples are learned
BOUNDED = ("acc", "f1_micro", "map")  # monitored metrics in [0, 1]


@dataclass(frozen=True)
class Layer:
    """A layer of the network: its name in it and its class, as the summary shows it."""

    name: str
    type: str


@dataclass(frozen=True)
class Health:
    """What was measured of the layers in one epoch; a list has an entry for each layer, None where it has none.

    Attributes:
        epoch: counted from 1; 0 is the first step, before its update.
        gradient: the root mean square of the weight's gradient.
        update: the norm of a step's change of the weight, relative to the weight's.
        bias: the root mean square of the bias's gradient, relative to the weight's.
        rms: the root mean square of an activation's output.
        mean: the mean of an activation's output.
        dead: the fraction of a ReLU's units that gave 0 for every sample that was looked at.
        saturated: the fraction of a sigmoid's or tanh's outputs within a fiftieth of their range from its ends.
        peak_loss: the highest training loss of a step that was looked at.
        collapsed: the class that validation predicts most often, by number, and the fraction of samples; of this
            epoch's validation.
        label_issues: the fraction of validation labels that are wrong by confident learning.
        issue_spread: how evenly those are spread over pairs of classes, in [0, 1].
        issue_repeats: how often two of them of one label agree on the class, relative to chance.
        waiting: the fraction of the epoch's training time that was spent waiting for batches.
    """

    epoch: int
    gradient: Sequence[float | None] = ()
    update: Sequence[float | None] = ()
    bias: Sequence[float | None] = ()
    rms: Sequence[float | None] = ()
    mean: Sequence[float | None] = ()
    dead: Sequence[float | None] = ()
    saturated: Sequence[float | None] = ()
    peak_loss: float | None = None
    collapsed: tuple[int, float] | None = None
    label_issues: float | None = None
    issue_spread: float | None = None
    issue_repeats: float | None = None
    waiting: float | None = None


@dataclass(frozen=True)
class Evidence:
    """A run, as far as it came.

    Attributes:
        status: how it ended: finished, diverged, ...
        diverged: whether its loss is not finite in the end.
        config: its configuration, resolved.
        rows: of its epochs, by the metrics' names, as `metrics.csv` has them; epoch 0 is not among them.
        monitor: the metric that decides which epoch is best.
        mode: whether that should be large ("max") or small ("min").
        best_epoch: the one whose weights are kept.
        metrics: of the best epoch and the test, by name.
        baselines: of each method without a network its metrics in validation.
        unbeaten: where the network does not beat the best of those in the test, the network's value of the monitored
            metric, the baseline's, and a sentence that says so.
        sizes: samples of each split.
        names: of the classes or labels; empty for other targets.
        class_counts: training samples of each.
        repeated: how many samples of a split are in an earlier one, too.
        leaks: of each target, the columns that determine it, or nearly.
        first_loss: of the first step, before its update.
        first_norm: of the gradient of that step.
        input_size: the root mean square of the first batch of images or series; 1 after normalization.
        is_relative: whether the network's output before its training is a forecast, such as the last value.
        chance_loss: of a prediction that is the same for every sample, the best such: the entropy of the classes' or
            labels' frequencies in nats, the variance of standardized values. None where the loss is another.
        layers: those that were watched.
        health: of the epochs, the first step as epoch 0.
    """

    status: str
    diverged: bool
    config: Section
    rows: Sequence[Section]
    monitor: str
    mode: str
    best_epoch: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    unbeaten: tuple[float, float, str] | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    names: Sequence[str] = ()
    class_counts: Sequence[int] = ()
    repeated: Mapping[str, int] = field(default_factory=dict)
    leaks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    first_loss: float | None = None
    first_norm: float | None = None
    input_size: float | None = None
    is_relative: bool = False
    chance_loss: float | None = None
    layers: Sequence[Layer] = ()
    health: Sequence[Health] = ()

    def value(self, key: str) -> object:
        """A key of the configuration, as one types it: `model.dropout`; None where it has none."""
        found: object = self.config
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def number(self, key: str) -> float | None:
        """As `value`, where that is a number."""
        found = self.value(key)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None

    @property
    def task(self) -> str:
        """classification, multilabel, regression or detection."""
        return choice(self.config, "task")

    @property
    def metric(self) -> str:
        """The monitored metric without its split, such as `acc`."""
        return self.monitor.partition("/")[2]

    @property
    def sign(self) -> int:
        """1 where the monitored metric should be large, -1 where it should be small."""
        return 1 if self.mode == "max" else -1

    def curve(self, name: str) -> list[float]:
        """A metric's values by epoch, those that are finite."""
        values = [row.get(name) for row in self.rows]
        return [float(value) for value in values if value is not None and math.isfinite(value)]

    def at(self, epoch: int | None, name: str) -> float | None:
        """A metric's value in an epoch, None where it was not measured or is not finite."""
        row = next((row for row in self.rows if row.get("epoch") == epoch), None)
        value = None if row is None else row.get(name)
        return float(value) if value is not None and math.isfinite(value) else None

    @property
    def last_epoch(self) -> int:
        """The number of the last epoch, 0 before there is one."""
        return int(self.rows[-1]["epoch"]) if self.rows else 0

    @property
    def progress(self) -> float | None:
        """By what fraction the lowest training loss of an epoch is below that of chance; None without such a loss.

        1 is 0, or the least that there is where images are mixed.
        """
        losses = self.curve("train/loss")
        if not losses or not self.chance_loss:
            return None
        return (self.chance_loss - min(losses)) / (self.chance_loss - self.least_loss)

    @property
    def least_loss(self) -> float:
        """What is left of the training loss where all is learned: the mean entropy of the targets, in nats.

        Two mixed samples of different classes have shares s and 1 - s. With s uniform, as that of mixup, their entropy
        is 1/2 in the mean; that of CutMix is nearly so.
        """
        if self.value("data.augment") not in MIXING or not sum(self.class_counts):
            return 0.0
        shares = [count / sum(self.class_counts) for count in self.class_counts]
        return 0.5 * (1 - sum(share**2 for share in shares))

    @property
    def num_steps(self) -> int:
        """Those of the training so far."""
        return int(self.rows[-1].get("step") or 0) if self.rows else 0

    @property
    def step_limit(self) -> int | None:
        """`trainer.max_steps`, where that ended the training."""
        most: int | None = self.config["trainer"].get("max_steps")
        return most if most is not None and self.num_steps >= most else None

    def epochs_override(self, wanted: int) -> str | None:
        """The overrides of so many epochs, counted in steps where those ended the training.

        Each limit is raised that would end it before; None where the run was to have as many already.
        """
        trainer, steps = self.config["trainer"], math.ceil(self.num_steps * wanted / self.last_epoch)
        most: int | None = trainer.get("max_steps")
        if self.step_limit is not None:
            wanted = math.ceil(steps / self.steps_per_epoch)
        passes = passes_for(wanted, trainer)
        words = [f"trainer.max_steps={steps}"] if most is not None and steps > most else []
        words += [f"trainer.max_epochs={passes}"] if passes > trainer["max_epochs"] else []
        return " ".join(words) or None

    @property
    def steps_per_epoch(self) -> float:
        """At least 1. Those of the first epoch: none has fewer, but for the last of a training that steps ended."""
        return max(1, (self.rows[0].get("step") or 0) / self.rows[0]["epoch"])

    @property
    def lower_rate(self) -> str | None:
        """The override of a learning rate that is a tenth of the run's, and no higher than usual ones."""
        rate = self.number("optimizer.lr")
        return None if rate is None else f"optimizer.lr={min(rate / 10, self._usual_rate):.3g}"

    @property
    def usual_rate(self) -> str | None:
        """The override of a learning rate that is usually tried first; None where the run's is near it."""
        rate = self.number("optimizer.lr")
        is_other = rate is not None and not 1 / NEAR <= rate / self._usual_rate <= NEAR
        return f"optimizer.lr={self._usual_rate:g}" if is_other else None

    @property
    def _usual_rate(self) -> float:
        return USUAL_RATES.get(choice(self.config, "optimizer"), 0.001)

    @property
    def loss_in_words(self) -> str:
        """How the lowest training loss compares to that of chance."""
        lowest, progress = min(self.curve("train/loss")), self.progress or 0.0
        if progress <= 0:
            return f"train/loss, at best {lowest:.4g}, is not below that of a constant prediction"
        return f"train/loss is only {progress:.0%} below that of a constant prediction"

    @property
    def peak(self) -> float | None:
        """The highest training loss of an epoch, relative to that of chance or of the first step if that is more."""
        losses = self.curve("train/loss")
        if not losses or not self.chance_loss:
            return None
        return max(losses) / max(self.chance_loss, self.first_loss or 0.0)

    @property
    def step_peak(self) -> float | None:
        """As `peak`, of a single step."""
        losses = [each.peak_loss for each in self.trained if each.peak_loss is not None]
        if not losses or not self.chance_loss:
            return None
        return max(losses) / max(self.chance_loss, self.first_loss or 0.0)

    @property
    def start_ratio(self) -> float | None:
        """See `gradient_ratio`, in the first step."""
        return gradient_ratio(self.start) if self.start else None

    @property
    def is_val_at_chance(self) -> bool:
        """Whether no epoch predicts the validation samples better than a constant, by loss and by accuracy.

        Of networks without a loss of chance, by accuracy alone; of detectors, whether hardly any box is right.
        """
        if self.task == "detection":
            found = self.curve(self.monitor)
            return bool(found) and max(found) < NO_BOXES
        losses, constant = self.curve("val/loss"), self.baselines.get("mean", {}).get(self.metric)
        if not losses or self.is_relative or self._beats_majority:
            return False
        if constant is not None:  # of validation samples few in number, whose variance is not that of training
            return min(self.curve(self.monitor), default=constant) ** 2 >= (1 - AT_CHANCE) * constant**2
        if self.chance_loss is None:
            return self.task == "classification" and self._majority is not None
        return min(losses) >= (1 - AT_CHANCE) * self.chance_loss

    @property
    def is_learnable(self) -> bool:
        """Whether a baseline predicts the classes of validation better than the largest class, by more than chance.

        Without a baseline, nobody knows that it does not.
        """
        found = [own["acc"] for name, own in self.baselines.items() if name != "majority" and "acc" in own]
        number, share = self.sizes.get("val", 0), self._majority
        if not found or share is None or number < 2:
            return True
        return max(found) > share + Z * math.sqrt(share * (1 - share) / number)

    @property
    def is_by_heart(self) -> bool:
        """Whether training samples are learned, and validation is never better than a constant."""
        return self.is_val_at_chance and (self.progress or 0.0) >= BEGUN

    @property
    def _majority(self) -> float | None:
        """The share of the class with most training samples."""
        return max(self.class_counts) / sum(self.class_counts) if sum(self.class_counts) else None

    @property
    def _beats_majority(self) -> bool:
        """Whether the best validation accuracy is above the share of the largest class by more than its interval."""
        found, number, share = self.curve("val/acc"), self.sizes.get("val", 0), self._majority
        if self.task != "classification" or not found or share is None or number < 2:
            return False
        return max(found) > share + 3 * math.sqrt(share * (1 - share) / number)

    @property
    def preferred(self) -> tuple[int, float] | None:
        """The class that the kept epoch predicts most often, by number, and for what fraction of the samples."""
        row = next((each for each in self.trained if each.epoch == self.best_epoch), None)
        return None if row is None else row.collapsed

    @property
    def val_error(self) -> float | None:
        """The standard error of the monitored metric on the validation split, for metrics that are fractions."""
        number, value = self.sizes.get("val", 0), self.at(self.best_epoch, self.monitor)
        if self.metric not in BOUNDED or not number or value is None:
            return None
        return error_of(value, number)

    @property
    def best_baseline(self) -> tuple[str, float] | None:
        """The method without a network that is best in validation, by name, and its value of the monitored metric."""
        found = {name: own[self.metric] for name, own in self.baselines.items() if self.metric in own}
        if not found:
            return None
        name = max(found, key=lambda each: self.sign * found[each])
        return name, found[name]

    @property
    def start(self) -> Health | None:
        """What the first step found, before its update."""
        return next((each for each in self.health if each.epoch == 0), None)

    @property
    def trained(self) -> list[Health]:
        """What the epochs found."""
        return [each for each in self.health if each.epoch > 0]

    @property
    def step_size(self) -> float | None:
        """The median over epochs of the largest update-to-weight ratio of a layer.

        The last one is left out where there are others: it may begin with zeros.
        """
        return statistics.median(self._steps) if self._steps else None

    @property
    def largest_step(self) -> float | None:
        """The same of the epoch in which it is largest."""
        return max(self._steps, default=None)

    @property
    def _steps(self) -> list[float]:
        return [max(found[:-1] or found) for each in self.trained if (found := _known(each.update))]


def is_collapse(evidence: Evidence) -> bool:
    """Whether the kept epoch predicts one class for nearly all validation samples, and that has clearly fewer."""
    if evidence.preferred is None or not sum(evidence.class_counts):
        return False
    number, share = evidence.preferred
    others = 1 - evidence.class_counts[number] / sum(evidence.class_counts)
    return 1 - share <= COLLAPSED * others


def is_uneven(evidence: Evidence) -> bool:
    """Whether the largest class has clearly more training samples than an even split would give it."""
    counts = evidence.class_counts
    return bool(sum(counts)) and max(counts) > UNEVEN * sum(counts) / len(counts)


def prefers_largest(evidence: Evidence) -> bool:
    """Whether nearly all are predicted as the most frequent of uneven classes: `class_collapse` says more."""
    return is_collapse(evidence) and is_uneven(evidence)


def error_of(fraction: float, number: int) -> float:
    """The standard error of a fraction of so many samples; of 0 and 1, too (Agresti and Coull 1998)."""
    share = (fraction * number + 1) / (number + 2)
    return math.sqrt(share * (1 - share) / number)


def gradient_ratio(health: Health) -> float | None:
    """The first layer's gradient relative to that of the last one below the head; None for fewer than two of those.

    A head that begins with zeros passes no gradient on at first, to all layers alike.
    """
    found = _known(health.gradient)[:-1]
    return found[0] / found[-1] if len(found) > 1 and found[-1] > 0 else None


def _known(values: Sequence[float | None]) -> list[float]:
    """Those that were measured and are finite."""
    return [value for value in values if value is not None and math.isfinite(value)]


def known(values: Sequence[float | None]) -> list[tuple[int, float]]:
    """The number of each layer that has a finite value, and the value."""
    return [(i, value) for i, value in enumerate(values) if value is not None and math.isfinite(value)]
