"""A sweep from its first job to its summary, in its folder."""

import importlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import yaml
from rich.console import Console

from litmus.errors import UserError
from litmus.record.folder import ENDED, RunDir, lock, write_text
from litmus.record.metrics import decisive
from litmus.sweep.pool import outcome
from litmus.sweep.pool.board import Board, values
from litmus.sweep.pool.client import Server
from litmus.sweep.pool.job import Ended, Job, Source
from litmus.sweep.pool.machine import Limits
from litmus.sweep.pool.pool import Pool

FAILED, INTERRUPTED = 1, 130  # exit statuses, as of a single run
WORDS = "sweep.yaml"  # what was typed: `-m resume=FOLDER` types it again
LOCK = ".lock"
OURS = ("sweep.jobs", "sweep.jobs_per_gpu", "sweep.on_fail", "sweep.timeout_s")  # keys of litmus' own launcher
STATUSES = (*ENDED, "interrupted", "failed")
PATIENCE_S = 20.0  # for the processes of a sweep whose launcher was killed to end
MODULES = ("litmus.sweep.pool.worker", "pydantic.main", "pydantic.type_adapter")  # that every job imports
BEST = 5  # jobs that the summary shows


class Sweeping(Source, Protocol):
    """A source, with the keys of `conf/sweep/_pool.yaml`."""

    jobs: Any
    jobs_per_gpu: int
    on_fail: Any
    timeout_s: float | None
    prunes: bool
    repeats: bool  # whether a job that failed is run again when the sweep goes on
    unmade: list[str]  # sentences on jobs that could not even be composed
    before: list[tuple[Job, Ended]]

    def begin(self, folder: Path, words: Sequence[Any], composer: Any) -> dict[str, Any]:
        """Makes the jobs out of what was typed; gives the configuration of one."""

    def summary(self) -> list[str]:
        """Sentences for the end."""


class Told(Board):
    """A board that remembers how every job ended, for the summary."""

    def __init__(self, source: Sweeping, console: Console) -> None:
        super().__init__(source.total, console)
        self.results: list[tuple[Job, Ended]] = list(source.before)
        for _, ended in source.before:
            self.known(ended)

    def ended(self, job: Job, ended: Ended, again: bool) -> None:
        super().ended(job, ended, again)
        if not again:
            self.results.append((job, ended))


def source(section: dict[str, Any]) -> Sweeping:
    """What `sweep=` chose.

    Raises:
        UserError: it is no part of litmus.
    """
    module, _, name = section["_target_"].rpartition(".")
    if not module.startswith("litmus.sweep."):
        raise UserError(f"_target_: {section['_target_']} is not a sweep of litmus, and will not be called.")
    made: Sweeping = getattr(importlib.import_module(module), name)(
        **{key: value for key, value in section.items() if key != "_target_"}
    )
    return made


def refuse_elsewhere(source: Any, words: Sequence[str], launcher: str) -> None:
    """What only litmus' own launcher does, another of Hydra's is not asked for.

    Args:
        source: of the jobs.
        words: that were typed.
        launcher: the other one's name.

    Raises:
        UserError: it is.
    """
    if not hasattr(source, "left"):
        raise UserError("sweep=optuna decides after every job which comes next: it needs hydra/launcher=litmus.")
    for word in words:
        if word.partition("=")[0] in OURS:
            raise UserError(
                f"{word} is for litmus' own launcher. What hydra/launcher={launcher} can be told are the keys of "
                f"hydra.launcher: python train.py hydra/launcher={launcher} --cfg hydra lists them."
            )


def after(source: Any, folder: Path, said: Sequence[str], error: str | None, stopped: bool) -> int:
    """What is said when another of Hydra's launchers has run a grid's jobs, and the exit status.

    Args:
        source: of the jobs.
        folder: of the sweep.
        said: what became of each job by its own word: a status, or why it could not begin; empty where nobody knows.
        error: why the launcher gave up, if it did.
        stopped: whether Ctrl-C did.
    """
    console = Console(highlight=False)
    told = Told(source, console)
    if source.before:
        console.print(f"{len(source.before)} of {source.total} jobs in {folder} had ended before.", soft_wrap=True)
    for number, job in enumerate(source.left):
        ended = outcome.read(job)
        if ended is None and said:
            unseen = said[number] in STATUSES
            why = "its folder is not here: machines that run jobs share a file system" if unseen else said[number]
            ended = Ended("failed", error=why)
        if ended is not None:
            told.known(ended)
            told.results.append((job, ended))
    if error is not None:
        console.print(error, style="red", markup=False, soft_wrap=True)
    if stopped or error is not None or len(told.results) < source.total:
        console.print("Jobs that were handed over may run on; those are not run twice.", soft_wrap=True)
    status = _summarize(source, told, folder, console, stopped)
    return status if error is None else FAILED


