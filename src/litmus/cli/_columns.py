"""Which columns TensorBoard's HParams tab shows: those in which runs differ, and the model.

By default it shows all, and of constant ones some. A summary of the whole experiment says which there are: the first
that TensorBoard finds among all runs counts, so that only whoever knows all runs can write it.
"""

import functools
import math
from collections.abc import Sequence
from pathlib import Path

from litmus.config.tags import WHEN_BEST, columns
from litmus.errors import UserError
from litmus.record.events import PREFIX, event_file, experiment
from litmus.record.folder import RESULT, RunDir
from litmus.record.metrics import deciding, per_class, per_value

EXPERIMENT = f"{PREFIX}0.litmus-columns"  # the name of its file
SHOWN = 5  # columns that TensorBoard ticks, the first by name of those that differ
Row = dict[str, str | float | bool]


def experiment_file(runs: Sequence[Path]) -> bytes | None:
    """The event file with a summary of some runs, the latest first; None where none of them has measured anything."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams import api_pb2

    read = [found for run in runs if (found := _read(run, _ended(run))) is not None]
    if not read:
        return None
    rows = [row for row, _ in read]
    varying = [
        key
        for key in dict.fromkeys(key for row in rows for key in row)
        if len({repr(row.get(key)) for row in rows}) > 1
    ]
    first = ["model", *(key for key in varying if key != "model")]
    hparams = [_info(key, [row[key] for row in rows if key in row], shown=i < SHOWN) for i, key in enumerate(first)]
    metrics = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=f"{WHEN_BEST}{name}"), display_name=name)
        for name in _ordered([metrics for _, metrics in read])
    ]
    return event_file([Event(file_version="brain.Event:2"), Event(summary=experiment(hparams, metrics))])


def _ended(run: Path) -> float | None:
    try:
        return (run / RESULT).stat().st_mtime
    except OSError:
        return None


@functools.lru_cache(maxsize=1000)
def _read(folder: Path, ended: float | None) -> tuple[Row, list[str]] | None:
    """A run's hyperparameters, and the names of its metrics; None for one that has none, or is damaged.

    Args:
        folder: of the run.
        ended: when its result was written; another moment is another result.
    """
    if ended is None:
        return None
    run = RunDir(folder)
    try:
        result = run.read_result()
        row = columns(run.read_config())
    except (UserError, KeyError, TypeError):
        return None
    if result is None or not result["metrics"]:
        return None
    values = (own for split in ("train", "val", "test") for own in per_value(result["metrics"], split).values())
    apart = {name for own in (*per_class(result["metrics"]).values(), *values) for name in own.values()}
    return row, [name for name in result["metrics"] if name not in apart]


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
