"""Mean curves over the seeds of a setting, for figures and as TensorBoard runs."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from litmus.compare.collect import MetricRow, Run
from litmus.compare.ranking import Ranking
from litmus.record.events import PREFIX, event_file

EVENTS = f"{PREFIX}0.litmus-compare"
MOST_WRITTEN = 100  # settings of a ranking; more are not legible in TensorBoard
LONGEST = 100  # characters of a TensorBoard run's name
SPLITS = ("train/", "val/")


@dataclass(frozen=True)
class Curve:
    """A metric by epoch: the mean over seeds, and the lowest and highest of them."""

    epochs: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


def mean_curve(runs: Sequence[Sequence[MetricRow]], metric: str) -> Curve:
    """The mean over runs, for the epochs that all of them have.

    Where some stopped early, the curve ends with the first of them: beyond, it would be a mean over other runs.

    Args:
        runs: the rows of each run's metrics.csv.
        metric: a column.
    """
    values = [by_epoch(each, metric) for each in runs]
    epochs = sorted(set.intersection(*(set(each) for each in values))) if values else []
    columns = [[each[epoch] for each in values] for epoch in epochs]
    mean = [math.fsum(column) / len(column) for column in columns]
    return Curve(epochs, mean, [min(column) for column in columns], [max(column) for column in columns])


def by_epoch(rows: Sequence[MetricRow], metric: str) -> dict[float, float]:
    """The finite values of a metric, by the number of their epoch."""
    values = {epoch: row.get(metric) for row in rows if (epoch := row.get("epoch")) is not None}
    return {epoch: value for epoch, value in values.items() if value is not None and math.isfinite(value)}


def tensorboard_files(rankings: Sequence[Ranking]) -> dict[str, bytes]:
    """Each setting's mean curves as a TensorBoard run of its own: the files' contents by their paths."""
    files: dict[str, bytes] = {}
    for ranking in rankings:
        below = f"tensorboard/{file_name(f'{ranking.data}-{ranking.metric}')}" if len(rankings) > 1 else "tensorboard"
        for row in ranking.rows[:MOST_WRITTEN]:
            name = file_name(ranking.label(row))
            path = f"{below}/{name}/{EVENTS}"
            if path in files:  # two names that are the same once they are shortened
                path = f"{below}/{name[: LONGEST - 6]}~{row.rank}/{EVENTS}"
            files[path] = _events(row.runs)
    return files


def file_name(text: str) -> str:
    """A name for a file or folder, of characters that every system allows."""
    return re.sub(r"[^\w.=,+@]+", "-", text.replace("  ", ","))[:LONGEST].strip(".-") or "-"


def _events(runs: Sequence[Run]) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    ended = max(run.ended for run in runs)
    rows = runs[0].rows
    steps = {epoch: row.get("step") or epoch for row in rows if (epoch := row.get("epoch")) is not None}
    names = [name for name in (rows[0] if rows else ()) if name.startswith(SPLITS)]
    values: dict[float, list[Summary.Value]] = {}
    for name in names:
        curve = mean_curve([run.rows for run in runs], name)
        for epoch, mean in zip(curve.epochs, curve.mean, strict=True):
            values.setdefault(epoch, []).append(Summary.Value(tag=name, simple_value=mean))
    events = [Event(wall_time=ended, file_version="brain.Event:2")]
    for epoch, each in sorted(values.items()):
        events.append(Event(wall_time=ended, step=int(steps[epoch]), summary=Summary(value=each)))
    return event_file(events)
