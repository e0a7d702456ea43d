"""What work costs as it grows: seconds and memory by samples, by jobs of a sweep, and by runs that are compared.

`SCALE_MOST=10000 make bench ARGS=scale` leaves out all that is larger.
"""

import itertools
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from PIL import Image
from rich.progress import track

from bench._common import ROOT, markdown
from litmus import console
from litmus.page.canvas import COLORS, DASHES, GRAY, draw_figure, set_up_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST = int(os.environ.get("SCALE_MOST", "1000000"))
SAMPLES = (1_000, 10_000, 100_000, 1_000_000)
FILES = (1_000, 10_000, 100_000)  # a million would take longer to write than all the rest
JOBS = (1, 10, 100, 1_000, 2_000)
RUNS = (10, 100, 1_000, 10_000)
SEEDS = 5  # of a setting, where settings are tested
COLUMNS, WORDS, SIDE = 10, 12, 28  # of a table, of a text, of an image in pixels
STEEP = 1.15  # a slope in log-log up to which a line counts as straight: the machine's noise
PICTURE = ROOT / "docs" / "scale.png"
ONE_EPOCH = ("trainer=cpu", "trainer.max_epochs=1")
# Prints the seconds of the command, and the largest resident set of its largest process in bytes.
WATCH = """
import resource, subprocess, sys, time
begin = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""
# Runs a sweep; prints the seconds that the launcher computed, without its imports and the server, and its memory.
LAUNCH = """
import sys, time
from pathlib import Path
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from rich.console import Console
from litmus.compose.sweep import Composer
from litmus.sweep.pool import session

folder, conf, *words = sys.argv[1:]
session.MODULES = (*session.MODULES, "bench._idle")
begin = time.process_time()
with initialize_config_dir(conf, version_base="1.3"):
    composer = Composer(GlobalHydra.instance().config_loader(), Path(conf))
    keys = dict(name=None, jobs=2, jobs_per_gpu=1, on_fail="continue", timeout_s=None, failed="skip")
    source = session.make_source({"_target_": "litmus.sweep.grid.Grid", **keys})
    console = Console(quiet=True)
    with session.locked(Path(folder), console) as lock:
        base = source.start(Path(folder), words, composer)
        with session.serving(lock) as start:
            assert session.run(source, Path(folder), base, start, console) == 0
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.process_time() - begin, 1024 * int(peak))
"""


@dataclass(frozen=True)
class Cost:
    """What some work took.

    Attributes:
        seconds: that grow with its size.
        start: those before the first step, of a training.
        memory: the most, in bytes.
    """

    seconds: float
    memory: float
    start: float = math.nan


Costs = Mapping[int, Cost]  # by size


def measure() -> str:
    """The section of docs/benchmarks.md; also writes `docs/scale.png`."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        trained = {
            "`model=fnn data=table`": _by_size(SAMPLES, lambda n: _train(_table(folder, n), "model=fnn")),
            "`model=lstm data=text_table`": _by_size(SAMPLES, lambda n: _train(_texts(folder, n), "model=lstm")),
            "`model=cnn data=image_folder`": _by_size(FILES, lambda n: _train(_images(folder, n), "model=cnn")),
            "the same again, from the cache": _by_size(FILES, lambda n: _train(_images(folder, n), "model=cnn")),
        }
        swept = {"the launcher's own": _by_size(JOBS, lambda n: _sweep(folder / f"sweep{n}", n))}
        compared = {
            "one seed each": _by_size(RUNS, lambda n: _compare(_runs(folder / f"one{n}", n, 1))),
            f"{SEEDS} seeds each": _by_size(RUNS, lambda n: _compare(_runs(folder / f"five{n}", n, SEEDS))),
        }
    PICTURE.write_bytes(_draw(trained, swept, compared))
    return report(trained, swept, compared)


