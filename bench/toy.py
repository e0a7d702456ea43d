"""How long a run on points takes, from the command to its end: start, baselines, training, test and page."""

import os
import subprocess
import sys
import tempfile
import time

from rich.progress import track

from bench._common import ROOT, asked, markdown, median, spread
from litmus import console

REPEATS = 5
MOST = 6.0  # seconds
RUNS = (
    ("model=fnn", "data=toy"),
    ("model=fnn", "data=toy", "data.kind=spirals", "model.widths=[16]"),
    ("model=fnn", "data=toy", "data.kind=sine"),
    ("model=perceptron", "data=toy", "data.kind=xor"),
    ("model=scratch", "data=toy", "data.kind=circles"),
    ("model=linear", "data=toy", "data.kind=linear"),
)


def measure() -> str:
    rows = []
    for words in track(RUNS, "toy", console=console.Screen(stderr=True)):
        seconds = [_run(*words, f"seed={seed}") for seed in range(REPEATS)]
        rows.append((f"`{' '.join(words)}`", spread(seconds, 2), asked("under 6", median(seconds) < MOST)))
    head = ("", "seconds from the command to its end", "target")
    return "## Points\n\n" + markdown(head, rows)


def _run(*words: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "train.py", *words, f"hydra.run.dir={folder}/run"]
        environment = {**os.environ, "LITMUS_DATA": folder}  # where no baselines are kept
        begin = time.perf_counter()
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        return time.perf_counter() - begin


if __name__ == "__main__":
    print(measure())
