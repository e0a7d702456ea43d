"""How soon `litmus dashboard` has drawn charts of 500 runs, and what pictures cost a training."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench._common import ROOT, markdown, median, ratios, spread, train
from litmus.record.folder import RunDir

sys.path.insert(0, str(ROOT / "tests"))
from browsing import BROWSER, Browser  # the tests' own

RUNS, PORT = 500, 6097
REPEATS = 5
PAIRS = 3
TRAINING = ("model=cnn", "trainer=cpu", "data.source=auto", "task.baselines=false")
SMALL = ("model=cnn", "data.limit=2000", "data.limit_eval=1000", "trainer.max_epochs=10", "trainer=cpu")
CHARTS = "scalar-card line-chart"


def measure() -> str:
    return f"## TensorBoard\n\n{_opening()}\n{_cost()}"


def _opening() -> str:
    """Seconds from the command to the first drawn chart."""
    if BROWSER is None:
        sys.exit("This needs Chromium.")
    with tempfile.TemporaryDirectory() as place:
        outputs = Path(place, "outputs")
        _make_runs(outputs)
        _open(outputs, Path(place, "profile"))  # what is read once
        figures = [_open(outputs, Path(place, "profile")) for _ in range(REPEATS)]
    answered, drawn, computed = zip(*figures, strict=True)
    rows = [
        ("TensorBoard answers", spread(answered, 2), ""),
        ("the first chart is drawn", spread(drawn, 2), "at most 3"),
        ("CPU time of the two processes until it answers", spread(computed, 2), ""),
    ]
    said = f"`litmus dashboard` on {RUNS} runs of ten epochs, each with pictures, of which it shows the latest 40:\n\n"
    return said + markdown(("", "seconds", "target"), rows)


def _make_runs(outputs: Path) -> None:
    """One run, and copies of it with other learning rates."""
    first = outputs / "cnn-mnist" / "0"
    command = [sys.executable, "train.py", *SMALL, f"hydra.run.dir={first}"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(first / "checkpoints")
    config = RunDir(first).read_config()
    for number in range(1, RUNS):
        run = RunDir(shutil.copytree(first, outputs / "cnn-mnist" / str(number)))
        run.write_config({**config, "optimizer": {**config["optimizer"], "lr": 1e-4 * number}})


def _open(outputs: Path, profile: Path) -> tuple[float, float, float]:
    """Seconds until TensorBoard answers, until a chart is drawn, and those that its processes computed."""
    browser = Browser(profile)
    time.sleep(2)  # it is open already
    begin = time.perf_counter()
    command = [sys.executable, "-m", "litmus", "dashboard", str(outputs), "--port", str(PORT)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://localhost:{PORT}/"
        while not _answers(address):
            time.sleep(0.01)
        answered, computed = time.perf_counter() - begin, _cpu_seconds(server.pid)
        browser.open(address)
        browser.wait_for(f"document.querySelectorAll('{CHARTS}').length > 1", 60)
        while browser.num_colored(f"document.querySelector('{CHARTS}')") < 30:
            time.sleep(0.1)  # looking delays it
        return answered, time.perf_counter() - begin, computed
    finally:
        browser.close()
        server.terminate()
        server.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address):
            return True
    except OSError:
        return False


def _cpu_seconds(process: int) -> float:
    """Of a process and its children, as Linux counts them."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if process in (int(path.parent.name), int(fields[1])):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _cost() -> str:
    """The default training of the CNN with pictures and graph, against the same without: in turn, in one process."""
    shown: list[tuple[float, float]] = []
    hidden: list[tuple[float, float]] = []
    _train(True)  # imports
    for number in range(PAIRS):
        order = (True, False) if number % 2 else (False, True)
        for pictures in order:
            (shown if pictures else hidden).append(_train(pictures))
    rows = [
        (name, spread([each[i] for each in shown], 1), spread([each[i] for each in hidden], 1), _more(shown, hidden, i))
        for i, name in enumerate(("training, seconds", "the same, CPU time"))
    ]
    return "What pictures, histograms, graph and projector cost `model=cnn`, pair by pair:\n\n" + markdown(
        ("", "with", "without", "more (target: at most 5 %)"), rows
    )


def _more(shown: list[tuple[float, float]], hidden: list[tuple[float, float]], i: int) -> str:
    every = ratios([each[i] for each in shown], [each[i] for each in hidden])
    low, middle, high = (100 * (each - 1) for each in (min(every), median(every), max(every)))
    return f"{middle:.1f} % ({low:.1f} to {high:.1f})"


def _train(pictures: bool) -> tuple[float, float]:
    """Seconds of a run, and those that it computed."""
    switches = [f"callback.dashboard.{name}={str(pictures).lower()}" for name in ("pictures", "graph")]
    begin, computed = time.perf_counter(), time.process_time()
    result = train(*TRAINING, *switches)
    startup = sum(result["seconds"].get(name) or 0.0 for name in ("startup", "baselines"))
    return time.perf_counter() - begin - startup, time.process_time() - computed


if __name__ == "__main__":
    print(measure())
