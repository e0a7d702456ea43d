"""32 short jobs: litmus' launcher, Hydra's basic one in one process, and a process for each."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from bench._common import ROOT, markdown, median, ratios, spread

JOBS = 32
ALONE = 8  # of them in a process each: the rate is the same for all 32
REPEATS = 2
WORDS = ["model=fnn", "trainer.max_epochs=1", "data.source=bundled"]  # 5,000 digits
START = """
import sys, time
from pathlib import Path
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from rich.console import Console
from litmus.compose.sweep import Composer
from litmus.sweep.pool import session
from litmus.sweep.pool.sweep_reporter import SweepReporter

class Watch(SweepReporter):
    freed, begun, took = [], {}, []
    def report_start(self, job):
        super().report_start(job)
        if self.freed:  # not the first ones, which wait for the server
            self.begun[job.number] = self.freed.pop(0)
    def report_result(self, job, result, is_retried):
        self.freed.append(time.monotonic())
        super().report_result(job, result, is_retried)
    def report_progress(self, job, message):
        super().report_progress(job, message)
        if "first_step" in message and job.number in self.begun:
            self.took.append(time.monotonic() - self.begun[job.number])

session.SweepReporter = Watch
folder, conf, *words = sys.argv[1:]
with initialize_config_dir(conf, version_base="1.3"):
    composer = Composer(GlobalHydra.instance().config_loader(), Path(conf))
    keys = dict(name=None, jobs="auto", jobs_per_gpu=1, on_fail="continue", timeout_s=None, failed="skip")
    source = session.make_source({"_target_": "litmus.sweep.grid.Grid", **keys})
    console = Console(quiet=True)
    with session.locked(Path(folder), console) as lock:
        base = source.start(Path(folder), words, composer)
        with session.serving(lock) as start:
            assert session.run(source, Path(folder), base, start, console) == 0
print(*Watch.took)
"""


def measure() -> str:
    figures: dict[str, list[float]] = {"litmus": [], "basic": [], "processes": []}
    for _ in track(range(REPEATS), "sweeps", console=Console(stderr=True)):
        figures["litmus"].append(_swept())
        figures["basic"].append(_swept("hydra/launcher=basic"))
        figures["processes"].append(_processes())
    starts = _starts()
    rows = [("litmus: forked, two at a time", spread(figures["litmus"], 1), "", "")]
    rivals = {
        "basic": ("Hydra's basic launcher, one process", "at least 1.5"),
        "processes": (f"a process for each, one after another ({ALONE} of them)", "at least 4"),
    }
    for name, (what, wanted) in rivals.items():
        times = median(ratios(figures["litmus"], figures[name]))
        rows.append((what, spread(figures[name], 1), f"{times:.2f}", wanted))
    head = ("", "jobs a minute", "litmus runs so many times as many", "target")
    return (
        f"## {JOBS} jobs: FNN, one epoch, on the 5,000 digits that a package ships\n\n"
        + markdown(head, rows)
        + f"\nFrom a free slot to a job's first step: {spread(starts, 2)} seconds over {len(starts)} jobs; target: "
        "less than 1.\n"
    )


def _swept(*more: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return _timed("-m", *WORDS, f"seed=range(0,{JOBS})", f"hydra.sweep.dir={folder}/sweep", *more)


def _processes() -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for seed in range(ALONE):
            _train(*WORDS, f"seed={seed}", f"hydra.run.dir={folder}/{seed}")
        return ALONE / (time.perf_counter() - began) * 60


def _timed(*words: str) -> float:
    began = time.perf_counter()
    _train(*words)
    return JOBS / (time.perf_counter() - began) * 60


def _train(*words: str) -> None:
    subprocess.run([sys.executable, "train.py", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _starts() -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        words: list[Any] = [folder, str(ROOT / "conf"), *WORDS, f"seed=range(0,{JOBS})"]
        command = [sys.executable, "-c", START, *words]
        done = subprocess.run(command, cwd=Path(folder), check=True, stdout=subprocess.PIPE, text=True)
    return [float(value) for value in done.stdout.split()]