def report(trained: Mapping[str, Costs], swept: Mapping[str, Costs], compared: Mapping[str, Costs]) -> str:
    """The text for docs/benchmarks.md."""
    head = ("", "samples", "seconds to the first step", "seconds an epoch", "slope", "peak GB")
    sweeps = ("", "jobs", "seconds in all", "slope", "milliseconds a job", "peak GB")
    comparisons = ("", "runs", "seconds", "slope", "milliseconds a run", "peak GB")
    return "\n".join(
        (
            "## Cost as work grows\n",
            "![Seconds by samples, jobs and runs, each axis logarithmic](scale.png)\n",
            "A slope is that of a line in the picture, from the size before: 1 is proportional, less is a start that "
            f"any size takes, and more than {STEEP} a bend.\n",
            "Training, one epoch, everything on:\n",
            markdown(head, _rows(trained, trains=True)),
            f"{said(trained)} Texts have {WORDS} words, tables {COLUMNS} columns, images {SIDE} x {SIDE} pixels, "
            f"each a file; more than {FILES[-1]:,} files were not written.\n",
            "A sweep of jobs that train nothing, two at a time:\n",
            markdown(sweeps, _rows(swept)),
            f"{said(swept)} It is the processor's time of the process that starts jobs and collects results.\n",
            "`litmus compare` of made runs, with its page and figures:\n",
            markdown(comparisons, _rows(compared)),
            f"{said(compared)}\n",
        )
    )


def slopes(costs: Costs) -> dict[int, float]:
    """Of each size but the first, the slope in log-log from the size before."""
    sizes = sorted(costs)
    return {
        n: math.log(costs[n].seconds / costs[before].seconds) / math.log(n / before)
        for before, n in itertools.pairwise(sizes)
    }


def said(parts: Mapping[str, Costs]) -> str:
    """`Straight lines.`, or where which of them bends."""
    bends = [
        f"{name} bends at {n:,}: slope {slope:.2f}"
        for name, costs in parts.items()
        for n, slope in slopes(costs).items()
        if slope > STEEP
    ]
    return f"**{'; '.join(bends)}.**" if bends else "Straight lines."


def _rows(parts: Mapping[str, Costs], *, trains: bool = False) -> list[tuple[str, ...]]:
    rows = []
    for name, costs in parts.items():
        found = slopes(costs)
        for n, cost in costs.items():
            slope = f"{found[n]:.2f}" if n in found else ""
            start = (f"{cost.start:.1f}",) if trains else ()
            each = () if trains else (f"{1000 * cost.seconds / n:.1f}",)
            rows.append((name, f"{n:,}", *start, f"{cost.seconds:.2f}", slope, *each, f"{cost.memory / 1e9:.2f}"))
    return rows


def _by_size(sizes: Sequence[int], cost: Callable[[int], Cost]) -> Costs:
    wanted = [n for n in sizes if n <= MOST]
    return {n: cost(n) for n in track(wanted, "sizes", console=console.Screen(stderr=True))}


def _train(data: Sequence[str], *words: str) -> Cost:
    """One epoch of a run in a process of its own; the user's cache folder is in the bench's."""
    with tempfile.TemporaryDirectory() as place:
        run = f"hydra.run.dir={place}/run"
        _, memory = _watched("train.py", *words, *data, *ONE_EPOCH, run)
        result = json.loads(Path(place, "run", "result.json").read_text())
        assert result["status"] == "finished", result["error"]
        rows = pl.read_csv(Path(place, "run", "metrics.csv"))
    return Cost(float(rows["time/epoch_seconds"].drop_nulls()[-1]), memory, result["seconds"]["startup"])


def _compare(folder: Path) -> Cost:
    return Cost(*_watched("-m", "litmus", "compare", str(folder)))


