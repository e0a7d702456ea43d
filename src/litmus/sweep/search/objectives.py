"""The objectives of a search: metrics, and for each whether it is minimized or maximized."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from litmus.config.validate import did_you_mean
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.record.metrics import available_metrics, mode_of, monitored, tasks_with

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Objectives:
    """The metrics that a search optimizes.

    Attributes:
        metrics: their names.
        directions: "minimize" or "maximize", for each.
    """

    metrics: tuple[str, ...]
    directions: tuple[Direction, ...]

    @property
    def worst(self) -> list[float]:
        """The values that a run which diverged is given: inf or -inf."""
        return [math.inf if direction == "minimize" else -math.inf for direction in self.directions]

    def values(self, metrics: Mapping[str, float | None], folder: Path) -> list[float]:
        """The objectives among a run's metrics, NaN for None (a file has no NaN).

        Args:
            metrics: of the run.
            folder: of the run, for the message.

        Raises:
            UserError: a run of this task does not have one of them.
        """
        for name in self.metrics:
            if name not in metrics:
                hint = did_you_mean(name, list(metrics))
                has = f"{folder} has {', '.join(metrics) or 'none'}."
                raise UserError(f"sweep.metric={name} is not a metric of these runs.{hint} {has}")
        found = [metrics[name] for name in self.metrics]
        return [math.nan if value is None else float(value) for value in found]

    def at_best_epoch(self, metrics: Mapping[str, float | None], folder: Path) -> list[float]:
        """The objectives at a run's best epoch; those that `result.json` does not hold are read from `metrics.csv`.

        Epoch 0, before the training, has neither time nor metrics of training: those are of the last epoch.

        Raises:
            UserError: a run of this task does not have one of them.
        """
        if not set(self.metrics) <= set(metrics):
            run = RunDir(folder)
            best = (run.read_result() or {}).get("best_epoch")
            rows = run.read_metrics()
            row = next((row for row in rows if row["epoch"] == best), {})
            if best == 0:
                row = rows[-1] | {name: value for name, value in row.items() if value is not None}
            metrics = {**row, **metrics}
        return self.values(metrics, folder)


def resolve_objectives(metrics: Sequence[str] | None, directions: Sequence[Direction] | None, task: str) -> Objectives:
    """The objectives; what is null follows from the task and from the metrics' names.

    Args:
        metrics: their names; None for the one that the task monitors.
        directions: one for each; None for those that the names imply.
        task: which the data makes: its target, `litmus.task.classification.Classification`.

    Raises:
        UserError: there is no such metric, or its name does not imply a direction.
    """
    monitor, mode = monitored(task)
    names = (monitor,) if metrics is None else tuple(metrics)
    available = available_metrics(task)
    if unknown := next((name for name in names if name not in available), None):
        hint = did_you_mean(unknown, available)
        own = task.split(".")[2]
        others = "".join(f" It is for task={name}; the data makes it task={own}." for name in tasks_with(unknown))
        raise UserError(
            f"sweep.metric={unknown} cannot be searched for.{others or hint} Available: {', '.join(available)}."
        )
    if directions is not None:
        return Objectives(names, tuple(directions))
    modes = [mode if name == monitor else mode_of(name) for name in names]
    return Objectives(names, tuple("minimize" if mode == "min" else "maximize" for mode in modes))


def check_objectives(
    metrics: Sequence[str] | None, directions: Sequence[str] | None, sampler: str, pruner: str
) -> None:
    """Checks what does not depend on the task.

    Raises:
        UserError: metrics, directions, sampler and pruner do not go together.
    """
    if metrics is not None and (not metrics or len(set(metrics)) < len(metrics)):
        raise UserError("sweep.metric must be one metric, or a list of different ones.")
    if test := next((name for name in metrics or () if name.startswith("test/")), None):
        raise UserError(f"sweep.metric={test}: a search that looks at the test set leaves nothing to test with.")
    number = 1 if metrics is None else len(metrics)
    if number > 1 and pruner != "none":
        raise UserError(f"sweep.pruner={pruner} compares trials by one metric, and sweep.metric has {number}.")
    if number > 1 and sampler == "cmaes":
        raise UserError(f"sweep.sampler=cmaes searches for one metric, and sweep.metric has {number}: use tpe.")
    if directions is not None and len(directions) != number:
        raise UserError(
            f"sweep.direction has {len(directions)}, sweep.metric has {number}: give one direction for each metric."
        )
