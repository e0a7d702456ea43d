"""32 short jobs: litmus' launcher, Hydra's basic one in one process, and a process for each."""

import subprocess
import sys
import tempfile
import time

from rich.console import Console
from rich.progress import track

from bench._common import ROOT, markdown, median, ratios, spread

JOBS = 32
ALONE = 8  # of them in a process each: the rate is the same for all 32
REPEATS = 2
WORDS = ["model=fnn", "trainer.max_epochs=1", "data.source=bundled"]  # 5,000 digits
START = """
import sys, time
from litmus.compose.command_line import train
from litmus.sweep.pool.board import Board

freed, waiting, seconds = [], {}, []
started, progress, ended = Board.started, Board.progress, Board.ended

def timed_start(board, job):
    started(board, job)
    if freed:  # not the first jobs, which wait for the server
        waiting[job.number] = freed.pop(0)

def timed_progress(board, job, message):
    progress(board, job, message)
    if "first_step" in message and job.number in waiting:
        seconds.append(time.monotonic() - waiting[job.number])

def timed_end(board, job, *more):
    freed.append(time.monotonic())
    ended(board, job, *more)

Board.started, Board.progress, Board.ended = timed_start, timed_progress, timed_end
try:
    train()
except SystemExit as end:
    assert not end.code
print(*seconds)
"""  # runs a sweep as train.py does; prints for each job the seconds from a free slot to its first step


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
        words = ["-m", *WORDS, f"seed=range(0,{JOBS})", f"hydra.sweep.dir={folder}/sweep"]
        command = [sys.executable, "-c", START, *words]
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return [float(value) for value in done.stdout.splitlines()[-1].split()]
