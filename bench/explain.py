"""How soon `litmus explain` answers, from the command to its end: start, network, explanation and pictures."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from bench._common import ROOT, asked, markdown, median, spread
from litmus import console

REPEATS = 5
MOST = 10.0  # seconds
TEXT = "A gripping story, beautifully told: it is never dull, though the end is too long and the music is bad."
SHORT = ("trainer.max_epochs=1", "trainer.limit_batches=5", "task.baselines=false")
RUNS = {  # what is explained, and the most seconds that are asked for
    "bert": (("model=bert", "data=sentiment"), TEXT, MOST),
    "lstm": (("model=lstm", "data=sentiment"), TEXT, MOST),
    "cnn": (("model=cnn", "data=mnist"), "digit.png", MOST),
    "resnet": (("model=resnet", "data=mnist", "model.weights=null"), "digit.png", MOST),
    "fnn": (("model=fnn", "data=mnist"), "digit.png", MOST),
    "series": (("model=lstm", "data=series"), "series.csv", MOST),
}


def measure() -> str:
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pixels = np.zeros((28, 28), np.uint8)
        pixels[6:22, 12:16] = 255
        Image.fromarray(pixels).save(folder / "digit.png")
        values = "\n".join(f"{50 + 40 * np.sin(n / 1.75):.1f}" for n in range(80))
        (folder / "series.csv").write_text(f"SUNACTIVITY\n{values}\n", encoding="utf-8")
        for name, (words, given, most) in track(RUNS.items(), "explain", console=console.Screen(stderr=True)):
            _run("train.py", *words, *SHORT, f"hydra.run.dir={folder}/{name}", folder=ROOT)
            command = ("-m", "litmus", "explain", f"{folder}/{name}", given)
            seconds = [_run(*command, folder=folder) for _ in range(REPEATS)]
            rows.append((f"`{' '.join(words)}`", spread(seconds, 2), asked(f"under {most:g}", median(seconds) < most)))
    head = ("a first answer of `litmus explain RUN INPUT`", "seconds", "target")
    return "## Explanations\n\n" + markdown(head, rows)


def _run(*words: str, folder: Path) -> float:
    begin = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, *words], cwd=folder, check=True, capture_output=True, env=environment)
    return time.perf_counter() - begin


if __name__ == "__main__":
    print(measure())
