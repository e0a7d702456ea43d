"""How soon a person who asks or errs has an answer, and how soon a training begins."""

import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bench._common import CONF, REPEATS, ROOT, alternate, markdown, median, ratios, spread

BARE = f"""
from hydra import compose, initialize_config_dir
with initialize_config_dir({str(CONF)!r}, version_base="1.3"):
    compose("train")
"""
COMMANDS = {
    "--help": ["train.py", "--help"],
    "--cfg job": ["train.py", "--cfg", "job"],
    "a misspelt key": ["train.py", "model.dropot=0.5"],
    "a misspelt choice": ["train.py", "model=cn"],
    "a wrong value": ["train.py", "model.dropout=1.5"],
    "litmus --help": ["-m", "litmus", "--help"],
}


# Trains up to the first optimizer step, and ends there; with `slow`, importing what libraries ask for at once.
FIRST_STEP = """
import os, sys
import litmus.config.deferred as deferred
import litmus.run.process as process
slow, *sys.argv[1:] = sys.argv[1:]
deferred.defer = (lambda: None) if slow == "slow" else deferred.defer
importing = process.import_all
def import_all(modules):
    process.defer = deferred.defer
    importing(modules)
    from torch.optim.optimizer import register_optimizer_step_post_hook
    register_optimizer_step_post_hook(lambda optimizer, *_: is_training(optimizer) and os._exit(0))
def is_training(optimizer):  # an optimizer of two small weights tells before how much memory one takes
    return sum(weight.numel() for group in optimizer.param_groups for weight in group["params"]) > 1000
process.import_all = import_all
from litmus.__main__ import train
train()
"""
FNN = ("model=fnn", "data=mnist")
NEW_SEED = "seed=..."
STARTS = {
    "`python -c 'import torch'`": ("-c", "import torch"),
    "`model=fnn` to its first step": ("-c", FIRST_STEP, "fast", *FNN),
    "the same with a new seed, of which nothing is kept": ("-c", FIRST_STEP, "fast", *FNN, NEW_SEED),
    "the first again, with all that libraries import": ("-c", FIRST_STEP, "slow", *FNN),
}
MOST_LIBRARIES = 9


class Start(NamedTuple):
    """Of a process: seconds, those that it computed, and until its first line of output."""

    wall: float
    computed: float
    first: float


def measure() -> str:
    return f"{_answers()}\n{_starts()}"


def _answers() -> str:
    contestants = {"bare": _timed(["-c", BARE]), **{name: _timed(words) for name, words in COMMANDS.items()}}
    figures = alternate(contestants, 2 * REPEATS, "startup", warm=contestants)
    rows = [("bare Hydra composes the same configuration", spread(figures["bare"], 2), "", "")]
    for name in COMMANDS:
        times = f"{median(ratios(figures[name], figures['bare'])):.2f}"
        rows.append((f"`{name}`" if "-" in name else name, spread(figures[name], 2), times, "at most 2"))
    return "## Answers without torch\n\n" + markdown(("", "seconds", "times bare Hydra", "target"), rows)


def _starts() -> str:
    """From the command to the first step, beside importing torch, and the share of each library in the imports."""
    with tempfile.TemporaryDirectory() as folder:
        for words in STARTS.values():  # data and baselines are kept from then on
            _start(words, folder)
        turns = [{name: _start(words, folder) for name, words in STARTS.items()} for _ in range(REPEATS)]
        bare, fast, *_ = STARTS
        shares = _shares(STARTS[fast], folder)
    rows = []
    for name in STARTS:
        wall, computed, first = zip(*(turn[name] for turn in turns), strict=True)
        over = [(turn[name].computed - 1) / turn[bare].computed for turn in turns] if name != bare else []
        shown = f"{median(over):.2f}" if over else ""
        line = spread(first, 2) if name != bare else ""
        rows.append((name, spread(wall, 2), spread(computed, 2), shown, line))
    head = (
        "",
        "seconds",
        "CPU seconds",
        "(CPU seconds - 1) / those of `import torch` (target: at most 1.6)",
        "seconds to the first line (target: 0.5)",
    )
    listed = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    said = f"Of the time that `model=fnn` imports modules until its first step: {listed}."
    return f"## The start of a training\n\n{markdown(head, rows)}\n{said}\n"


def _start(words: tuple[str, ...], folder: str) -> Start:
    words = tuple(word if word != NEW_SEED else f"seed={secrets.randbelow(10**9)}" for word in words)
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words], cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    process.stdout.readline()
    first = time.perf_counter() - begin
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, words
    return Start(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, first)


def _shares(words: tuple[str, ...], folder: str) -> dict[str, float]:
    """The part of each library in the time that modules take to run, without those that they import."""
    command = [sys.executable, "-X", "importtime", *words]
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=True)
    micros: Counter[str] = Counter()
    for own, name in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\w+)", done.stderr, re.MULTILINE):
        micros[name] += int(own)
    most = dict(micros.most_common(MOST_LIBRARIES))
    return {
        name: own / micros.total() for name, own in (most | {"others": micros.total() - sum(most.values())}).items()
    }


def _environment() -> Mapping[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _timed(words: list[str]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=False)
        return time.perf_counter() - started

    return run
