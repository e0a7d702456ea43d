"""Finds run folders and reads what a comparison needs of them."""

import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from litmus.compare.settings import CHANGES, Settings
from litmus.config.keys import hyperparameters, key_of
from litmus.config.types import Section
from litmus.config.validate import shown
from litmus.errors import UserError
from litmus.fetch import local
from litmus.record.folder import CHECKPOINTS, CONFIGS, LOG, RESULT, RunDir
from litmus.record.metrics import has_diverged, monitored

UNFINISHED = "unfinished"  # has no result.json: it is running, or was killed
STATUSES = ("finished", "diverged", "pruned", "interrupted", "failed")  # that result.json may have
# What reading a damaged file raises: ours, and what missing keys and values of the wrong type raise.
DAMAGE = (UserError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, csv.Error)

# A row of metrics.csv: the epoch's number and metrics by column; None for what was not measured in that epoch.
MetricRow = Mapping[str, float | None]


@dataclass(frozen=True)
class Run:
    """What a comparison needs of a run folder.

    Attributes:
        folder: its path, below the requested folder.
        settings: what decides what it learns, without the seed and the fold; CHANGES is what was changed when it was
            resumed.
        seed: its seed.
        fold: the part of the data that validated, in a cross-validation; else None.
        monitor: the metric that decides which epoch is best, and "min" or "max".
        status: finished, diverged, pruned, interrupted, failed, or unfinished.
        metrics: those of the best epoch and of the test that are finite.
        undefined: the names of the others.
        diverged: whether a loss, or the metric that decides, is not finite.
        error: what went wrong, or None.
        seconds: its total time, of all sessions as far as it is known (`_total_seconds`); 0 if it has not ended.
        ended: when its result was written, in seconds since 1970; 0 if it has not ended.
        rows: of metrics.csv, one per epoch.
        made_with: what else may change its results: commit of the code, threads, device, versions of packages; what is
            known of them.
        uncommitted: whether the code had changes that the commit does not have.
        rollbacks: how often it diverged, and went on from an earlier step at half the learning rate.
        skipped_steps: how many it left out, because it would have diverged.
        data: checksums of the files it was trained on, by file name.
        warning: a warning about that data, or None.
    """

    folder: Path
    settings: Settings
    seed: int
    fold: int | None
    monitor: tuple[str, str]
    status: str
    metrics: dict[str, float]
    undefined: set[str]
    diverged: bool
    error: str | None
    seconds: float
    ended: float
    rows: Sequence[MetricRow]
    made_with: dict[str, str]
    uncommitted: bool
    rollbacks: int
    skipped_steps: int
    data: dict[str, str]
    warning: str | None

    @property
    def block(self) -> tuple[int, int]:
        """What runs of several settings have in common: seed and fold."""
        return self.seed, -1 if self.fold is None else self.fold

    @property
    def block_name(self) -> str:
        """In words: `seed 3`, or `seed 3, fold 0`."""
        return f"seed {self.seed}" if self.fold is None else f"seed {self.seed}, fold {self.fold}"


def collect(folders: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Reads every run at or below the folders, each once.

    Args:
        folders: run folders, or folders with run folders below them at any depth.

    Returns:
        The runs, and a message for each run folder that is damaged.

    Raises:
        UserError: one of the folders does not exist, or none of them has a run.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}.")
    runs: list[Run] = []
    damaged: list[str] = []
    for path in find_runs(folders):
        try:
            runs.append(read_run(path))
        except FileNotFoundError:
            continue  # removed in the meantime
        except DAMAGE as error:
            if path.is_dir():
                damaged.append(f"{path} is damaged and skipped: {describe_damage(error)}")
    if not runs and not damaged:
        raise UserError(f"There is no run folder in {' or '.join(str(folder) for folder in folders)}.")
    return runs, damaged


def find_runs(folders: Sequence[Path]) -> Iterator[Path]:
    """Finds the run folders at or below `folders`; each comes once, even if links lead to it."""
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
            continue  # removed in the meantime, or without permission to read
        names = {entry.name for entry in entries}
        if is_run_folder(names):
            yield Path(path)
            continue
        below = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
        # A link to a run, such as `outputs/latest`, is followed; others may lead in circles.
        below = [entry for entry in below if not entry.is_symlink() or _links_to_run(entry.path)]
        waiting += [_itself(entry) for entry in reversed(below)]


def _itself(entry: "os.DirEntry[str]") -> str:
    """The folder, where the entry is a link to it: `outputs/latest` may soon be another run."""
    return str(local.without_links(Path(entry.path))) if entry.is_symlink() else entry.path


