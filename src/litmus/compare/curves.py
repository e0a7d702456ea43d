"""Mean curves over the seeds of a setting, and the same as TensorBoard runs."""

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litmus.compare.collect import Run
from litmus.compare.ranking import Ranking

EVENTS = "events.out.tfevents.0.litmus-compare"
MOST_WRITTEN = 100  # settings of a ranking; TensorBoard draws no more in a way that one could read
LONGEST = 100  # letters of a TensorBoard run's name
SPLITS = ("train/", "val/")


@dataclass(frozen=True)
class Curve:
    """A metric by epoch: the mean over seeds, and the lowest and highest of them."""

    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


def curve(rows: Sequence[Sequence[dict[str, Any]]], metric: str) -> Curve:
    """The mean over runs of those epochs that all of them have.

    Where some stopped early the mean ends with the first of them: of those that went on it would be another mean.

    Args:
        rows: of the metrics.csv of each run.
        metric: a column.
    """
    values = [by_epoch(each, metric) for each in rows]
    epochs = sorted(set.intersection(*(set(each) for each in values))) if values else []
    columns = [[each[epoch] for each in values] for epoch in epochs]
    mean = [math.fsum(column) / len(column) for column in columns]
    return Curve(epochs, mean, [min(column) for column in columns], [max(column) for column in columns])


def by_epoch(rows: Sequence[dict[str, Any]], metric: str) -> dict[int, float]:
    """The finite values of a metric."""
    found = {row["epoch"]: row.get(metric) for row in rows if row.get("epoch") is not None}
    return {epoch: value for epoch, value in found.items() if value is not None and math.isfinite(value)}


def tensorboard(rankings: Sequence[Ranking]) -> dict[str, bytes]:
    """Each setting's mean curves as a TensorBoard run of its own: the files' contents by their paths.

    Without torch, and without TensorFlow where that is installed: records are framed here, as TensorFlow's
    `record_writer.h` says.
    """
    files: dict[str, bytes] = {}
    for ranking in rankings:
        below = f"tensorboard/{name_of(f'{ranking.data}-{ranking.metric}')}" if len(rankings) > 1 else "tensorboard"
        for row in ranking.rows[:MOST_WRITTEN]:
            name = name_of(ranking.label(row))
            path = f"{below}/{name}/{EVENTS}"
            if path in files:  # two names that are the same once they are cut
                path = f"{below}/{name[: LONGEST - 6]}~{row.rank}/{EVENTS}"
            files[path] = _events(row.runs)
    return files


def name_of(text: str) -> str:
    """A name for a file or folder, with the letters that every system allows."""
    return re.sub(r"[^\w.=,+@]+", "-", text.replace("  ", ","))[:LONGEST].strip(".-") or "-"


def _events(runs: Sequence[Run]) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    when = max(run.ended for run in runs)
    steps = {row["epoch"]: row.get("step") or row["epoch"] for row in runs[0].rows if row.get("epoch") is not None}
    names = [name for name in (runs[0].rows or [{}])[0] if name.startswith(SPLITS)]
    values: dict[int, list[Summary.Value]] = {}
    for name in names:
        of = curve([run.rows for run in runs], name)
        for epoch, mean in zip(of.epochs, of.mean, strict=True):
            values.setdefault(epoch, []).append(Summary.Value(tag=name, simple_value=mean))
    events = [Event(wall_time=when, file_version="brain.Event:2")]
    for epoch, each in sorted(values.items()):
        events.append(Event(wall_time=when, step=steps[epoch], summary=Summary(value=each)))
    return b"".join(_record(event.SerializeToString()) for event in events)


def _record(data: bytes) -> bytes:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    def checksum(part: bytes) -> bytes:
        return struct.pack("<I", masked_crc32c(part))

    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)
