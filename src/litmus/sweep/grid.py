"""Every combination of the values that were typed."""

import shlex
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal

from litmus.config.command import train_command
from litmus.config.keys import identity
from litmus.config.types import Count, Positive, Section
from litmus.config.validate import checked, override
from litmus.errors import UserError
from litmus.record.files import slug
from litmus.record.folder import REQUESTED, RunDir
from litmus.record.search import has_search
from litmus.run.job import check_same_runs
from litmus.sweep.pool import outcome
from litmus.sweep.pool.job import Job
from litmus.sweep.pool.session import COMMAND, read_overrides
from litmus.sweep.pool.source import UNSUCCESSFUL, Composer, Source


class Grid(Source):
    """A sweep whose jobs are known from the start; those that ended in an earlier session are skipped.

    A job that failed or diverged has ended, too: whatever made it do so is most often still there. `failed="retry"`
    resumes such jobs.
    """

    lists_jobs: ClassVar[bool] = True
    reruns_failed: ClassVar[bool] = True

    @checked
    def __init__(
        self,
        *,
        name: str | None,
        jobs: Literal["auto"] | Count,
        jobs_per_gpu: Count,
        on_fail: Literal["continue", "stop", "retry"],
        timeout_s: Positive | None,
        failed: Literal["skip", "retry"],
    ) -> None:
        super().__init__(name=name, jobs=jobs, jobs_per_gpu=jobs_per_gpu, on_fail=on_fail, timeout_s=timeout_s)
        self.failed = failed

    def start(self, folder: Path, overrides: Sequence[str], composer: Composer) -> Section:
        """Composes all jobs, and finds those that need not be run.

        Args:
            folder: of the sweep.
            overrides: as typed, without those of the sweep itself.
            composer: makes the jobs.

        Returns:
            The configuration of the first job.

        Raises:
            UserError: a job's folder holds another run, two jobs are the same, or the folder is a search's or that of a
                sweep with other jobs.
        """
        if has_search(folder):
            raise UserError(
                f"{folder} holds a search, and its trials are not jobs of a grid. Choose another sweep.name."
            )
        combinations = composer.combinations(overrides)
        names = _folder_names([" ".join(sorted(own or everything)) for everything, own in combinations])
        jobs = [
            composer.job(everything, own, number, folder / names[number])
            for number, (everything, own) in enumerate(combinations)
        ]
        for key in ("accelerator", "devices"):  # those of the first job decide how the machine is divided
            if len({job.config["trainer"][key] for job in jobs}) > 1:
                raise UserError(
                    f"trainer.{key} must be the same for all jobs of a sweep: it decides how many run at a time."
                )
        jobs = _reuse_folders(folder, jobs)
        check_same_runs([(RunDir(job.folder), job.config) for job in jobs])
        _check_contains_earlier(folder, jobs, composer)
        self.total = len(jobs)
        for job in jobs:
            result = outcome.read(job)
            if result is None or result.status == "interrupted":
                self.remaining.append(job)
            elif result.status in UNSUCCESSFUL and self.failed == "retry":
                RunDir(job.folder).remove_result()  # or the job would take itself for one that has ended
                self.remaining.append(job)
            else:
                self.already_finished.append((job, result))
        return jobs[0].config

    def next_job(self) -> Job | None:
        """The next combination that has not been run."""
        return self.remaining.pop(0) if self.remaining else None


def _check_contains_earlier(folder: Path, jobs: Sequence[Job], composer: Composer) -> None:
    """Keeps a command out of the folder of a sweep that has jobs which the command lacks: `-m resume=` would lose them.

    A sweep none of whose jobs has begun may become another one.

    Raises:
        UserError: names such jobs.
    """
    if not (folder / COMMAND).is_file() or not any(folder.glob(f"*/{REQUESTED}")):
        return
    words = read_overrides(folder)
    typed = {frozenset(job.all_overrides) for job in jobs}
    earlier = composer.combinations(composer.select_for_jobs(words))
    others = [(everything, own) for everything, own in earlier if frozenset(everything) not in typed]
    ours = [identity(job.config) for job in jobs] if others else []
    lost = []
    for everything, own in others:
        with suppress(UserError):  # it cannot be composed any more, nor resumed
            if identity(composer.job(everything, own, 0, folder).config) not in ours:
                lost.append(" ".join(own or everything))
    if lost:
        number = f"{len(lost)} of its {len(earlier)} jobs {'is' if len(lost) == 1 else 'are'} not"
        resume = shlex.quote(override("resume", str(folder)))
        raise UserError(
            f"{folder} holds another sweep: {number} in this one, such as {lost[0]}. Its command was:\n"
            f"  {train_command('-m', *words)}\n"
            f"Type that with more values to add jobs, resume it with -m {resume}, or choose another sweep.name."
        )


def _reuse_folders(folder: Path, jobs: Sequence[Job]) -> list[Job]:
    """The jobs, each in the folder in which an earlier sweep of this name ran the same one under another name.

    A key that is swept only now has, in some jobs, the value that all jobs had before.
    """
    paths = {job.folder for job in jobs}
    earlier: list[tuple[Section, Path]] = []
    for path in sorted(folder.glob("*/")):
        with suppress(UserError):  # damaged
            requested = None if path in paths else RunDir(path).read_requested()
            earlier += [(identity(requested), path)] if requested is not None else []
    moved = []
    for job in jobs:
        requested = None if not earlier or job.folder.is_dir() else identity(job.config)
        path = next((path for config, path in earlier if config == requested), job.folder)
        moved.append(replace(job, folder=path))
    return moved


def _folder_names(overrides: Sequence[str]) -> list[str]:
    """The jobs' folders, by their overrides; a hash tells apart those that differ only in what names cannot hold."""
    names = [slug(each) for each in overrides]
    duplicates = {name for name, number in Counter(names).items() if number > 1}
    return [
        f"{name}-{sha256(each.encode()).hexdigest()[:8]}" if name in duplicates else name
        for name, each in zip(names, overrides, strict=True)
    ]
