"""What baselines cost: the first run of a dataset and split computes them, the others read them."""

import csv
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from bench._common import ROOT, markdown, spread

REPEATS = 3
CHILD = """
import json, sys, tempfile, time
from bench._common import compose_config
from litmus.config.instantiate import build
from litmus.run import train  # what a run has imported by then
from litmus.run.baselines import measure
from litmus.run.build import prepare, resolve
config = compose_config(*sys.argv[1:])
data = prepare(config)
task = build(resolve(config, data)["task"], build(config["model"], data.spec), None, None)
data.seen  # which every checkpoint stores, baselines or not
with tempfile.TemporaryDirectory() as folder:
    def timed():
        began, cpu = time.perf_counter(), time.process_time()
        found = measure(data, task, folder)
        return time.perf_counter() - began, time.process_time() - cpu, found
    first, again = timed(), timed()
assert first[2] == again[2]
print(json.dumps({"seconds": first[0], "cpu": first[1], "again": again[0], "notes": first[2].notes}))
"""


class Figures(NamedTuple):
    """Of one process: seconds, those of its processor, seconds where the numbers are kept, and what was said."""

    seconds: float
    cpu: float
    again: float
    notes: list[str]


def measure() -> str:
    """A table of all datasets, and of large ones of noise."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for what, overrides in _datasets(Path(name)).items():
            found = [_measured(overrides) for _ in range(REPEATS)]
            columns = zip(*((each.seconds, each.cpu, each.again) for each in found), strict=True)
            rows.append((what, *(spread(column, 2) for column in columns), " ".join(found[0].notes)))
    head = ("", "first, seconds", "of a core", "again, seconds", "models that are fitted")
    asked = (
        "Asked for: at most 1 s, or a tenth of the training, whichever is more. The first imports scikit-learn. Of a "
        "core: the processor's\ntime, which says what a quiet machine takes, whatever else runs."
    )
    return f"## Baselines\n\n{markdown(head, rows)}\n{asked}\n"


def _measured(overrides: list[str]) -> Figures:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, *overrides]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return Figures(**found)


def _datasets(folder: Path) -> dict[str, list[str]]:
    """By what they are, the overrides that choose them."""
    generator = np.random.default_rng(0)
    _write(folder / "texts.csv", ("text", "label"), _texts(generator, 200_000))
    numbers = ((text, len(text) + 0.5) for text, _ in _texts(generator, 200_000))
    _write(folder / "numbers.csv", ("text", "label"), numbers)
    waves = ((f"{math.sin(i / 9) + noise:.4f}",) for i, noise in enumerate(generator.normal(size=1_000_000)))
    _write(folder / "series.csv", ("value",), waves)
    for i, pixels in enumerate(generator.integers(0, 256, (4000, 16, 16, 3), dtype=np.uint8)):
        path = folder / "photos" / f"class {i % 10}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize((128, 128)).save(path)
    texts, lstm = f"data.path={folder}/texts.csv", ["model=lstm", "data=text_table"]
    return {
        "`data=mnist`": ["model=fnn"],
        "`data=sentiment`": ["model=lstm"],
        "`data=sentiment data.target=intensity`": ["model=lstm", "data.target=intensity"],
        "`data=text_table`, 200,000 texts, 4 classes": [*lstm, texts],
        "the same, numbers": [*lstm, f"data.path={folder}/numbers.csv"],
        "`data=series`": ["model=lstm", "data=series"],
        "`data=series`, 1,000,000 values, `data.horizon=12`": [
            *("model=lstm", "data=series", f"data.path={folder}/series.csv", "data.horizon=12", "data.period=57")
        ],
        "`data=image_folder`, 4,000 photos, 10 classes, `data.size=128`": [
            *("model=fnn", "data=image_folder", f"data.path={folder}/photos", "data.size=128", f"data.dir={folder}")
        ],
    }


def _texts(generator: np.random.Generator, number: int) -> list[tuple[str, str]]:
    words = np.array([f"word{i}" for i in range(20_000)])
    chosen = words[np.minimum(generator.zipf(1.3, (number, 20)), len(words)) - 1]
    return [(f"{' '.join(row)} {i}", "abcd"[int(i) % 4]) for i, row in enumerate(chosen)]


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
