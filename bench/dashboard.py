"""How soon `litmus dashboard` has drawn charts of 500 runs, and what pictures, the doctor and a run's page cost."""

import os
import re
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
ONE_EPOCH = ("trainer.max_epochs=1", "trainer=cpu")
PAGE_REPEATS = 3
PAGES = (
    ("model=cnn", *ONE_EPOCH),
    ("model=fnn", "data=toy"),
    ("model=lstm", *ONE_EPOCH),
    ("model=lstm", "data=series", *ONE_EPOCH),
    ("model=yolo", "data.num_train=64", *ONE_EPOCH),
)
TRAINING = ("trainer=cpu", "data.source=auto", "task.baselines=false")
PICTURES = ("callback.dashboard.pictures=false", "callback.dashboard.graph=false")
DOCTOR = ("callback.doctor=null",)
# Of each row what is measured, the network, what leaves it out, the target in percent, and how many pairs.
COSTS = (
    ("pictures, histograms, graph and projector", ("model=cnn",), PICTURES, 5, 3),
    ("the doctor", ("model=cnn", "trainer.max_epochs=3"), DOCTOR, 3, 5),
    ("the doctor, where steps are shortest", ("model=fnn",), DOCTOR, 3, 9),
)
SMALL = ("model=cnn", "data.limit=2000", "data.limit_eval=1000", "trainer.max_epochs=10", "trainer=cpu")
CHARTS = "scalar-card line-chart"


def measure() -> str:
    return f"## TensorBoard\n\n{_opening()}\n{_costs()}\n{_pages()}"


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


def _costs() -> str:
    """What parts of a run cost its training: with and without in turn, in one process."""
    rows = []
    for name, words, without, target, pairs in COSTS:
        _train(*words)  # imports
        found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        for number in range(pairs):
            for has_it in (True, False) if number % 2 else (False, True):
                found[has_it].append(_train(*words, *(() if has_it else without)))
        more = [_more(found[True], found[False], i) for i in range(2)]
        seconds = [spread([wall for wall, _ in found[has_it]], 1) for has_it in (True, False)]
        rows.append((name, " ".join(words), *seconds, *more, f"at most {target} %"))
    columns = ("what", "training", "seconds with", "without", "more seconds", "more CPU time", "target")
    return "What parts of a run add to its training, pair by pair:\n\n" + markdown(columns, rows)


def _pages() -> str:
    """Seconds in which a run writes its page and the pictures beside it, each in a process of its own."""
    rows = []
    for words in PAGES:
        found = []
        for _ in range(PAGE_REPEATS):
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "train.py", *words, f"hydra.run.dir={folder}/run"]
                subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                log = Path(folder, "run", "train.log").read_text(encoding="utf-8")
            found += [float(seconds) for seconds in re.findall(r"page: (\d+\.\d+) s", log)]
        rows.append((" ".join(words), spread(found, 2), "at most 1.5"))
    return "A run's page, with its pictures:\n\n" + markdown(("", "seconds", "target"), rows)


def _more(shown: list[tuple[float, float]], hidden: list[tuple[float, float]], i: int) -> str:
    every = ratios([each[i] for each in shown], [each[i] for each in hidden])
    low, middle, high = (100 * (each - 1) for each in (min(every), median(every), max(every)))
    return f"{middle:.1f} % ({low:.1f} to {high:.1f})"


def _train(*words: str) -> tuple[float, float]:
    """Seconds of a run, and those that it computed."""
    begin, computed = time.perf_counter(), time.process_time()
    result = train(*words, *TRAINING)
    startup = sum(result["seconds"].get(name) or 0.0 for name in ("startup", "baselines"))
    return time.perf_counter() - begin - startup, time.process_time() - computed


if __name__ == "__main__":
    print(measure())
