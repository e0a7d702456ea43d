"""Which metric a task monitors, its direction, and which others there are: known without importing torch.

A task says it in class attributes; they are read from the source text, as `litmus.config.validate` reads signatures.
"""

import ast
import functools
import importlib
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path

from litmus.config.types import Section
from litmus.errors import UserError

# What in a metric's name follows `train/`, `val/`, `test/`, `time/`. The first pattern that fits decides: `skill_mae`
# grows as the error falls, and a class may be called `loss`.
_MODES = (
    ("max", r"acc|f1(_.+)?|(precision|recall)(_.+)?|r|skill(_.+)?|map\d*|samples_per_second"),
    ("min", r"(.+_)?(loss|rmse|mae|seconds)"),
)

METERED = (  # by `callback.meter`
    *("optim/lr", "optim/grad_norm", "optim/l2_penalty"),
    *("time/epoch_seconds", "time/samples_per_second"),
)


def monitored(task_target: str) -> tuple[str, str]:
    """The metric that decides which epoch is best, and "min" or "max".

    Args:
        task_target: `litmus.task.classification.Classification` and the like.

    Raises:
        UserError: the target is no class of this package that has both.
    """
    attributes = _attributes(task_target)
    return str(attributes["monitor"]), str(attributes["mode"])


def decisive(task_target: str, metrics: Iterable[str]) -> tuple[str, str]:
    """As `monitored`, of what a run of that task has measured: its data may have made another task of it."""
    names = set(metrics)
    targets = [task_target, *(target for target in _targets() if target != task_target)]
    return next((found for found in map(monitored, targets) if found[0] in names), monitored(task_target))


def tasks_with(metric: str) -> list[str]:
    """The names of the tasks that measure it: `["regression"]`."""
    return [target.split(".")[2] for target in _targets() if metric in measured(target)]


def task_that_decides_by(metrics: Iterable[str]) -> str | None:
    """The name of the task that monitors one of these metrics, if there is one."""
    names = set(metrics)
    return next((target.split(".")[2] for target in _targets() if monitored(target)[0] in names), None)


def _targets() -> list[str]:
    modules = sorted(path.stem for path in (Path(__file__).parents[1] / "task").glob("[!_]*.py"))
    return [f"litmus.task.{module}.{module.capitalize()}" for module in modules]


def measured(task_target: str) -> tuple[str, ...]:
    """The metrics that a run of this task may have for every epoch: which of them it has, network and data decide.

    Raises:
        UserError: as `monitored`.
    """
    names = _attributes(task_target)["metric_names"]
    return (*(f"val/{name}" for name in names), *(f"train/{name}" for name in names), *METERED)


@functools.cache
def _attributes(task_target: str) -> Section:
    module_name, _, name = task_target.rpartition(".")
    found = importlib.util.find_spec(module_name) if module_name.startswith("litmus.task.") else None
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8") if found and found.origin else "")
    body = next((node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), [])
    values = {
        node.target.id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id in ("monitor", "mode", "metric_names")
        and node.value is not None
    }
    if not {"monitor", "mode", "metric_names"} <= set(values):
        raise UserError(f"{task_target} is not a task of litmus that names its monitored metric.")
    return values


def mode_of(metric: str) -> str:
    """Whether a metric should be as large ("max") or as small ("min") as possible, by its name.

    Args:
        metric: as it is logged: `val/acc`, `time/epoch_seconds`, `val/seasonal_rmse`...

    Raises:
        UserError: the name does not say.
    """
    name = metric.rpartition("/")[2]
    for mode, pattern in _MODES:
        if re.fullmatch(pattern, name):
            return mode
    raise UserError(
        f"Whether {metric} should be small or large, its name does not say: "
        "add sweep.direction=minimize or sweep.direction=maximize."
    )


FORECASTS = ("naive", "seasonal")  # that a time series is compared with


def per_class(metrics: Section) -> dict[str, dict[str, str]]:
    """Of the test's metrics those of one class: by class, `precision` and `recall` to the metric's name."""
    found: dict[str, dict[str, str]] = {}
    for name in metrics:
        for what in ("precision", "recall"):
            if name.startswith(prefix := f"test/{what}_"):
                found.setdefault(name.removeprefix(prefix), {})[what] = name
    return found


def references(metrics: Section) -> dict[tuple[str, str], dict[str, str]]:
    """The metrics of naive forecasts: by split and forecast, `rmse` and `mae` to the metric's name."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in metrics:
        split, _, rest = name.partition("/")
        forecast, _, error = rest.partition("_")
        if forecast in FORECASTS and error in ("rmse", "mae"):
            found.setdefault((split, forecast), {})[error] = name
    return found
