"""Where a run is computed: its code, packages, machine, threads and command, on which its digits may depend."""

import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import torch

from litmus.config.machine import available_memory, num_cores
from litmus.config.plugins import installed
from litmus.config.types import Section
from litmus.trainer import Hardware, device_name

# Those that decide what is computed, which result.json names; environment.json has all.
PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "hydra-core",
    "omegaconf",
    "numpy",
    "tensorboard",
    "transformers",
    "ultralytics",
)
VARIABLES = re.compile(
    r"OMP_.*|MKL_.*|KMP_.*|OPENBLAS_.*|CUDA_.*|CUBLAS_.*|NVIDIA_TF32_.*|TORCH_.*|PYTORCH_.*|PYTHONHASHSEED"
)
INSTALLED = re.compile(r"(.+?)-([^-]+)(?:-.*)?\.(?:dist|egg)-info")


def environment(command: str, hardware: Hardware) -> Section:
    """What `environment.json` holds.

    Args:
        command: that started the run, as typed.
        hardware: that it trains on.
    """
    return {
        "command": command,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": device_name("cpu"),
        "cores": num_cores(),
        "available_memory_gb": round(available_memory() / 1e9, 1),
        "device": f"{hardware.num_processes} x {device_name(hardware.accelerator)}",
        "precision": hardware.precision,
        "variables": {name: value for name, value in sorted(os.environ.items()) if VARIABLES.fullmatch(name)},
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "git": git(),
        "packages": packages(),
    }


@functools.cache
def versions() -> dict[str, str | None]:
    """Of Python, the packages that decide what is computed, and the plugins."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}, **_plugins()}


@functools.cache
def _plugins() -> dict[str, str]:
    """`0.1, code 1a2b3c4d`: the version may stay while its code is written, so a digest of the files goes with it."""
    found = {}
    for plugin in installed():
        info = importlib.metadata.Distribution.at(plugin.info).version if plugin.info else _version(plugin.name)
        code = sha256()
        for path in plugin.code:
            content = path.read_bytes()
            code.update(f"{path.relative_to(plugin.folder).as_posix()} {len(content)}\n".encode() + content)
        found[plugin.name] = ", ".join(filter(None, (info, f"code {code.hexdigest()[:8]}")))
    return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def packages() -> dict[str, str]:
    """The version of every installed package and plugin, by name: from folders' names, as reading each takes long."""
    found: dict[str, str] = {}
    for folder in reversed(sys.path):  # the first wins, as in an import
        with suppress(OSError):  # no folder, but an archive, or none at all
            names = (INSTALLED.fullmatch(path.name) for path in Path(folder).iterdir())
            found |= {name[1].replace("_", "-").lower(): name[2] for name in names if name}
    return dict(sorted({**found, **_plugins()}.items()))


@functools.cache
def git() -> Section | None:
    """The code that runs: `commit`, whether it is `changed` since, the sha256 of the `diff`; None without a repository.

    Cached: code that changes later is not the code that runs.
    """
    if (lines := _git("status", "--porcelain=v2", "--branch", "-uno")) is None:
        return None
    commit = next((line.split()[2] for line in lines.splitlines() if line.startswith("# branch.oid")), None)
    diff = code_diff()
    return {"commit": commit, "changed": bool(diff), "diff": sha256(diff.encode()).hexdigest() if diff else None}


@functools.cache
def code_diff() -> str:
    """How the code that runs differs from its commit, as git shows it; empty if it does not."""
    return _git("diff", "HEAD", "--binary") or ""


def _git(*arguments: str) -> str | None:
    """What git says of the repository that the code lies in; None if it says nothing."""
    # Reading takes no lock: a run that is killed, or may not write, must not leave one in the repository.
    command = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
