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
MOST_FILES = 100_000  # a million would take longer to write than all the rest; a list names these several times
JOBS = (1, 10, 100, 1_000, 2_000)
RUNS = (10, 100, 1_000, 10_000)
SEEDS = 5  # of a setting, where settings are tested
COLUMNS, WORDS, SIDE = 10, 12, 28  # of a table, of a text, of an image in pixels
STEEP = 1.15  # a slope in log-log up to which a line counts as straight: the machine's noise
PICTURE = ROOT / "docs" / "scale.png"
ONE_EPOCH = ("trainer=cpu", "trainer.max_epochs=1")
STEPS_OF = ("data.batch_size=128", "data.eval_batch_size=512")  # at every size: tables choose theirs by their rows
# Prints the seconds of the command, and the largest resident set of its largest process in bytes.
TIMED = """
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
        seconds: of the whole command, or of the launcher.
        memory: the most, in bytes.
        start: seconds before the first step, of a training.
        epoch: seconds of an epoch's training, of a training.
    """

    seconds: float
    memory: float
    start: float = math.nan
    epoch: float = math.nan


Costs = Mapping[int, Cost]  # by size


def measure() -> str:
    """The section of docs/benchmarks.md; also writes `docs/scale.png`."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        trained = {
            "`model=fnn data=table`": _by_size(SAMPLES, lambda n: _train(_table(folder, n), "model=fnn")),
            "`model=lstm data=text_table`": _by_size(SAMPLES, lambda n: _train(_texts(folder, n), "model=lstm")),
            "`model=cnn data=image_folder`": _by_size(SAMPLES, lambda n: _train(_images(folder, n), "model=cnn")),
            "the same again, from the cache": _by_size(SAMPLES, lambda n: _train(_images(folder, n), "model=cnn")),
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
    trainings = ("", "samples", "seconds to the first step", "of the epoch", "in all", "slope", "peak GB", "slope")
    sweeps = ("", "jobs", "seconds in all", "milliseconds a job", "slope", "peak GB", "slope")
    comparisons = ("", "runs", "seconds", "milliseconds a run", "slope", "peak GB", "slope")
    return "\n".join(
        (
            "## Cost as work grows\n",
            "![Seconds and memory by samples, jobs and runs, each axis logarithmic](scale.png)\n",
            "A slope is that of a line in the picture, from the size before: 1 is proportional, less is a start that "
            f"any size takes, and more than {STEEP} a bend. Each size was measured once.\n",
            "Training, one epoch in batches of 128: from the command to its end, with start, reading, splitting, "
            "baselines, validation, test and page:\n",
            markdown(trainings, _rows(trained, trains=True)),
            f"{said(trained)} Texts have {WORDS} words, tables {COLUMNS} columns, images {SIDE} x {SIDE} pixels, "
            f"each a file; of more than {MOST_FILES:,} images, a list names so many files several times.\n",
            "A sweep of jobs that train nothing, two at a time:\n",
            markdown(sweeps, _rows(swept)),
            f"{said(swept)} It is the processor's time of the process that starts jobs and collects results.\n",
            "`litmus compare` of made runs, with its page and figures:\n",
            markdown(comparisons, _rows(compared)),
            f"{said(compared)}\n",
        )
    )


def slopes(values: Mapping[int, float]) -> dict[int, float]:
    """Of each size but the first, the slope in log-log from the size before."""
    return {
        n: math.log(values[n] / values[before]) / math.log(n / before)
        for before, n in itertools.pairwise(sorted(values))
    }


def _seconds(costs: Costs) -> dict[int, float]:
    return {n: cost.seconds for n, cost in costs.items()}


def _memory(costs: Costs) -> dict[int, float]:
    return {n: cost.memory / 1e9 for n, cost in costs.items()}


def said(parts: Mapping[str, Costs]) -> str:
    """`Straight lines.`, or where which of them bends."""
    bends = [
        f"{name}: {what} bends at {n:,}, slope {slope:.2f}"
        for name, costs in parts.items()
        for what, values in (("time", _seconds(costs)), ("memory", _memory(costs)))
        for n, slope in slopes(values).items()
        if slope > STEEP
    ]
    return f"**{'; '.join(bends)}.**" if bends else "Straight lines."


def _rows(parts: Mapping[str, Costs], *, trains: bool = False) -> list[tuple[str, ...]]:
    rows = []
    for name, costs in parts.items():
        by_time, by_memory = slopes(_seconds(costs)), slopes(_memory(costs))
        for n, cost in costs.items():
            slope, steeper = (f"{found[n]:.2f}" if n in found else "" for found in (by_time, by_memory))
            parts_of = (f"{cost.start:.1f}", f"{cost.epoch:.2f}") if trains else ()
            each = () if trains else (f"{1000 * cost.seconds / n:.1f}",)
            seconds, memory = f"{cost.seconds:.2f}", f"{cost.memory / 1e9:.2f}"
            rows.append((name, f"{n:,}", *parts_of, seconds, *each, slope, memory, steeper))
    return rows


def _by_size(sizes: Sequence[int], cost: Callable[[int], Cost]) -> Costs:
    wanted = [n for n in sizes if n <= MOST]
    return {n: cost(n) for n in track(wanted, "sizes", console=console.Screen(stderr=True))}


def _train(data: Sequence[str], *words: str) -> Cost:
    """One epoch of a run in a process of its own; the user's cache folder is in the bench's."""
    with tempfile.TemporaryDirectory() as place:
        run = f"hydra.run.dir={place}/run"
        seconds, memory = _watched("train.py", *words, *data, *ONE_EPOCH, *STEPS_OF, run)
        result = json.loads(Path(place, "run", "result.json").read_text())
        assert result["status"] == "finished", result["error"]
        rows = pl.read_csv(Path(place, "run", "metrics.csv"))
    return Cost(seconds, memory, result["seconds"]["startup"], float(rows["time/epoch_seconds"].drop_nulls()[-1]))


def _compare(folder: Path) -> Cost:
    return Cost(*_watched("-m", "litmus", "compare", str(folder)))


def _watched(*words: str) -> tuple[float, float]:
    watch = [sys.executable, "-c", TIMED, sys.executable, *words]
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
    """A folder of two classes, or a list that names the files of a smaller one several times; written once."""
    if num > MOST_FILES:
        _, where, *others = _images(folder, MOST_FILES)
        files = sorted(Path(where.partition("=")[2]).rglob("*.png"))
        path = folder / f"images{num}.csv"
        names = [str(file) for file in files] * (num // MOST_FILES)
        pl.DataFrame({"path": names, "label": [Path(name).parent.name for name in names]}).write_csv(path)
        return ["data=image_folder", f"data.path={path}", *others]
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
    """The picture, a PNG: seconds and GB by size, with a gray line that is proportional."""
    panels = (
        ("samples", "seconds", trained, _seconds),
        ("jobs of a sweep", "seconds of the launcher", swept, _seconds),
        ("runs compared", "seconds", compared, _seconds),
        ("samples", "GB at most", trained, _memory),
        ("jobs of a sweep", "GB at most", swept, _memory),
        ("runs compared", "GB at most", compared, _memory),
    )
    set_up_matplotlib()

    def draw(canvas: "Canvas") -> None:
        for axes, (across, up, parts, values_of) in zip(canvas.subplots(2, 3).flat, panels, strict=True):
            for i, (name, costs) in enumerate(parts.items()):
                values = values_of(costs)
                style = {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)]}
                line = {"marker": "o", "markersize": 3, "linewidth": 1.3, "label": name.strip("`")}
                axes.plot([*values], [*values.values()], **line, **style)
            sizes = sorted({n for costs in parts.values() for n in costs})
            top = max(values_of(costs)[max(costs)] / max(costs) for costs in parts.values())
            axes.plot(sizes, [top * n for n in sizes], color=GRAY, linewidth=0.8, linestyle=":", label="proportional")
            axes.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
            axes.xaxis.set_major_formatter(_number)  # matplotlib's own are formulas, which are not drawn here
            axes.yaxis.set_major_formatter(_number)
            axes.minorticks_off()
            axes.tick_params(labelsize=6)
            axes.legend(fontsize=6)

    return draw_figure("scale", "", (9.0, 5.0), draw).png


def _number(value: float, _: int) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
