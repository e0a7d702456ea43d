"""A sweep from its first job to its summary, in its folder."""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml
from rich.console import Console

from litmus.config.command import train_command, verb_command
from litmus.config.instantiate import build
from litmus.config.types import Section
from litmus.config.validate import override
from litmus.console import Screen, command, wrapped
from litmus.errors import EXIT_STATUS, UserError
from litmus.record.configuration import in_new_words
from litmus.record.files import lock, write_text
from litmus.record.folder import ENDED, RunDir
from litmus.record.metrics import has_diverged, monitored_in
from litmus.record.search import CLAIMS
from litmus.sweep.pool import outcome
from litmus.sweep.pool.client import Server
from litmus.sweep.pool.job import Job, JobResult
from litmus.sweep.pool.machine import Limits
from litmus.sweep.pool.pool import Pool
from litmus.sweep.pool.source import UNSUCCESSFUL, Source
from litmus.sweep.pool.sweep_reporter import SweepReporter, job_line

COMMAND = "sweep.yaml"  # the overrides as typed: `-m resume=FOLDER` repeats them
VERSION = 2  # of what they mean
LOCK = ".lock"
POOL_KEYS = ("sweep.jobs", "sweep.jobs_per_gpu", "sweep.on_fail", "sweep.timeout_s")  # of litmus' own launcher alone
STATUSES = (*ENDED, "interrupted", "failed")
LOCK_TIMEOUT_S = 20.0  # in which the processes of a sweep end whose launcher was killed
MODULES = ("litmus.sweep.pool.worker", "pydantic.main", "pydantic.type_adapter")  # that every job imports
NUM_BEST = 5  # jobs that the summary ranks
ROOM = 15  # columns of the longest label, `compare them`, and what is beside it
NUM_NAMED = 5  # jobs that the summary names of those with the same error


def make_source(section: Section) -> Source:
    """Builds the source of jobs that `sweep=` chose.

    Raises:
        UserError: the section's `_target_` is not a sweep of litmus.
    """
    if not section["_target_"].startswith("litmus.sweep."):
        raise UserError(f"_target_: {section['_target_']} is not a sweep of litmus, and will not be called.")
    source: Source = build(section)
    return source


def check_launcher(source: Source, overrides: Sequence[str], launcher: str) -> None:
    """Checks that another of Hydra's launchers can run the sweep.

    Args:
        source: of the jobs.
        overrides: as typed.
        launcher: the other launcher's name.

    Raises:
        UserError: the sweep needs litmus' own launcher.
    """
    if not source.lists_jobs:
        raise UserError("sweep=optuna chooses each job by the results of the others: it needs hydra/launcher=litmus.")
    for typed in overrides:
        if typed.partition("=")[0] in POOL_KEYS:
            raise UserError(
                f"{typed} is for litmus' own launcher. The keys of hydra/launcher={launcher} are those of "
                f"hydra.launcher: {train_command(f'hydra/launcher={launcher}', '--cfg', 'hydra')} lists them."
            )


def summarize_launched(source: Source, folder: Path, returned: Sequence[str], error: str | None, stopped: bool) -> int:
    """Shows how a grid ended whose jobs another of Hydra's launchers has run.

    Args:
        source: of the jobs.
        folder: of the sweep.
        returned: for each job its status, or the message of the error that kept it from starting; empty if the
            launcher returned nothing.
        error: why the launcher failed, if it did.
        stopped: whether it was stopped by Ctrl-C.

    Returns:
        The exit status.
    """
    console = Screen(highlight=False)
    reporter = _make_reporter(source, folder, console)
    for number, job in enumerate(source.remaining):
        result = outcome.read(job)
        if result is None and returned:
            has_run = returned[number] in STATUSES
            why = "its folder is not here: machines that run jobs share a file system" if has_run else returned[number]
            result = JobResult("failed", error=why)
        if result is not None:
            reporter.add_result(job, result)
    if error is not None:
        console.print(error, style="red", markup=False, soft_wrap=True)
    if stopped or error is not None or len(reporter.results) < source.total:
        console.print("Jobs that have been submitted may still run; they are not run twice.", soft_wrap=True)
    status = _summarize(source, reporter, folder, console, stopped)
    return status if error is None else EXIT_STATUS["failed"]


