"""How soon a person who asks or errs has an answer, against bare Hydra composing the same configuration."""

import subprocess
import sys
import time
from collections.abc import Callable

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


def measure() -> str:
    contestants = {"bare": _timed(["-c", BARE]), **{name: _timed(words) for name, words in COMMANDS.items()}}
    figures = alternate(contestants, 2 * REPEATS, "startup")
    rows = [("bare Hydra composes the same configuration", spread(figures["bare"], 2), "", "")]
    for name in COMMANDS:
        times = f"{median(ratios(figures[name], figures['bare'])):.2f}"
        rows.append((f"`{name}`" if "-" in name else name, spread(figures[name], 2), times, "at most 2"))
    return "## Answers without torch\n\n" + markdown(("", "seconds", "times bare Hydra", "target"), rows)


def _timed(words: list[str]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=False)
        return time.perf_counter() - started

    return run
