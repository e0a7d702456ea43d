"""TensorBoard's HParams tab: the rows of runs that have none of their own, and which columns it shows.

The columns are those in which runs differ, and the model. By default it shows all, and of constant ones some. A summary
of the whole experiment says which there are: the first that TensorBoard finds among all runs counts, so that only
whoever knows all runs can write it.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from litmus.config.tags import WHEN_BEST, columns
from litmus.errors import UserError
from litmus.record.events import PREFIX, ROW, event_file, experiment, row, scalars
from litmus.record.folder import RESULT, RunDir
from litmus.record.metrics import deciding, of_the_whole

EXPERIMENT = f"{PREFIX}0.litmus-columns"  # the name of its file
ADDED_ROW = f"{PREFIX}0.litmus{ROW}"
SHOWN = 5  # columns that TensorBoard ticks, the first by name of those that differ
Row = dict[str, str | float | bool]


@dataclass(frozen=True)
class Finished:
    """A run that has measured anything.

    Attributes:
        row: its hyperparameters.
        metrics: of the best epoch and of the test, without those of one class or value.
        steps: how many it made.
    """

    row: Row
    metrics: dict[str, float]
    steps: int


def row_file(run: Path) -> bytes | None:
    """The event file with a run's row, as `callback.dashboard` writes it; None for a run that has measured nothing.

    Runs of earlier versions have theirs in a folder of its own, which would count as a second run.
    """
    from tensorboard.compat.proto.event_pb2 import Event

    read = _read(run, _ended(run))
    if read is None:
        return None
    points = scalars({f"{WHEN_BEST}{name}": value for name, value in read.metrics.items() if value is not None})
    events = [*(Event(summary=each) for each in row(read.row)), Event(step=read.steps, summary=points)]
    return event_file([Event(file_version="brain.Event:2"), *events])


def experiment_file(runs: Sequence[Path]) -> bytes | None:
    """The event file with a summary of some runs, the latest first; None where none of them has measured anything."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams import api_pb2

    read = [found for run in runs if (found := _read(run, _ended(run))) is not None]
    if not read:
        return None
    rows = [each.row for each in read]
    varying = [
        key
        for key in dict.fromkeys(key for row in rows for key in row)
        if len({repr(row.get(key)) for row in rows}) > 1
    ]
    first = ["model", *(key for key in varying if key != "model")]
    hparams = [_info(key, [row[key] for row in rows if key in row], shown=i < SHOWN) for i, key in enumerate(first)]
    metrics = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=f"{WHEN_BEST}{name}"), display_name=name)
        for name in _ordered([list(each.metrics) for each in read])
    ]
    return event_file([Event(file_version="brain.Event:2"), Event(summary=experiment(hparams, metrics))])


def _ended(run: Path) -> float | None:
    try:
        return (run / RESULT).stat().st_mtime
    except OSError:
        return None


@functools.lru_cache(maxsize=1000)
def _read(folder: Path, ended: float | None) -> Finished | None:
    """What a run's files say of it; None for one that has no metrics, or is damaged.

    Args:
        folder: of the run.
        ended: when its result was written; another moment is another result.
    """
    if ended is None:
        return None
    run = RunDir(folder)
    try:
        result = run.read_result()
        if result is None or not result["metrics"]:
            return None
        return Finished(columns(run.read_config()), of_the_whole(result["metrics"]), int(result.get("steps") or 0))
    except (UserError, KeyError, TypeError, AttributeError):
        return None


def _ordered(metrics: Sequence[Sequence[str]]) -> list[str]:
    """All names of metrics; first the one that decides, then the loss, of the test and of validation."""
    names = list(dict.fromkeys(name for own in metrics for name in own))
    decides = {deciding(name.partition("/")[2] for name in own) for own in metrics}

    def rank(name: str) -> tuple[int, int, str]:
        split, _, metric = name.partition("/")
        return (0 if metric in decides else 1 if metric == "loss" else 2, ("test", "val", "train").index(split), name)

    return sorted((name for name in names if name.startswith(("test/", "val/", "train/"))), key=rank)


def _info(key: str, values: Sequence[str | float | bool], shown: bool) -> object:
    from tensorboard.plugins.hparams import api_pb2

    info = api_pb2.HParamInfo(name=key, differs=shown)
    if all(isinstance(value, bool) for value in values):
        info.type = api_pb2.DATA_TYPE_BOOL
        info.domain_discrete.extend([False, True])
    elif all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        info.type = api_pb2.DATA_TYPE_FLOAT64
        info.domain_interval.min_value, info.domain_interval.max_value = min(values), max(values)
    else:
        info.type = api_pb2.DATA_TYPE_STRING
        info.domain_discrete.extend(sorted({str(value) for value in values}))
    return info
