"""A sweep that is killed again and again, and resumed each time, against one that is not."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import track

from bench._common import ROOT, markdown

KILLS = 10
JOBS = 24
WORDS = ["model=fnn", "model.dropout=0,0.3", "model.widths=[32],[64]", "seed=range(0,6)"]
WORDS += ["data.source=bundled", "trainer.max_epochs=12", "trainer=cpu"]


def measure() -> str:
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, disturbed = Path(folder, "a"), Path(folder, "b")
        assert _start(undisturbed).wait() == 0
        killed, finished_before = _run_with_kills(disturbed)
        assert _start(disturbed).wait() == 0
        expected, got = _results(undisturbed), _results(disturbed)
        equal = sum(_measured(got[name]) == _measured(expected[name]) for name in expected if name in got)
        twice = sum(
            (disturbed / name / "result.json").stat().st_mtime_ns != when for name, when in finished_before.items()
        )
    rows = [
        ("results", str(len(got)), str(JOBS)),
        ("equal to the undisturbed sweep's, every metric of every epoch to the last bit", str(equal), str(JOBS)),
        ("jobs run again after they had finished", str(twice), "0"),
    ]
    what = ", ".join(f"{killed.count(kind)} of {kind}" for kind in dict.fromkeys(killed))
    return f"## {JOBS} jobs of 12 epochs, {len(killed)} times SIGKILL ({what}), resumed each time\n\n" + markdown(
        ("", "reached", "target"), rows
    )


def _start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "train.py", "-m", *WORDS, f"hydra.sweep.dir={folder}"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _run_with_kills(folder: Path) -> tuple[list[str], dict[str, int]]:
    """Kills the launcher or a random job, `KILLS` times; what was killed, and when each finished result was written."""
    chance = random.Random(0)
    killed: list[str] = []
    ended: dict[str, int] = {}
    process = _start(folder)
    for number in track(range(KILLS), "kills", console=Console(stderr=True)):
        while not _jobs(process):
            time.sleep(0.05)
            assert process.poll() is None, "the sweep ended before it was killed often enough"
        time.sleep(chance.uniform(0.1, 2.5))
        jobs = _jobs(process)
        if number % 2 and jobs:
            os.kill(chance.choice(jobs), signal.SIGKILL)
            killed.append("a job")
            continue
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        killed.append("the launcher")
        for path in folder.glob("*/result.json"):
            if json.loads(path.read_text())["status"] == "finished":
                ended.setdefault(path.parent.name, path.stat().st_mtime_ns)
        process = _start(folder)
    process.wait()
    return killed, ended


def _jobs(process: subprocess.Popen[bytes]) -> list[int]:
    try:
        servers = psutil.Process(process.pid).children()
        return [job.pid for server in servers for job in server.children()]
    except psutil.NoSuchProcess:
        return []


def _results(folder: Path) -> dict[str, Path]:
    return {
        path.parent.name: path.parent
        for path in folder.glob("*/result.json")
        if json.loads(path.read_text())["status"] == "finished"
    }


def _measured(run: Path) -> dict[str, Any]:
    """All metrics of a run, except times."""
    result = json.loads((run / "result.json").read_text())
    header, *rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    kept = [i for i, name in enumerate(header) if not name.startswith("time/")]
    return {"metrics": result["metrics"], "epochs": [[row[i] for i in kept] for row in rows]}
