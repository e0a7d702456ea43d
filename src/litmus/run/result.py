"""What `result.json` says of a run."""

import functools
import importlib.metadata
import platform
import statistics
import subprocess
from pathlib import Path
from typing import Any

from litmus.callback.meter import Meter
from litmus.config.keys import choice
from litmus.record.folder import RunDir
from litmus.task._base import Task
from litmus.trainer import Hardware, device_name

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


def result_of(run: RunDir, config: dict[str, Any], outcome: Any) -> dict[str, Any]:
    """What `result.json` holds; figures that were not reached are null or left out."""
    parts = outcome.parts
    rows = run.read_metrics()
    best = best_row(rows, parts.task) if rows and parts else {}
    kept = {name: value for name, value in best.items() if name.startswith(("train/", "val/"))}
    meter = parts.callback(Meter) if parts else None
    speeds = meter.samples_per_second if meter else []
    return {
        "status": outcome.status,
        "error": outcome.error,
        "metrics": {**kept, **outcome.test},
        "best_epoch": best.get("epoch"),
        "model": choice(config, "model"),
        "data": choice(config, "data"),
        "seed": config["seed"],
        "epochs": rows[-1]["epoch"] if rows else 0,
        "steps": rows[-1]["step"] if rows else 0,
        "seconds": outcome.seconds,
        "samples_per_second": round(statistics.median(speeds), 1) if speeds else None,
        "parameters": sum(p.numel() for p in parts.net.parameters()) if parts else None,
        "precision": parts.hardware.precision if parts else None,
        "device": _device(parts.hardware) if parts else None,
        "dataset": outcome.data.facts if outcome.data else None,
        "versions": versions(),
        "git": git(),
    }


def best_row(rows: list[dict[str, Any]], task: Task) -> dict[str, Any]:
    """The epoch that the monitored metric chose; the first of several."""
    sign = 1 if task.mode == "max" else -1
    return max(rows, key=lambda row: sign * row[task.monitor])


def _device(hardware: Hardware) -> str:
    name = f"{hardware.accelerator} ({device_name(hardware.accelerator)})"
    return f"{hardware.devices} x {name}" if hardware.devices > 1 else name


@functools.cache
def versions() -> dict[str, str | None]:
    """Of Python and the packages that decide what is computed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def git() -> dict[str, Any] | None:
    """The commit of the code that runs, and whether it has changes; None outside a repository.

    Asked once: code that changes later is not the code that runs.
    """
    here = Path(__file__).parent

    def said(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {"commit": said("rev-parse", "HEAD"), "changed": bool(said("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None
