"""What a search is for: metrics, and for each whether it should be small or large."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from litmus.config.validate import did_you_mean
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.record.metrics import measured, mode_of, monitored, task_that_decides_by, tasks_with

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Objectives:
    """The metrics that a search looks at.

    Attributes:
        metrics: their names.
        directions: "minimize" or "maximize", for each.
    """

    metrics: tuple[str, ...]
    directions: tuple[Direction, ...]

    @property
    def worst(self) -> list[float]:
        """The values of a run that diverged."""
        return [math.inf if direction == "minimize" else -math.inf for direction in self.directions]

    def values(self, measured: Mapping[str, Any], folder: Path) -> list[float]:
        """Of what a run measured the objectives; None is what a file has for something that is not a number.

        Raises:
            UserError: it does not measure one of them.
        """
        for name in self.metrics:
            if name not in measured:
                hint = did_you_mean(name, list(measured))
                has = f"{folder} has {', '.join(measured) or 'nothing'}."
                task = task_that_decides_by(measured)
                other = f" The data makes it task={task}: add that." if task and task not in tasks_with(name) else ""
                raise UserError(f"sweep.metric={name} is not measured.{hint} {has}{other}")
        return [math.nan if measured[name] is None else float(measured[name]) for name in self.metrics]

    def of_best_epoch(self, metrics: Mapping[str, Any], folder: Path) -> list[float]:
        """The objectives at a run's best epoch; what `result.json` leaves out of it stands in `metrics.csv`.

        Raises:
            UserError: one of them is not measured.
        """
        if not set(self.metrics) <= set(metrics):
            run = RunDir(folder)
            best = (run.read_result() or {}).get("best_epoch")
            row = next((row for row in run.read_metrics() if row["epoch"] == best), {})
            metrics = {**row, **metrics}
        return self.values(metrics, folder)


def decided(metrics: Sequence[str] | None, directions: Sequence[Direction] | None, task: str) -> Objectives:
    """The objectives, where they were left to the task and to the metrics' names.

    Args:
        metrics: their names; None is the one that the task monitors.
        directions: one for each; None is what the names say.
        task: its target, `litmus.task.classification.Classification`.

    Raises:
        UserError: there is no such metric, or its name does not say.
    """
    monitor, mode = monitored(task)
    names = (monitor,) if metrics is None else tuple(metrics)
    there = measured(task)
    if unknown := next((name for name in names if name not in there), None):
        hint = did_you_mean(unknown, there)
        others = "".join(f" It is for task={name}: add that." for name in tasks_with(unknown))
        raise UserError(
            f"sweep.metric={unknown} is not something to search for.{others or hint} There are {', '.join(there)}."
        )
    if directions is not None:
        return Objectives(names, tuple(directions))
    modes = [mode if name == monitor else mode_of(name) for name in names]
    return Objectives(names, tuple("minimize" if mode == "min" else "maximize" for mode in modes))


def refuse(metrics: Sequence[str] | None, directions: Sequence[str] | None, sampler: str, pruner: str) -> None:
    """Refuses what cannot be, whatever the task.

    Raises:
        UserError: metrics, directions, sampler and pruner do not go together.
    """
    if metrics is not None and (not metrics or len(set(metrics)) < len(metrics)):
        raise UserError("sweep.metric is one metric, or a list of different ones.")
    if test := next((name for name in metrics or () if name.startswith("test/")), None):
        raise UserError(f"sweep.metric={test}: a search that looks at the test set leaves nothing to test with.")
    number = 1 if metrics is None else len(metrics)
    if number > 1 and pruner != "none":
        raise UserError(f"sweep.pruner={pruner} compares trials by one metric, and sweep.metric has {number}.")
    if number > 1 and sampler == "cmaes":
        raise UserError(f"sweep.sampler=cmaes searches for one metric, and sweep.metric has {number}: use tpe.")
    if directions is not None and len(directions) != number:
        raise UserError(f"sweep.direction has {len(directions)}, sweep.metric has {number}: there is one for each.")
