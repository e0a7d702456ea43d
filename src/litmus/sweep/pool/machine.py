"""How a sweep shares the machine: every core and every GPU belongs to one job."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from litmus.config.machine import available_memory, num_cores, own_cores

BYTES_PER_JOB = 3 * 10**9  # of free memory, for `jobs=auto`


@dataclass(frozen=True)
class Limits:
    """How a sweep shares the machine: the keys of `conf/sweep/_pool.yaml`, and what the jobs' trainer needs.

    Attributes:
        jobs: at a time; "auto" is as many as there are cores or GPUs for.
        jobs_per_gpu: that share one.
        on_fail: what a job that fails means for the others.
        timeout_s: seconds that a job may take.
        gpus: whether jobs may use GPUs.
        devices: that each job trains on.
    """

    jobs: int | Literal["auto"]
    jobs_per_gpu: int
    on_fail: Literal["continue", "stop", "retry"]
    timeout_s: float | None
    gpus: bool
    devices: int


@dataclass(frozen=True)
class Slot:
    """Room for a job: its cores, and the GPUs it sees; None leaves it to find GPUs itself."""

    cores: list[int]
    gpus: list[int] | None


def cores() -> list[int]:
    """The numbers of the cores that this process may use, as many as its container's CPU quota allows."""
    # Not the first ones, which all containers of a machine would use.
    return sorted(random.sample(sorted(own_cores()), num_cores()))


def slots(limits: Limits, gpus: int, cores: Sequence[int]) -> list[Slot]:
    """Divides the machine: every core and every GPU belongs to one job, unless there are more jobs than those.

    All slots have the same number of cores, or the same job would give other last digits in another slot; cores that
    are left over are not used.

    Args:
        limits: of the sweep.
        gpus: how many there are.
        cores: their numbers.
    """
    gpu_slots = gpus // limits.devices * limits.jobs_per_gpu if limits.gpus else 0
    room = gpu_slots or max(min(len(cores) // limits.devices, available_memory() // BYTES_PER_JOB), 1)
    num_slots = room if limits.jobs == "auto" else limits.jobs
    cores_per_slot, divided = len(cores) // num_slots, []
    for i in range(num_slots):
        own = cores[i * cores_per_slot : (i + 1) * cores_per_slot] if cores_per_slot else [cores[i % len(cores)]]
        visible = None
        if gpu_slots:
            first = i % (gpus // limits.devices) * limits.devices
            visible = list(range(first, first + limits.devices))
        divided.append(Slot(list(own), visible))
    return divided


def describe(slots: Sequence[Slot]) -> str:
    """A sentence such as `2 jobs at a time, 4 cores and 1 GPU each.`"""
    number, each = len(slots), len(slots[0].cores)
    jobs = "One job at a time" if number == 1 else f"{number} jobs at a time"
    gpus = slots[0].gpus
    seeing = "" if gpus is None else f" and {len(gpus)} GPU{'s' if len(gpus) > 1 else ''}"
    return f"{jobs}, {each} core{'s' if each > 1 else ''}{seeing} each."