@contextmanager
def serving(lock: int) -> Iterator[Callable[[], Server]]:
    """Starts a server, which does its imports while the jobs are composed.

    Args:
        lock: the descriptor of the sweep's locked file; see `locked`.

    Yields:
        A function that gives a server for a pool: the one that is already starting, and after that, new ones. A server
        that was not used by the end is killed.

    Raises:
        UserError: this system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UserError("Sweeps run in forked processes, which this system does not have: add hydra/launcher=basic.")
    unused = [Server(MODULES, lock)]
    try:
        yield lambda: unused.pop() if unused else Server(MODULES, lock)
    finally:
        for server in unused:
            server.kill()


def run(source: Source, folder: Path, base: Section, start_server: Callable[[], Server], console: Console) -> int:
    """Runs the jobs of a sweep that have not been run, and shows a summary.

    Args:
        source: of the jobs.
        folder: of the sweep.
        base: the configuration of a job: its trainer decides how many run at a time.
        start_server: see `serving`.
        console: to show it on.

    Returns:
        The exit status.

    Raises:
        UserError: the server could not be started, or died several times in a row.
    """
    trainer = base["trainer"]
    limits = Limits(
        source.jobs,
        source.jobs_per_gpu,
        source.on_fail,
        source.timeout_s,
        trainer["accelerator"] != "cpu",  # for auto, the server finds out whether there are GPUs
        trainer["devices"],
    )
    reporter = _make_reporter(source, folder, console)
    num_left = source.total - len(source.already_finished)
    if num_left and (not console.is_terminal or console.is_dumb_terminal):  # others have the table
        jobs = "job" if num_left == 1 else "jobs"
        console.print(f"{num_left} {jobs} to run in {folder}; importing torch.", soft_wrap=True)
    pool = Pool(limits, start_server, reporter, source.prunes)
    if num_left:
        with reporter.shown():
            pool.run(source)
    return _summarize(source, reporter, folder, console, pool.interrupted)


def _make_reporter(source: Source, folder: Path, console: Console) -> SweepReporter:
    num_finished = len(source.already_finished)
    if num_finished:
        console.print(f"{num_finished} of {source.total} jobs in {folder} ended in an earlier session.", soft_wrap=True)
    counts = Counter(result.status for _, result in source.already_finished)
    unsuccessful = " and ".join(f"{counts[status]} {status}" for status in UNSUCCESSFUL if counts[status])
    if unsuccessful and source.reruns_failed:
        console.print(f"Of these, {unsuccessful}: sweep.failed=retry runs such jobs again.", soft_wrap=True)
    return SweepReporter(source.total, console, source.already_finished)


@contextmanager
def locked(folder: Path, console: Console, shared: bool = False) -> Iterator[int]:
    """In the body, no other process sweeps in this folder. Removes the folder again if it made it and nothing else.

    A locked descriptor of our own, and not filelock's `FileLock`: the server and the jobs inherit it, so that a sweep
    whose launcher was killed cannot start again before its last process has ended.

    Args:
        folder: of the sweep.
        console: to show on that it waits for the processes of another sweep.
        shared: whether others of which this is true may sweep there, too.

    Yields:
        The descriptor.

    Raises:
        UserError: another process does.
    """
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    file = _wait_for_lock(folder, console, shared)
    try:
        yield file
    finally:
        if missing and {path.name for path in folder.iterdir()} <= {LOCK, CLAIMS} and lock(file):
            with suppress(OSError):  # another sweep may have come
                (folder / CLAIMS).unlink(missing_ok=True)
                (folder / LOCK).unlink()
                for path in missing:
                    path.rmdir()
        os.close(file)


def _wait_for_lock(folder: Path, console: Console, shared: bool) -> int:
    deadline, has_reported = time.monotonic() + LOCK_TIMEOUT_S, False
    file = _open_lock(folder)
    while True:
        if lock(file, shared):
            if _is_in_place(folder, file):
                return file
            os.close(file)  # another sweep failed before its first job, and removed the folder that it had made
            file = _open_lock(folder)
            continue
        if time.monotonic() > deadline:
            os.close(file)
            raise UserError(f"{folder} is being swept by another process.")
        if not has_reported:
            console.print(f"Waiting for the processes of another sweep in {folder} to end.", soft_wrap=True)
        has_reported = True
        time.sleep(0.1)


def _open_lock(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)


def _is_in_place(folder: Path, file: int) -> bool:
    """Whether an open file is still the one in the folder."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), (folder / LOCK).stat())
    return False


def write_overrides(folder: Path, overrides: Sequence[str]) -> None:
    """Writes what was typed, for `-m resume=FOLDER`; what becomes of failed jobs is said anew each time."""
    words = [each for each in overrides if not each.startswith("sweep.failed=")]
    write_text(folder / COMMAND, yaml.safe_dump({"version": VERSION, "words": words}, allow_unicode=True))


