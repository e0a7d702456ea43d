"""Finds run folders and reads what a comparison needs of them."""

import csv
import logging
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litmus.config.keys import hyperparameters
from litmus.errors import UserError
from litmus.record.folder import CHECKPOINTS, CONFIG, LOG, RESULT, RunDir
from litmus.record.metrics import monitored

log = logging.getLogger(__name__)

UNFINISHED = "unfinished"  # has no result.json: it is running, or was killed
STATUSES = ("finished", "pruned", "interrupted", "failed")  # that result.json may have
WRONG = (UserError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, csv.Error)


@dataclass(frozen=True)
class Run:
    """What a run folder says.

    Attributes:
        folder: its path, below the folder that was asked for.
        settings: what decides what it learns, flat; without the seed.
        seed: its seed.
        monitor: the metric that decided which epoch is best, and "min" or "max".
        status: finished, pruned, interrupted, failed, or unfinished.
        metrics: of the best epoch and of the test; only numbers that are finite.
        diverged: metrics of the same that are no finite number.
        error: what went wrong, or None.
        seconds: that it took in all, 0 if it has not ended; see `_seconds`.
        ended: when its result was written, in seconds since the epoch; 0 if it was not.
        rows: of metrics.csv.
        code: the commit of the code that ran, if it is known.
        data: checksums of what it was trained on, by file name.
        warning: what one should know of that data, or None.
    """

    folder: Path
    settings: dict[str, Any]
    seed: int
    monitor: tuple[str, str]
    status: str
    metrics: dict[str, float]
    diverged: set[str]
    error: str | None
    seconds: float
    ended: float
    rows: list[dict[str, Any]]
    code: str | None
    data: dict[str, str]
    warning: str | None


def collected(folders: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Every run at or below the folders, each once, and a sentence for each folder that cannot be read.

    Args:
        folders: run folders, or folders with run folders below them at any depth.

    Raises:
        UserError: one of the folders does not exist, or there is no run in any.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}.")
    runs: list[Run] = []
    damaged: list[str] = []
    for path in found(folders):
        try:
            runs.append(read(path))
        except FileNotFoundError:
            continue  # it was removed while we looked
        except WRONG as error:
            if path.is_dir():
                damaged.append(f"{path} is damaged and left out: {sentence(error)}")
    if not runs and not damaged:
        raise UserError(f"There is no run folder in {' or '.join(str(folder) for folder in folders)}.")
    return runs, damaged


def found(folders: Sequence[Path]) -> Iterator[Path]:
    """The run folders at or below `folders`; one that is reached in two ways comes once."""
    seen: set[str] = set()
    waiting = [str(folder) for folder in reversed(folders)]
    while waiting:
        path = waiting.pop()
        if (real := os.path.realpath(path)) in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError:
            continue  # removed in between, or not ours to read
        names = {entry.name for entry in entries}
        if is_run(names):
            yield Path(path)
            continue
        below = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
        # A link is followed to a run, and no further: `outputs/latest` is one, and a link upwards has no end.
        below = [entry for entry in below if not entry.is_symlink() or _links_to_run(entry.path)]
        waiting += [entry.path for entry in reversed(below)]


def is_run(names: set[str]) -> bool:
    """Whether a folder that holds files of these names is a run's, be it damaged."""
    return bool(names & {CHECKPOINTS, LOG}) and bool(names & {CONFIG, RESULT})


def _links_to_run(path: str) -> bool:
    try:
        return is_run({entry.name for entry in os.scandir(path)})
    except OSError:
        return False


def read(folder: Path) -> Run:
    """What one run folder says.

    Raises:
        UserError: a file is damaged; what is missing or of the wrong type raises Python's own errors.
    """
    run = RunDir(folder)
    settings = dict(hyperparameters(config := run.read_config()))
    result, rows = run.read_result(), run.read_metrics()
    seed = settings.pop("seed")
    if not isinstance(seed, int):
        raise UserError(f"its seed is {seed!r}.")
    status = UNFINISHED if result is None else str(result["status"])
    if status not in (*STATUSES, UNFINISHED):
        raise UserError(f"{RESULT} has the status {status!r}.")
    ended = result or {"metrics": {}, "seconds": {}}
    return Run(
        folder=folder,
        settings=settings,
        seed=seed,
        monitor=monitored(str(config["task"]["_target_"])),
        status=status,
        metrics={str(name): float(value) for name, value in ended["metrics"].items() if _is_finite(value)},
        diverged={str(name) for name, value in ended["metrics"].items() if not _is_finite(value)},
        error=ended.get("error"),
        seconds=_seconds(ended["seconds"], rows) if result else 0.0,
        ended=(folder / RESULT).stat().st_mtime if result else 0.0,
        rows=rows,
        code=(ended.get("git") or {}).get("commit"),
        data=(ended.get("dataset") or {}).get("sha256") or {},
        warning=(ended.get("dataset") or {}).get("warning"),
    )


def _seconds(of: dict[str, Any], rows: Sequence[dict[str, Any]]) -> float:
    """What a run took in all.

    A result tells of the last session only. Of a run that was interrupted and continued, the epochs of all sessions,
    which are timed without their validation, may be more.

    Args:
        of: of the result: `startup`, `fit` and `test`.
        rows: of metrics.csv.
    """
    last = {name: float(value) for name, value in of.items() if _is_finite(value)}
    epochs = sum(float(row["time/epoch_seconds"]) for row in rows if _is_finite(row.get("time/epoch_seconds")))
    return max(sum(last.values()), epochs + last.get("startup", 0.0) + last.get("test", 0.0))


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def sentence(error: BaseException) -> str:
    """What is wrong with a file, to stand after a colon."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError):
        return text
    if isinstance(error, KeyError):
        return f"{error} is missing."
    return f"{text or type(error).__name__}."