@contextmanager
def serving(lock: int) -> Iterator[Callable[[], Server]]:
    """Starts a server, which imports while other things are made ready; gives what starts one for a pool.

    The first one that is asked for is the one that is under way; one that nobody asked for is ended.

    Args:
        lock: of the sweep's folder.

    Raises:
        UserError: this system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UserError("Sweeps run in forked processes, which this system does not have: add hydra/launcher=basic.")
    waiting = [Server(MODULES, lock)]
    try:
        yield lambda: waiting.pop() if waiting else Server(MODULES, lock)
    finally:
        for server in waiting:
            server.kill()


def run(source: Sweeping, folder: Path, base: dict[str, Any], start: Callable[[], Server], console: Console) -> int:
    """Runs what is left of a sweep, says how it went, and gives the exit status.

    Args:
        source: of the jobs.
        folder: of the sweep.
        base: the configuration of a job: what its trainer asks for decides how many run at a time.
        start: see `serving`.
        console: to show it on.
    """
    trainer = base["trainer"]
    limits = Limits(
        source.jobs,
        source.jobs_per_gpu,
        source.on_fail,
        source.timeout_s,
        trainer["accelerator"] != "cpu",  # what it finds out, the server knows
        trainer["devices"],
    )
    told = Told(source, console)
    if source.before:
        console.print(f"{len(source.before)} of {source.total} jobs in {folder} had ended before.", soft_wrap=True)
    left = source.total - len(source.before)
    if left and not console.is_terminal:  # a terminal has the table
        console.print(f"{left} {'job' if left == 1 else 'jobs'} to run in {folder}; torch is imported.", soft_wrap=True)
    pool = Pool(limits, start, told, source.prunes)
    if len(source.before) < source.total:
        with told.shown():
            pool.run(source)
    return _summarize(source, told, folder, console, pool.interrupted)


@contextmanager
def locked(folder: Path, console: Console) -> Iterator[int]:
    """In the body, no other process sweeps in this folder; the lock is inherited by the jobs.

    A folder in which nothing came to be is removed again.

    Raises:
        UserError: one does.
    """
    above = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    deadline, said = time.monotonic() + PATIENCE_S, False
    file = _opened(folder)
    try:
        while True:
            if lock(file):  # with the last process, the system lifts it
                if _is_there(folder, file):
                    break
                os.close(file)  # another sweep, in which nothing came to be, has removed what it had made
                file = _opened(folder)
                continue
            if time.monotonic() > deadline:
                raise UserError(f"{folder} is being swept by another process.")
            if not said:
                console.print(f"Waiting for the processes of another sweep in {folder} to end.", soft_wrap=True)
            said = True
            time.sleep(0.1)
        yield file
    finally:
        if above and [path.name for path in folder.iterdir()] == [LOCK]:
            with suppress(OSError):  # another sweep may have come
                (folder / LOCK).unlink()
                for path in above:
                    path.rmdir()
        os.close(file)


def _opened(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)


def _is_there(folder: Path, file: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), (folder / LOCK).stat())
    return False


def remember(folder: Path, words: Sequence[str]) -> None:
    """Writes down what was typed."""
    write_text(folder / WORDS, yaml.safe_dump({"words": list(words)}, allow_unicode=True))


def remembered(folder: Path) -> list[str]:
    """What was typed.

    Raises:
        UserError: the folder is no sweep's, or the file is damaged.
    """
    path = folder / WORDS
    if not path.is_file():
        raise UserError(f"{folder} is not the folder of a sweep: it has no {WORDS}.")
    try:
        words = yaml.safe_load(path.read_text(encoding="utf-8"))["words"]
    except (yaml.YAMLError, TypeError, KeyError):
        raise UserError(f"{path} is damaged.") from None
    return [str(word) for word in words]


def _summarize(source: Sweeping, told: Told, folder: Path, console: Console, stopped: bool) -> int:
    """Says how the sweep stands, and gives its exit status."""

    def say(line: str, style: str = "") -> None:
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    counts = [f"{number} {status}" for status, number in told.counts.items()]
    waiting = source.total - len(told.results) - len(source.unmade)
    counts += [f"{waiting} still to run"] if waiting > 0 else []
    say(f"\n{len(told.results)} of {source.total} jobs in {folder}: {', '.join(counts)}", "bold")
    for job, ended in told.results:
        if ended.status in ("failed", "interrupted"):
            say(f"  {ended.status:<11}  {' '.join(job.overrides)}  ({ended.error})")
    for sentence in source.unmade:
        say(f"  could not be composed: {sentence}")
    ranked = _ranked(told.results)
    if len(ranked) > BEST:
        say(f"the best {BEST}:")
    for job, ended in ranked[:BEST]:
        say(f"  {values(job, ended):<31}  {' '.join(job.overrides)}")
    for sentence in source.summary():
        say(sentence)
    for warning in dict.fromkeys(_warning(job) for job, _ in told.results):
        if warning:
            say(warning, "yellow")
    if any(ended.status in ENDED for _, ended in told.results):
        say(f"compare them   litmus compare {folder}")
    statuses = {ended.status for _, ended in told.results}
    num_ended = len(told.results) + len(source.unmade)
    if "interrupted" in statuses or num_ended < source.total or ("failed" in statuses and source.repeats):
        say(f"go on with     python train.py -m resume={folder}")
        if source.repeats and any("sweep.timeout_s" in str(ended.error) for _, ended in told.results):
            say("               sweep.timeout_s=SECONDS beside it allows more time")
    if stopped:
        return INTERRUPTED
    if "failed" in statuses or source.unmade:
        return FAILED
    return INTERRUPTED if statuses - set(ENDED) or num_ended < source.total else 0


def _warning(job: Job) -> str | None:
    """What one should know of the data that a job was trained on."""
    with suppress(UserError):  # damaged
        result = RunDir(job.folder).read_result() or {}
        return (result.get("dataset") or {}).get("warning")
    return None


def _ranked(results: Sequence[tuple[Job, Ended]]) -> list[tuple[Job, Ended]]:
    """The finished jobs, the best first; nothing where they are measured by different metrics."""
    finished = [(job, ended) for job, ended in results if ended.status == "finished"]
    deciding = {decisive(job.config["task"]["_target_"], ended.metrics) for job, ended in finished}
    if len(deciding) != 1:
        return []
    ((metric, mode),) = deciding
    sign = 1 if mode == "max" else -1
    known = [(job, ended) for job, ended in finished if math.isfinite(ended.metrics.get(metric, math.nan))]
    return sorted(known, key=lambda pair: -sign * pair[1].metrics[metric])
