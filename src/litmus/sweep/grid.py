"""Every combination of the values that were typed."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from litmus.config.keys import identity
from litmus.config.types import Count, Positive
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.record.folder import RunDir, slug
from litmus.run.job import check_same_runs
from litmus.sweep.pool import outcome
from litmus.sweep.pool.job import STUDY, Ended, Job


class Grid:
    """A sweep whose jobs are known from the beginning; those that have ended before are passed by."""

    @checked
    def __init__(
        self,
        *,
        name: str | None,
        jobs: Literal["auto"] | Count,
        jobs_per_gpu: Count,
        on_fail: Literal["continue", "stop", "retry"],
        timeout_s: Positive | None,
    ) -> None:
        self.name = name
        self.jobs = jobs
        self.jobs_per_gpu = jobs_per_gpu
        self.on_fail = on_fail
        self.timeout_s = timeout_s
        self.prunes = False
        self.repeats = True
        self.unmade: list[str] = []
        self.total = 0
        self.before: list[tuple[Job, Ended]] = []  # that need not be run
        self.left: list[Job] = []  # not started yet

    def begin(self, folder: Path, words: Sequence[Any], composer: Any) -> dict[str, Any]:
        """Makes the jobs, and sees which need not be run.

        Args:
            folder: of the sweep.
            words: what was typed of the jobs, parsed.
            composer: see `litmus.compose.sweep.Composer`.

        Returns:
            The configuration of the first job.

        Raises:
            UserError: a folder of a job holds another run, two jobs are the same, or the folder is a search's.
        """
        if (folder / STUDY).is_file():
            raise UserError(
                f"{folder} holds a search, whose trials are not those of a grid. Choose another sweep.name."
            )
        combinations = composer.combinations(words)
        names = _names([" ".join(sorted(own or everything)) for everything, own in combinations])
        jobs = [
            composer.job(everything, own, number, folder / names[number])
            for number, (everything, own) in enumerate(combinations)
        ]
        for key in ("accelerator", "devices"):  # of the first, the machine is divided by
            if len({job.config["trainer"][key] for job in jobs}) > 1:
                raise UserError(
                    f"trainer.{key} is the same for all jobs of a sweep: it decides how many run at a time."
                )
        jobs = _found_again(folder, jobs)
        check_same_runs([(RunDir(job.folder), job.config) for job in jobs])
        self.total = len(jobs)
        for job in jobs:
            if (ended := outcome.known(job)) is not None:
                self.before.append((job, ended))
            else:
                self.left.append(job)
        return jobs[0].config

    def next(self) -> Job | None:
        """See `_jobs.Source`."""
        return self.left.pop(0) if self.left else None

    def epoch(self, job: Job, epoch: int, metrics: dict[str, float]) -> bool:
        """See `_jobs.Source`; a grid prunes nothing."""
        return False

    def ended(self, job: Job, ended: Ended) -> None:
        """See `_jobs.Source`."""

    def summary(self) -> list[str]:
        """Nothing beyond what is said of every sweep."""
        return []


def _found_again(folder: Path, jobs: Sequence[Job]) -> list[Job]:
    """The jobs, with the folders in which an earlier sweep of this name ran the same under other words.

    A key that is swept only now has, in some jobs, the value that it had for all.
    """
    paths = {job.folder for job in jobs}
    before: list[tuple[dict[str, Any], Path]] = []
    for path in sorted(folder.glob("*/")):
        with suppress(UserError):  # damaged
            asked = None if path in paths else RunDir(path).read_requested()
            before += [(identity(asked), path)] if asked is not None else []
    found = []
    for job in jobs:
        wanted = None if not before or job.folder.is_dir() else identity(job.config)
        path = next((path for had, path in before if had == wanted), job.folder)
        found.append(replace(job, folder=path))
    return found


def _names(words: Sequence[str]) -> list[str]:
    """Of the jobs' folders; where two would be the same without what cannot be part of a name, with a number."""
    names = [slug(each) for each in words]
    twice = {name for name in names if names.count(name) > 1}
    return [
        f"{name}-{sha256(each.encode()).hexdigest()[:8]}" if name in twice else name
        for name, each in zip(names, words, strict=True)
    ]
