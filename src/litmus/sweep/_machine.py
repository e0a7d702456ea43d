"""How a sweep shares the machine: every core and every GPU belongs to one job."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GB_A_JOB = 3  # of memory that are free, for `jobs=auto`


@dataclass(frozen=True)
class Limits:
    """How a sweep shares the machine, and what it bears: the keys of `conf/sweep/_pool.yaml`, and the jobs' trainer.

    Attributes:
        jobs: at a time; "auto" is as many as there are cores or GPUs for.
        jobs_per_gpu: that share one.
        on_fail: what a job that fails means for the others.
        timeout_s: seconds that a job may take.
        gpus: whether jobs may use GPUs.
        devices: that each job asks for.
    """

    jobs: int | Literal["auto"]
    jobs_per_gpu: int
    on_fail: Literal["continue", "stop", "retry"]
    timeout_s: float | None
    gpus: bool
    devices: int


@dataclass(frozen=True)
class Slot:
    """Room for a job: its share of the cores, and the GPUs it sees (None: it may look for itself)."""

    cores: list[int]
    gpus: list[int] | None


def cores() -> list[int]:
    """That this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def slots(limits: Limits, gpus: int, cores: Sequence[int]) -> list[Slot]:
    """Divides the machine: every core and every GPU belongs to one job, unless more jobs are asked for than there are.

    All shares of the cores are equal, or the same job would give other last digits in another slot; cores that are
    left over are not used.

    Args:
        limits: of the sweep.
        gpus: that there are.
        cores: their numbers.
    """
    shares = gpus // limits.devices * limits.jobs_per_gpu if limits.gpus else 0
    room = shares or max(min(len(cores) // limits.devices, _free_gb() // GB_A_JOB), 1)
    number = room if limits.jobs == "auto" else limits.jobs
    share, made = len(cores) // number, []
    for i in range(number):
        own = cores[i * share : (i + 1) * share] if share else [cores[i % len(cores)]]
        seen = None
        if shares:
            first = i % (gpus // limits.devices) * limits.devices
            seen = list(range(first, first + limits.devices))
        made.append(Slot(list(own), seen))
    return made


def described(slots: Sequence[Slot]) -> str:
    """What the division is, in a sentence."""
    number, each = len(slots), len(slots[0].cores)
    jobs = "One job at a time" if number == 1 else f"{number} jobs at a time"
    gpus = slots[0].gpus
    seeing = "" if gpus is None else f" and {len(gpus)} GPU{'s' if len(gpus) > 1 else ''}"
    return f"{jobs}, {each} core{'s' if each > 1 else ''}{seeing} each."


def _free_gb() -> int:
    """Memory that is available, in 10^9 bytes; plenty, where the system does not say."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return sys.maxsize
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024 // 10**9