def is_run_folder(names: set[str]) -> bool:
    """Whether a folder with files of these names is a run's, damaged ones included."""
    return bool(names & {CHECKPOINTS, LOG}) and bool(names & {*CONFIGS, RESULT})


def _links_to_run(path: str) -> bool:
    try:
        return is_run_folder({entry.name for entry in os.scandir(path)})
    except OSError:
        return False


def read_run(folder: Path) -> Run:
    """Reads one run folder.

    Raises:
        UserError: a file is damaged. Missing keys and values of the wrong type raise Python's own errors: see DAMAGE.
    """
    run = RunDir(folder)
    config = run.read_config()
    settings: Settings = dict(hyperparameters(config))
    result, rows = run.read_result(), run.read_metrics()
    seed = settings.pop("seed")
    if not isinstance(seed, int):
        raise UserError(f"its seed is {seed!r}, not an integer.")
    fold = settings.pop("data.fold", None)
    if not (fold is None or isinstance(fold, int)):
        raise UserError(f"its data.fold is {fold!r}, not an integer.")
    status = UNFINISHED if result is None else str(result["status"])
    if status not in (*STATUSES, UNFINISHED):
        raise UserError(f"{RESULT} has the status {status!r}.")
    ended = result or {"metrics": {}, "seconds": {}}
    monitor = monitored(str(config["task"]["_target_"]))
    git, dataset = ended.get("git") or {}, ended.get("dataset") or {}
    if changes := [each for each in ended.get("changes") or [] if key_of(each["key"]).compared]:
        settings[CHANGES] = "; ".join(_change(each) for each in changes)
    return Run(
        folder=folder,
        settings=settings,
        seed=seed,
        fold=fold,
        monitor=monitor,
        status=status,
        metrics={str(name): float(value) for name, value in ended["metrics"].items() if _is_finite(value)},
        undefined={str(name) for name, value in ended["metrics"].items() if not _is_finite(value)},
        diverged=status == "diverged"
        or has_diverged(ended["metrics"])
        or ended["metrics"].get(monitor[0], 0.0) is None,
        error=ended.get("error"),
        seconds=_total_seconds(ended["seconds"], rows) if result else 0.0,
        ended=(folder / RESULT).stat().st_mtime if result else 0.0,
        rows=rows,
        made_with=_made_with(ended),
        uncommitted=bool(git.get("changed")),
        rollbacks=len(ended.get("rollbacks") or []),
        skipped_steps=int(ended.get("skipped_steps") or 0),
        data=dataset.get("sha256") or {},
        warning=dataset.get("warning"),
    )


def _change(change: Section) -> str:
    """`step 300: trainer.gradient_clip null → 1.0`."""
    return f"step {change['step']}: {change['key']} {shown(change['from'])} → {shown(change['to'])}"


def _made_with(result: Section) -> dict[str, str]:
    git = result.get("git") or {}
    code = (str(git["commit"])[:7] if git.get("commit") else "") + (f"+{git['diff'][:7]}" if git.get("diff") else "")
    known = {"code": code or None, "threads": result.get("threads"), "device": result.get("device")}
    known |= result.get("versions") or {}
    for change in result.get("changes") or []:  # resumed elsewhere
        section, _, name = str(change["key"]).partition(".")
        if section == "environment":
            name = "code" if name in ("commit", "diff") else name
            known[name] = f"{str(change['from'])[:7]}, then {known.get(name)}"
    return {name: str(value) for name, value in known.items() if value is not None}


def _total_seconds(last_session: Mapping[str, object], rows: Sequence[MetricRow]) -> float:
    """The total time of a run, as far as it is known.

    A result has the times of the last session only. If the run was resumed, the epochs of all sessions, which are timed
    without validation, may take more.

    Args:
        last_session: the result's `startup`, `fit` and `test`, in seconds.
        rows: of metrics.csv.
    """
    last = {name: float(value) for name, value in last_session.items() if _is_finite(value)}
    epochs = sum(value for row in rows if _is_finite(value := row.get("time/epoch_seconds")))
    return max(sum(last.values()), epochs + last.get("startup", 0.0) + last.get("test", 0.0))


def _is_finite(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and math.isfinite(value)


def describe_damage(error: BaseException) -> str:
    """What is wrong with a file, to follow a colon."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError):
        return text
    if isinstance(error, KeyError):
        return f"{error} is missing."
    return f"{text or type(error).__name__}."
