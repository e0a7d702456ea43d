"""How soon `litmus dashboard` has drawn charts of 500 runs, and what pictures, the doctor and a run's page cost."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning

from bench._common import ROOT, markdown, median, spread, train
from litmus.callback.checkpoint import callbacks_of
from litmus.callback.dashboard import Dashboard
from litmus.callback.doctor import Doctor
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
# Of each row what is measured, the network, its callback, the target in percent, and how many seeds.
COSTS = (
    ("TensorBoard, pictures included", ("model=cnn",), Dashboard, 5, 2),
    ("the doctor", ("model=cnn", "trainer.max_epochs=3"), Doctor, 3, 3),
    ("the doctor, where steps are shortest", ("model=fnn",), Doctor, 3, 5),
)
STEP_HOOKS = ("_before_step", "_after_step")  # which the optimizer calls
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
    """What callbacks take of a training, timed inside of it: the seconds of whole runs differ by more."""
    rows = []
    for name, words, kind, target, seeds in COSTS:
        shares = []
        for seed in range(seeds):
            watch = Stopwatch(kind)
            seconds = train(*words, *TRAINING, f"seed={seed}", callbacks=[watch])["seconds"]["fit"]
            shares.append((watch.hooks / seconds, watch.steps / seconds))
        percent = [[100 * each for each in part] for part in (*zip(*shares, strict=True), map(sum, shares))]
        rows.append((name, " ".join(words), *(f"{spread(part, 1)} %" for part in percent), f"at most {target} %"))
    columns = ("what", "training", "in its hooks", "steps that it examines", "together", "target")
    return "What parts of a run take of its training, over seeds:\n\n" + markdown(columns, rows)


class Stopwatch(lightning.Callback):
    """Seconds that a kind of callback takes of a training.

    Attributes:
        hooks: in its `on_*` and `state_dict`.
        steps: what the steps that it examines take longer than the others, by medians, and its part of the others.
    """

    def __init__(self, kind: type[lightning.Callback]) -> None:
        self.hooks, self.steps = 0.0, 0.0
        self._kind = kind
        self._step_hooks = 0.0
        self._is_in = False
        self._last = 0.0
        self._of_step: dict[bool, list[float]] = {False: [], True: []}

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Times each hook of the training's callback."""
        if stage == "fit":
            (watched,) = (each for each in callbacks_of(trainer) if isinstance(each, self._kind))
            for name in vars(self._kind):
                if name.startswith("on_") or name in ("state_dict", *STEP_HOOKS):
                    setattr(watched, name, self._timed(getattr(watched, name), name in STEP_HOOKS))

    def _timed(self, hook: Callable[..., Any], is_of_step: bool) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._is_in:  # one that calls another
                return hook(*args, **kwargs)
            self._is_in, begin = True, time.perf_counter()
            try:
                return hook(*args, **kwargs)
            finally:
                self._is_in, seconds = False, time.perf_counter() - begin
                if is_of_step:
                    self._step_hooks += seconds
                else:
                    self.hooks += seconds

        return timed

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._last = 0.0

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now, num_steps = time.perf_counter(), int(trainer.num_training_batches)
        probes = next((each.probes for each in callbacks_of(trainer) if isinstance(each, Doctor)), 0)
        is_examined = batch_idx in {i * num_steps // probes for i in range(probes)}
        if self._last:  # the first of an epoch has waited for its data
            self._of_step[is_examined].append(now - self._last)
        if not is_examined:
            self.steps += self._step_hooks
        self._last, self._step_hooks = time.perf_counter(), 0.0

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        examined, others = self._of_step[True], self._of_step[False]
        if self._kind is Doctor:
            self.steps += (median(examined) - median(others)) * len(examined)


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


if __name__ == "__main__":
    print(measure())
