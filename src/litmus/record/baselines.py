"""What needs no network, among a run's metrics: `test/logistic_acc` stands beside `test/acc`."""

import math
from typing import NamedTuple

from litmus.config.types import Section
from litmus.record.metrics import deciding, mode_of

# By the name that its metrics' names begin with: as it is shown, and as it stands in a sentence.
BASELINES = {
    "majority": ("majority class", "the majority class"),
    "mean": ("training mean", "the training mean"),
    "median": ("training median", "the training median"),
    "naive": ("naive forecast", "the naive forecast"),
    "seasonal": ("seasonal forecast", "the seasonal forecast"),
    "logistic": ("logistic regression", "logistic regression"),
    "ridge": ("ridge regression", "ridge regression"),
    "trees": ("boosted trees", "boosted trees"),
}


def _are_equal(network: float, value: float) -> bool:
    return math.isclose(network, value, rel_tol=1e-6)


class Best(NamedTuple):
    """The best baseline of a split.

    Attributes:
        name: a key of `BASELINES`.
        metric: that decides: `test/acc`.
        value: of the baseline.
        network: the network's value.
    """

    name: str
    metric: str
    value: float
    network: float

    @property
    def is_beaten(self) -> bool:
        """Whether the network is better; as good is not enough."""
        return self.beats(self.network, self.value)

    def beats(self, network: float, value: float) -> bool:
        """Whether the first of two values of the metric is better, by more than float32's rounding."""
        if _are_equal(network, value):
            return False
        return network > value if mode_of(self.metric) == "max" else network < value

    @property
    def sentence(self) -> str:
        """That the network does not beat it."""
        than_network = "as well" if _are_equal(self.network, self.value) else "better"
        return (
            f"The network does not beat {BASELINES[self.name][1]} ({self.metric} {self.network:.4g} against "
            f"{self.value:.4g}): a method without a network does {than_network}."
        )


def baseline_metrics(metrics: Section) -> dict[tuple[str, str], dict[str, str]]:
    """The metrics of baselines: by split and baseline, `acc`, `rmse` and the like to the whole name."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in metrics:
        split, _, rest = name.partition("/")
        baseline, _, metric = rest.partition("_")
        if baseline in BASELINES and metrics.get(f"{split}/{metric}") is not None:
            found.setdefault((split, baseline), {})[metric] = name
    return found


def best_baseline(metrics: Section, split: str = "test") -> Best | None:
    """The best baseline of a split, by the metric that the task monitors; None where there is none."""
    ranked = ranked_baselines(metrics, split)
    if not ranked:
        return None
    name, metric = ranked[0]
    return Best(name, metric, metrics[f"{split}/{name}_{metric.partition('/')[2]}"], metrics[metric])


def ranked_baselines(metrics: Section, split: str) -> list[tuple[str, str]]:
    """The baselines of a split, the best first, each with the network's metric that decides: `test/acc`."""
    own = {baseline: names for (of, baseline), names in baseline_metrics(metrics).items() if of == split}
    metric = deciding(name for names in own.values() for name in names)
    if metric is None:
        return []
    whole = f"{split}/{metric}"
    sign = -1 if mode_of(whole) == "max" else 1
    order = sorted(own, key=lambda baseline: sign * metrics[own[baseline][metric]])
    return [(baseline, whole) for baseline in order]
