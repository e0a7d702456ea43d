"""What a sweep is made of: jobs, how each ended, and who says which comes next."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

STUDY = "study.db"  # of a search, in the sweep's folder


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        number: its place in the sweep, from 0.
        overrides: what is particular to it, as one types it, such as `("model=fnn", "seed=2")`.
        folder: of its run.
        config: everything, resolved, plain values.
        choices: of the groups, `{"model": "fnn", ...}`.
        words: all that is typed for it.
    """

    number: int
    overrides: tuple[str, ...]
    folder: Path
    config: dict[str, Any]
    choices: dict[str, str]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes:
        status: finished, pruned, interrupted or failed.
        metrics: of the best epoch, and of the test if there was one: `{"val/acc": 0.98, ...}`.
        error: what went wrong, or None.
        seconds: that it ran, in this session of the sweep.
    """

    status: str
    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0


class Source(Protocol):
    """Says which jobs there are; a grid knows them all, a search makes them up as it goes.

    All methods are called in one thread of the launcher's process, so a source may keep what it learns to itself.
    """

    total: int  # jobs of the whole sweep, those included that had ended before

    def next(self) -> Job | None:
        """The job to start now that there is room for one; None when there is none left."""

    def epoch(self, job: Job, epoch: int, metrics: dict[str, float]) -> bool:
        """Hears of a job's epoch (from 1), with every metric of it; True stops the job: it is pruned."""

    def ended(self, job: Job, ended: Ended) -> None:
        """Hears how a job ended. An interrupted one will be gone on with when the sweep is."""
