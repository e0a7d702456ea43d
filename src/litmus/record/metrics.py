"""Which metric a task monitors, its direction, and which others there are: known without importing torch.

A task says it in class attributes; they are read from the source text, as signatures are: see `litmus.config.validate`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.config.validate import class_attributes
from litmus.errors import UserError

METERED = {  # by `callback.meter`; of some nobody can say whether they should be large
    "optim/lr": None,
    "optim/grad_norm": None,
    "optim/l2_penalty": None,
    "time/epoch_seconds": "min",
    "time/samples_per_second": "max",
}
TIE_BREAKER = "val/loss"  # the lower, the better: it decides between epochs whose monitored metric is the same
# By how many standard errors the validation loss is below that of the network before its training, which is epoch 0:
# see `task.regression.ForecastMetrics`.
GAIN = "val/gain"
MIN_SCORE = 0.25  # from which a box counts, where the run chose no score
PER_CLASS = {"precision": "max", "recall": "max", "f1": "max"}  # followed by the name of a class


def monitored(task_target: str) -> tuple[str, str]:
    """The metric that decides which epoch is best, and "min" or "max".

    Args:
        task_target: `litmus.task.classification.Classification` and the like.

    Raises:
        UserError: the target is no class of this package that has both.
    """
    attributes = _attributes(task_target)
    return str(attributes["monitor"]), str(attributes["mode"])


def best_row(rows: Sequence[Section], task_target: str, kept_step: int | None = None) -> Section:
    """The epoch of which the weights were kept; else that which is best by the monitored metric, then by the loss.

    Args:
        rows: of the epochs, by the metrics' names; at least one.
        task_target: see `monitored`.
        kept_step: the optimizer step at which `best.ckpt` was written, if there is one.
    """
    kept = next((row for row in rows if row.get("step") == kept_step), None)
    if kept is not None:
        return kept
    monitor, mode = monitored(task_target)
    sign = 1 if mode == "max" else -1

    def score(row: Section) -> float:
        value = row.get(monitor)
        return -math.inf if value is None or math.isnan(value) else sign * value

    best = max(map(score, rows))
    return min((row for row in rows if score(row) == best), key=lambda row: row.get(TIE_BREAKER) or 0.0)


def monitored_in(task_target: str, metrics: Iterable[str]) -> tuple[str, str]:
    """As `monitored`, of what a run of that task has measured: its data may have made another task of it."""
    names = set(metrics)
    targets = [task_target, *(target for target in _targets() if target != task_target)]
    return next((found for found in map(monitored, targets) if found[0] in names), monitored(task_target))


def has_diverged(metrics: Mapping[str, float | None]) -> bool:
    """Whether a loss in training or validation is not finite, None included: a file has no NaN.

    Other metrics may stay finite then: logits of NaN all say the first class, which most samples may have. And others
    may be undefined for a network in good health, as a correlation with constant predictions is.
    """
    losses = (value for name, value in metrics.items() if name.endswith("loss") and not name.startswith("test/"))
    return not all(value is not None and math.isfinite(value) for value in losses)


def tasks_with(metric: str) -> list[str]:
    """The names of the tasks that measure it: `["regression"]`."""
    return [target.split(".")[2] for target in _targets() if metric in available_metrics(target)]


def deciding(metrics: Iterable[str]) -> str | None:
    """The metric that decides which run is best, its split left out, such as `acc`; None if it is not among these."""
    decide = {monitored(target)[0].partition("/")[2] for target in _targets()}
    return next((name for name in metrics if name in decide), None)


def _targets() -> list[str]:
    modules = sorted(path.stem for path in (Path(__file__).parents[1] / "task").glob("[!_]*.py"))
    return [f"litmus.task.{module}.{module.capitalize()}" for module in modules]


def available_metrics(task_target: str) -> tuple[str, ...]:
    """The metrics that a run of this task may have for every epoch: which of them it has, network and data decide.

    Raises:
        UserError: as `monitored`.
    """
    names = _attributes(task_target)["metric_names"]
    return (*(f"val/{name}" for name in names), *(f"train/{name}" for name in names), *METERED)


def _attributes(task_target: str) -> Section:
    names = ("monitor", "mode", "metric_names")
    values = class_attributes(task_target, names) if task_target.startswith("litmus.task.") else {}
    if set(values) != set(names):
        raise UserError(f"{task_target} is not a task of litmus that names its monitored metric.")
    return values


def mode_of(metric: str) -> str:
    """Whether a metric should be as large ("max") or as small ("min") as possible: see a task's `metric_names`.

    Args:
        metric: as it is logged: `val/acc`, `time/epoch_seconds`, `val/seasonal_rmse`, `test/recall_cat`...

    Raises:
        UserError: nobody says.
    """
    name = metric.partition("/")[2] or metric
    known = {key: mode for target in _targets() for key, mode in _attributes(target)["metric_names"].items()}
    first, _, rest = name.partition("_")  # `recall_cat`, `rmse_price`; of a baseline `ridge_rmse`, `ridge_rmse_price`
    second = rest.partition("_")[0]
    found = METERED.get(metric) or known.get(name) or PER_CLASS.get(first) or known.get(first)
    found = found or known.get(rest) or known.get(second)
    if found is None:
        raise UserError(
            f"{metric} does not say whether it should be minimized or maximized: add sweep.direction=minimize or "
            "sweep.direction=maximize."
        )
    return str(found)


def of_the_whole(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics without those of one class or value, of which there may be thousands."""
    own = dict(metrics)
    values = (names for split in ("train", "val", "test") for names in per_value(own, split).values())
    apart = {name for names in (*per_class(own).values(), *values) for name in names.values()}
    return {name: value for name, value in own.items() if name not in apart}


def per_class(metrics: Section) -> dict[str, dict[str, str]]:
    """Of the test's metrics those of one class: by class, `precision` and `recall` to the metric's name."""
    found: dict[str, dict[str, str]] = {}
    for name in metrics:
        for what in ("precision", "recall"):
            if name.startswith(prefix := f"test/{what}_"):
                found.setdefault(name.removeprefix(prefix), {})[what] = name
    return found


def per_value(metrics: Section, split: str = "test") -> dict[str, dict[str, str]]:
    """A split's metrics of one value: by the target's name, or `step3`, `rmse` and `mae` to the metric's name."""
    found: dict[str, dict[str, str]] = {}
    for name in metrics:
        for what in ("rmse", "mae"):
            if name.startswith(prefix := f"{split}/{what}_"):
                found.setdefault(name.removeprefix(prefix), {})[what] = name
    return found


def min_score_of(net: Net) -> float:
    """The score from which a box counts: the one that the run chose on its validation split, else `MIN_SCORE`.

    A run of whose boxes none was right has chosen 1, which no box reaches.
    """
    return net.min_score if net.min_score is not None and net.min_score < 1 else MIN_SCORE
