"""What a choice of `sweep=` is: a source of jobs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from litmus.config.types import Count, Positive, Section
from litmus.config.validate import checked
from litmus.sweep.pool.job import Job, JobResult

UNSUCCESSFUL = ("failed", "diverged")  # statuses of jobs that `sweep.failed=retry` runs again


class Composer(Protocol):
    """Makes jobs from overrides; see `litmus.compose.sweep.Composer`."""

    def job(self, overrides: Sequence[str], own: Sequence[str], number: int, folder: Path) -> Job:
        """One job; `own` are the overrides that distinguish it from the others."""

    def select_for_jobs(self, overrides: Sequence[str]) -> list[str]:
        """The overrides that are about the jobs, and not about the sweep."""

    def combinations(self, overrides: Sequence[str]) -> list[tuple[list[str], list[str]]]:
        """For each combination of values, all overrides and those that vary."""


class Source(ABC):
    """Decides which jobs a sweep has; a grid knows them all, a search chooses each by the results of the others.

    All methods are called in one thread of the launcher's process, so a source need not lock what it keeps.

    Args:
        name: of the sweep's folder.
        jobs: at a time; "auto" is as many as there are cores or GPUs for.
        jobs_per_gpu: that share one.
        on_fail: what a job that fails means for the others.
        timeout_s: seconds that a job may take.

    Attributes:
        lists_jobs: whether all jobs are known before the first one starts, so that any of Hydra's launchers can run
            them.
        reruns_failed: whether `sweep.failed=retry` runs jobs again that failed or diverged in an earlier session.
        prunes: whether `report_epoch` may stop a job.
        shared: whether several launchers may run the sweep's jobs at a time, on machines that share its folder.
        num_elsewhere: jobs that other launchers were running, when that was last looked up.
        must_wait: whether processes of a launcher that ended are still ending, whose jobs this one takes over then.
        total: jobs of the whole sweep, including those that ended in an earlier session.
        remaining: jobs that are known and not started yet.
        already_finished: jobs that need not be run, because they ended in an earlier session, or another launcher has
            ended them; those are added while the sweep runs.
        invalid: for each job that could not be composed, a sentence that says why.
    """

    lists_jobs: ClassVar[bool] = False
    reruns_failed: ClassVar[bool] = False

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
        self.shared = False
        self.num_elsewhere = 0
        self.must_wait = False
        self.total = 0
        self.remaining: list[Job] = []
        self.already_finished: list[tuple[Job, JobResult]] = []
        self.invalid: list[str] = []

    @abstractmethod
    def start(self, folder: Path, overrides: Sequence[str], composer: Composer) -> Section:
        """Finds the jobs, and which of them need not be run.

        Args:
            folder: of the sweep.
            overrides: as typed, without those of the sweep itself.
            composer: makes the jobs.

        Returns:
            The configuration of one job.

        Raises:
            UserError: the overrides make no sweep, or the folder holds another one.
        """

    @abstractmethod
    def next_job(self) -> Job | None:
        """The job to start next; None if there is none left."""

    def update(self) -> None:
        """Looks up what other launchers have done."""
        return

    def report_epoch(self, job: Job, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Takes note of a job's epoch.

        Args:
            job: that trains.
            epoch: from 1.
            metrics: all metrics of the epoch.

        Returns:
            Whether to prune the job. Always False, unless the source overrides this.
        """
        return False

    def report_result(self, job: Job, result: JobResult) -> None:
        """Takes note of how a job ended. One that was interrupted is resumed with the sweep."""
        return

    def summary(self) -> list[str]:
        """Sentences for the end of the sweep, besides those that every sweep has."""
        return []
