"""What this process may use of the machine: its memory, and what its control groups say."""

import sys
from pathlib import Path

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
