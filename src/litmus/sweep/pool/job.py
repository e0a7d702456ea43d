"""What a sweep is made of: jobs, how each ended, and what the launcher and the jobs' processes send each other."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from litmus.config.types import Section

Message = dict[str, Any]  # JSON, by key: numbers, text, and the metrics of an epoch


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        number: its place in the sweep, from 0.
        overrides: those that distinguish it from the other jobs, such as `("model=fnn", "seed=2")`.
        folder: of its run.
        config: the complete configuration, resolved, plain values.
        choices: of the groups, `{"model": "fnn", ...}`.
        all_overrides: also those that all jobs have.
        name: that it has besides, such as `trial 3`; empty where the overrides alone tell it apart.
        shown: the overrides for the screen, if a number there has fewer digits.
    """

    number: int
    overrides: tuple[str, ...]
    folder: Path
    config: Section
    choices: dict[str, str]
    all_overrides: tuple[str, ...] = ()
    name: str = ""
    shown: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name on the screen: what distinguishes it, or its folder, where it is the only one."""
        return " ".join([*([self.name] if self.name else []), *(self.shown or self.overrides)]) or self.folder.name


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    Attributes:
        status: finished, pruned, interrupted or failed.
        metrics: of the best epoch, and of the test if there was one: `{"val/acc": 0.98, ...}`.
        error: what went wrong, or None.
        seconds: how long it ran in this session of the sweep.
    """

    status: str
    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0


class JobRequest(TypedDict):
    """A job, as the launcher sends it to the process that jobs are forked from.

    Attributes:
        number: see `Job`, as for the next five.
        cores: that the job computes on.
        gpus: that the job sees; None leaves it to find them itself.
        prunes: whether the launcher answers each epoch with whether to prune the job.
    """

    number: int
    folder: str
    config: Section
    choices: dict[str, str]
    overrides: tuple[str, ...]
    all_overrides: tuple[str, ...]
    cores: list[int]
    gpus: list[int] | None
    prunes: bool
