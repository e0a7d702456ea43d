"""What this process may use of the machine: its memory, what its control groups say, and its cores."""

import functools
import math
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
HELD = 0.5  # cores that others hold, from which on waiting threads had better sleep
LEAST_S = 0.1  # of watching: the system counts in hundredths of a second
POLICY, SLEEP, THREADS = "OMP_WAIT_POLICY", "PASSIVE", "OMP_NUM_THREADS"  # of OpenMP (5.0, sections 6.7 and 6.2)
MEMINFO, OWN_GROUP, GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Bytes of memory that are available; a very large number where the system does not report it."""
    # Of what a group uses, only anonymous memory counts: pages of files can be freed.
    pairs = zip(read_cgroup_files("memory.max"), read_cgroup_files("memory.stat"), strict=False)
    free = [int(most) - int(used.partition("anon ")[2].split()[0]) for most, used in pairs if most != "max"]
    if MEMINFO.is_file():
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
    return max(0, min(free)) if free else sys.maxsize


def read_cgroup_files(name: str) -> list[str]:
    """That file of this process' control group (version 2) and of each group around it; empty without such groups."""
    own = OWN_GROUP.read_text().partition("0::/")[2].strip() if OWN_GROUP.is_file() else ""
    group = GROUPS / own
    files = [folder / name for folder in (group, *group.parents) if folder.is_relative_to(GROUPS)]
    return [file.read_text().strip() for file in files if file.is_file()]


def own_cores() -> set[int]:
    """The numbers of the cores on which this process may run."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def num_cores() -> int:
    """How many cores this process may use: as many as its container's CPU quota allows, a part of one for a whole."""
    quotas = [quota.split() for quota in read_cgroup_files("cpu.max")]  # microseconds, in how many
    shares = [math.ceil(int(time) / int(period)) for time, period in quotas if time != "max"]
    return max(1, min([len(own_cores()), *shares]))


@dataclass(frozen=True)
class Watch:
    """A moment, from which on the cores of this process are watched.

    Attributes:
        busy: seconds that its cores had been busy until then, since the system started; None where it does not say.
        own: seconds of them that were this process'.
        moment: on the monotonic clock, in seconds.
    """

    busy: float | None
    own: float
    moment: float

    @classmethod
    def begin(cls) -> "Watch":
        """Watches from now on."""
        return cls(_busy(), time.process_time(), time.monotonic())

    def held_by_others(self) -> float:
        """How many cores other processes held since, in the mean; 0 where that cannot be said."""
        busy, seconds = _busy(), time.monotonic() - self.moment
        if busy is None or self.busy is None or seconds < LEAST_S:
            return 0.0
        return max(0.0, (busy - self.busy - (time.process_time() - self.own)) / seconds)


@functools.cache
def watch() -> Watch:
    """That of this process, begun by the first call: a command calls it some tenths of a second before torch."""
    return Watch.begin()


def let_waiting_threads_sleep(held: float) -> str | None:
    """Has the threads of torch sleep while they wait for each other, where other processes want the cores.

    By default they spin, and keep the thread that they wait for from the core that it needs: `make bench ARGS=threads`.
    Has an effect only before torch is imported. The number of threads stays as it is, because results depend on it.

    Args:
        held: cores that others hold.

    Returns:
        What to say of it; None where nothing is changed: the cores are free, one thread has none to wait for, the user
        has decided, or it is too late.
    """
    cores, granted = len(own_cores()), num_cores()
    alone = granted < 2 or os.environ.get(THREADS, "").strip() == "1"
    if held < HELD or cores - held >= granted or alone or POLICY in os.environ or "torch" in sys.modules:
        return None
    os.environ[POLICY] = SLEEP
    return f"other processes hold {held:.1f} of {cores} cores: threads sleep while they wait ({POLICY}={SLEEP})"


def keep_to_quota() -> str | None:
    """Has torch use as many threads as this process has cores, where a container's quota grants fewer than it has.

    Otherwise torch starts one for each core of the machine, and the system lets all of them wait most of the time. Has
    an effect only before torch is imported; what the user has decided stays.

    Returns:
        What to say of it; None where nothing is changed.
    """
    cores, granted = len(own_cores()), num_cores()
    if granted == cores or THREADS in os.environ or "torch" in sys.modules:
        return None
    os.environ[THREADS] = str(granted)
    return f"the CPU quota is that of {granted} of {cores} cores: so many threads compute ({THREADS}={granted})"


def _busy() -> float | None:
    """Seconds that the cores of this process have been busy, since the system started."""
    with suppress(OSError, ValueError, IndexError):
        rows = {name: row for name, *row in map(str.split, STAT.read_text().splitlines())}
        # user, nice, system, idle, iowait, irq, softirq, steal: proc_stat(5)
        ticks = [[int(each) for each in rows[f"cpu{core}"][:8]] for core in own_cores() if f"cpu{core}" in rows]
        return sum(sum(row) - row[3] - row[4] for row in ticks) / os.sysconf("SC_CLK_TCK") if ticks else None
    return None
