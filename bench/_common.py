"""What the benchmarks share."""

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback
from omegaconf import OmegaConf
from rich.progress import track

from litmus import console
from litmus.record.folder import RunDir
from litmus.run import train as running

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
REPEATS = 7


def alternate(
    contestants: Mapping[str, Callable[[], float]], repeats: int, title: str, warm: Collection[str] = ()
) -> dict[str, list[float]]:
    """Every contestant once to warm up, but for those that do so themselves; then all in turn; what each gave.

    Args:
        contestants: by name; each gives its figure.
        repeats: how many times.
        title: of the progress bar.
        warm: names of those that need no warming up, because they are processes of their own.
    """
    for name, contestant in contestants.items():
        if name not in warm:
            contestant()
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in track(range(repeats), title, console=console.Screen(stderr=True)):
        for name, contestant in contestants.items():
            figures[name].append(contestant())
    return figures


def compose_config(*overrides: str) -> dict[str, Any]:
    """The configuration of a run of that command line, plain values."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config: Any = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    del config["sweep"]
    return config


def train(*overrides: str, callbacks: Sequence[Callback] = ()) -> dict[str, Any]:
    """Runs litmus in this process as `train.py` would in a terminal: bar drawn, TensorBoard written.

    Args:
        *overrides: as on the command line.
        callbacks: besides those of the configuration.
    """
    config = compose_config(*overrides)
    before = console.out
    console.out = console.Screen(file=io.StringIO(), force_terminal=True, width=100)
    try:
        with tempfile.TemporaryDirectory() as folder:
            run = RunDir(folder)
            run.claim(config)
            with console.log_to(run.log):
                running.train(run, config, time.perf_counter(), callbacks=callbacks)
            result = run.read_result()
    finally:
        console.out = before
    assert result is not None
    assert result["status"] == "finished", result["error"]
    return result


def run_command(*overrides: str) -> dict[str, Any]:
    """Runs `python train.py` in a process of its own; gives its result."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "train.py", *overrides, f"hydra.run.dir={folder}/run"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        result = json.loads(Path(folder, "run", "result.json").read_text())
    assert isinstance(result, dict)
    return result


# In a small process of its own: the kernel counts what a parent held when it started a child to the child's peak.
WATCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_gb_of_command(*overrides: str) -> float:
    """Largest resident set of `python train.py`, as the kernel accounts it, in 10^9 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "train.py", *overrides, f"hydra.run.dir={folder}/run"]
        watch = [sys.executable, "-c", WATCH, *command]
        done = subprocess.run(watch, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) * 1024 / 1e9  # Linux gives kibibytes


def median(figures: Sequence[float]) -> float:
    return statistics.median(figures)


def spread(figures: Sequence[float], digits: int) -> str:
    """`median (lowest to highest)`"""
    return f"{median(figures):.{digits}f} ({min(figures):.{digits}f} to {max(figures):.{digits}f})"


def ratios(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Pair by pair, so that a machine that slows down in between does not decide."""
    return [x / y for x, y in zip(a, b, strict=True)]


def asked(text: str, is_reached: bool) -> str:
    """A target, and whether it was missed."""
    return text if is_reached else f"{text}: missed"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join('---' for _ in columns)}|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"