def read_overrides(folder: Path) -> list[str]:
    """What was typed when the sweep was started.

    Raises:
        UserError: there is no such folder, it is not a sweep's, or the file is damaged.
    """
    path = folder / COMMAND
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.")
    if not path.is_file():
        raise UserError(f"{folder} is not the folder of a sweep: it has no {COMMAND}.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        overrides, version = [str(override) for override in content["words"]], content.get("version", 1)
    except Exception:  # PyYAML's constructors raise whatever a scalar makes them stumble over
        raise UserError(f"{path} is damaged.") from None
    if version == 1 and any(override.startswith("data.limit=") for override in overrides):
        overrides.append("data.limit_eval=${data.limit}")  # data.limit cut every split then
    return in_new_words(overrides)


def _summarize(source: Source, reporter: SweepReporter, folder: Path, console: Console, stopped: bool) -> int:
    """Shows how the sweep ended, and gives its exit status."""

    def say(line: str, style: str = "") -> None:
        line = wrapped(line, console.width) if console.is_terminal else line
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def copied(label: str, text: str) -> None:
        console.print(command(label, text, console, ROOM), markup=False, highlight=False, soft_wrap=True)

    source.update()
    reporter.report_elsewhere(source.already_finished, source.num_elsewhere)
    results = reporter.results
    counts = [f"{number} {status}" for status, number in reporter.counts.items()]
    num_queued = source.total - len(results) - len(source.invalid) - source.num_elsewhere
    counts += [f"{source.num_elsewhere} running elsewhere"] if source.num_elsewhere else []
    counts += [f"{num_queued} still to run"] if num_queued > 0 else []
    say(f"\n{len(results)} of {source.total} jobs in {folder}: {', '.join(counts)}", "bold")
    for (status, error), jobs in _without_success(results).items():
        say(f"  {status:<11}  {_names(jobs)}  ({error})")
    for sentence in source.invalid:
        say(f"  could not be composed: {sentence}")
    ranked = _rank(results)
    if len(ranked) > NUM_BEST:
        say(f"the best {NUM_BEST}:")
    for job, result in ranked[:NUM_BEST]:
        say(job_line("", job, result, "", console.width))
    for sentence in source.summary():
        say(sentence)
    for warning in dict.fromkeys(_data_warning(job) for job, _ in results):
        if warning:
            say(warning, "yellow")
    if any(result.status in ENDED for _, result in results):
        copied("compare them", verb_command("compare", str(folder)))
    resume = train_command("-m", override("resume", str(folder)))
    if _can_be_resumed(source, results):
        copied("resume", resume)
    if source.reruns_failed and any(result.status in UNSUCCESSFUL for _, result in results):
        copied("retry failed", f"{resume} sweep.failed=retry")
        if any("sweep.timeout_s" in str(result.error) for _, result in results):
            say(f"{'':<{ROOM}}add sweep.timeout_s=SECONDS to allow more time")
    return _exit_status(source, results, stopped)


def _without_success(results: Sequence[tuple[Job, JobResult]]) -> dict[tuple[str, str | None], list[Job]]:
    """The jobs that failed, were interrupted or diverged, by status and error."""
    groups: dict[tuple[str, str | None], list[Job]] = {}
    for job, result in results:
        if result.status in (*UNSUCCESSFUL, "interrupted"):
            groups.setdefault((result.status, result.error), []).append(job)
    return groups


def _names(jobs: Sequence[Job]) -> str:
    """The jobs by their overrides; of many, the first ones and how many others there are."""
    names = [job.label for job in jobs]
    more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    number = f"{len(names)} jobs: " if len(names) > 1 else ""
    return f"{number}{', '.join(names[:NUM_NAMED])}{more}"


def _can_be_resumed(source: Source, results: Sequence[tuple[Job, JobResult]]) -> bool:
    if any(result.status == "interrupted" for _, result in results):
        return True
    return len(results) + len(source.invalid) + source.num_elsewhere < source.total


def _exit_status(source: Source, results: Sequence[tuple[Job, JobResult]], stopped: bool) -> int:
    if stopped:
        return EXIT_STATUS["interrupted"]
    statuses = {result.status for _, result in results}
    bad = {*UNSUCCESSFUL} if source.lists_jobs else {*UNSUCCESSFUL} - {"diverged"}  # a search takes that for an answer
    if statuses & bad or source.invalid:
        return EXIT_STATUS["failed"]
    unfinished = statuses - set(ENDED) or len(results) + source.num_elsewhere < source.total
    return EXIT_STATUS["interrupted" if unfinished else "finished"]


def _data_warning(job: Job) -> str | None:
    """The warning that the job's dataset gave, if any."""
    with suppress(UserError):  # damaged
        result = RunDir(job.folder).read_result() or {}
        return (result.get("dataset") or {}).get("warning")
    return None


def _rank(results: Sequence[tuple[Job, JobResult]]) -> list[tuple[Job, JobResult]]:
    """The finished jobs, the best first, then the lower loss; empty where different metrics decide."""
    finished = [(job, result) for job, result in results if result.status == "finished"]
    deciding = {monitored_in(job.config["task"]["_target_"], result.metrics) for job, result in finished}
    if len(deciding) != 1:
        return []
    ((metric, mode),) = deciding
    sign = 1 if mode == "max" else -1
    converged = [
        (job, result)
        for job, result in finished
        if math.isfinite(result.metrics.get(metric, math.nan)) and not has_diverged(result.metrics)
    ]
    loss = f"{metric.partition('/')[0]}/loss"
    return sorted(converged, key=lambda pair: (-sign * pair[1].metrics[metric], pair[1].metrics.get(loss, math.inf)))
