"""How a sweep shares the machine: every core and every GPU belongs to one job."""

import math
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

GB_PER_JOB = 3  # of free memory, in 10^9 bytes, for `jobs=auto`
MEMINFO, OWN_GROUP, GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


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
    available = (
        sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    )
    quotas = [quota.split() for quota in _read_cgroup_files("cpu.max")]  # microseconds, in how many
    shares = [math.ceil(int(time) / int(period)) for time, period in quotas if time != "max"]
    number = max(1, min([len(available), *shares]))
    return sorted(random.sample(available, number))  # not the first ones, which all containers of a machine would use


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
    room = gpu_slots or max(min(len(cores) // limits.devices, _free_gb() // GB_PER_JOB), 1)
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


def _free_gb() -> int:
    """Available memory, in 10^9 bytes; a very large number where the system does not report it."""
    # Of what a group uses, only anonymous memory counts: pages of files can be freed.
    pairs = zip(_read_cgroup_files("memory.max"), _read_cgroup_files("memory.stat"), strict=False)
    free = [int(most) - int(used.partition("anon ")[2].split()[0]) for most, used in pairs if most != "max"]
    if MEMINFO.is_file():
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
    return max(0, min(free)) // 10**9 if free else sys.maxsize


def _read_cgroup_files(name: str) -> list[str]:
    """That file of this process' control group (version 2) and of each group around it; empty without such groups."""
    own = OWN_GROUP.read_text().partition("0::/")[2].strip() if OWN_GROUP.is_file() else ""
    group = GROUPS / own
    files = [folder / name for folder in (group, *group.parents) if folder.is_relative_to(GROUPS)]
    return [file.read_text().strip() for file in files if file.is_file()]