def _watched(*words: str) -> tuple[float, float]:
    watch = [sys.executable, "-c", WATCH, sys.executable, *words]
    done = subprocess.run(watch, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def _sweep(folder: Path, num_jobs: int) -> Cost:
    words = ["model=perceptron", "data=toy", "trainer=cpu", f"seed=range(0,{num_jobs})"]
    command = [sys.executable, "-c", LAUNCH, str(folder), str(ROOT / "conf"), *words]
    python = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=python, check=True, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(folder)
    return Cost(*map(float, done.stdout.split()))


def _table(folder: Path, num: int) -> list[str]:
    generator = np.random.default_rng(0)
    columns = {f"x{i}": generator.normal(size=num).astype(np.float32) for i in range(COLUMNS)}
    path = folder / f"table{num}.parquet"
    frame = pl.DataFrame({**columns, "label": np.where(columns["x0"] + columns["x1"] > 0, "yes", "no")})
    frame.write_parquet(path)
    return ["data=table", f"data.path={path}", "data.target=label"]


def _texts(folder: Path, num: int) -> list[str]:
    generator, path = np.random.default_rng(0), folder / f"texts{num}.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for words in generator.integers(5000, size=(num, WORDS)).tolist():
            file.write(f"{' '.join(f'w{word}' for word in words)},{'ab'[words[0] % 2]}\n")
    return ["data=text_table", f"data.path={path}", f"data.dir={folder}/cache"]


def _images(folder: Path, num: int) -> list[str]:
    """A folder of two classes, written once."""
    path, generator = folder / f"images{num}", np.random.default_rng(0)
    for i in range(num) if not path.is_dir() else ():
        place = path / "ab"[i % 2]
        if i < 2:
            place.mkdir(parents=True)
        pixels = generator.integers(0, 128, (SIDE, SIDE), dtype=np.uint8) + np.uint8(64 * (i % 2))
        Image.fromarray(pixels).save(place / f"{i:06}.png", compress_level=1)
    return ["data=image_folder", f"data.path={path}", f"data.size={SIDE}", f"data.dir={folder}/cache"]


def _runs(folder: Path, num: int, num_seeds: int) -> Path:
    """Run folders: one that was trained, and copies of it of other learning rates and seeds, with other results."""
    first = folder.parent / "first"
    if not first.is_dir():
        command = [sys.executable, "train.py", "model=fnn", "data.source=bundled", "data.limit=400", *ONE_EPOCH]
        subprocess.run([*command, f"hydra.run.dir={first}"], cwd=ROOT, check=True, capture_output=True)
    config, result = (first / "config.yaml").read_text(), json.loads((first / "result.json").read_text())
    generator = random.Random(0)
    for i in range(num):
        setting, seed = divmod(i, num_seeds)
        run = folder / f"{i:06}"
        (run / "checkpoints").mkdir(parents=True)
        rate = f"{1e-4 + 1e-6 * setting:.6f}"
        own = re.sub(r"(?m)^seed: .*$", f"seed: {seed}", config)
        (run / "config.yaml").write_text(re.sub(r"(?m)^(optimizer:\n(?:  .*\n)*?  lr: ).*$", rf"\g<1>{rate}", own))
        metrics = {**result["metrics"], "val/acc": 0.9 + 0.05 * generator.random()}
        (run / "result.json").write_text(json.dumps({**result, "seed": seed, "metrics": metrics}))
        for name in ("metrics.csv", "train.log"):
            shutil.copyfile(first / name, run / name)
    return folder


def _draw(trained: Mapping[str, Costs], swept: Mapping[str, Costs], compared: Mapping[str, Costs]) -> bytes:
    """The picture, a PNG: seconds by size, with a gray line that is proportional."""
    panels = (
        ("samples", "seconds an epoch", trained),
        ("jobs of a sweep", "seconds of the launcher", swept),
        ("runs compared", "seconds", compared),
    )
    set_up_matplotlib()

    def draw(canvas: "Canvas") -> None:
        for axes, (across, up, parts) in zip(canvas.subplots(1, len(panels)), panels, strict=True):
            for i, (name, costs) in enumerate(parts.items()):
                seconds = [cost.seconds for cost in costs.values()]
                style = {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)]}
                axes.plot([*costs], seconds, marker="o", markersize=3, linewidth=1.3, label=name.strip("`"), **style)
            sizes = sorted({n for costs in parts.values() for n in costs})
            top = max(costs[max(costs)].seconds / max(costs) for costs in parts.values())
            axes.plot(sizes, [top * n for n in sizes], color=GRAY, linewidth=0.8, linestyle=":", label="proportional")
            axes.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
            axes.legend(fontsize=6)

    return draw_figure("scale", "", (9.0, 3.0), draw).png
