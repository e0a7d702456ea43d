"""Start-up, speed and memory of two checkouts, in turn: `python -m bench.versus OLD NEW [REPEATS]`, each checkout with
an environment in .venv. Ratios are taken pair by pair, so that a machine that slows down in between does not decide.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench._common import WATCH, alternate, markdown, ratios, spread

SMALL = ["data.source=bundled", "data.limit=400", "trainer=cpu", "trainer.max_epochs=1"]
WHOLE = ["trainer=cpu", "data.batch_size=128", "data.source=auto"]
COMMANDS = {
    "`--help`": ["train.py", "--help"],
    "`--cfg job`": ["train.py", "--cfg", "job"],
    "a misspelt key": ["train.py", "model.dropot=0.5"],
    "a wrong value": ["train.py", "model.dropout=1.5"],
    "`litmus --help`": ["-m", "litmus", "--help"],
}
IMAGES = 55_000  # of an epoch


def main() -> None:
    checkouts = [Path(word).resolve() for word in sys.argv[1:3]]
    if len(checkouts) != 2:
        sys.exit("usage: python -m bench.versus OLD NEW [REPEATS]")
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    rows = []
    for name, words in COMMANDS.items():
        rows.append(_compared(f"{name}, seconds", [_seconds(checkout, words) for checkout in checkouts], repeats))
    whole = ["train.py", "model=fnn", *SMALL]
    rows.append(
        _compared("a whole run of a small FNN, seconds", [_seconds(checkout, whole) for checkout in checkouts], repeats)
    )
    for model, epochs in (("fnn", 3), ("cnn", 1)):
        words = [f"model={model}", *WHOLE, f"trainer.max_epochs={epochs}"]
        epoch = [_epoch_seconds(checkout, words) for checkout in checkouts]
        rows.append(_compared(f"an epoch of MNIST, {model.upper()}, seconds", epoch, repeats))
    words = ["train.py", "model=cnn", *WHOLE, "trainer.max_epochs=1"]
    rows.append(_compared("peak memory, CNN, GB", [_peak_gb(checkout, words) for checkout in checkouts], repeats))
    print(markdown(("", *map(str, checkouts), "new / old"), rows))


def _compared(name: str, contestants: list[Callable[[], float]], repeats: int) -> tuple[str, ...]:
    figures = alternate(dict(zip(("old", "new"), contestants, strict=True)), repeats, name)
    ratio = spread(ratios(figures["new"], figures["old"]), 2)
    return name, *(spread(figures[which], 2) for which in ("old", "new")), ratio


def _run(checkout: Path, words: list[str], *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, str(checkout / ".venv" / "bin" / "python"), *words]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, env={**os.environ})


def _seconds(checkout: Path, words: list[str]) -> Callable[[], float]:
    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            trains = words[0] == "train.py" and len(words) > 2
            started = time.perf_counter()
            _run(checkout, [*words, f"hydra.run.dir={folder}/run"] if trains and "--cfg" not in words else words)
            return time.perf_counter() - started

    return run


def _epoch_seconds(checkout: Path, words: list[str]) -> Callable[[], float]:
    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            done = _run(checkout, ["train.py", *words, f"hydra.run.dir={folder}/run"])
            assert done.returncode == 0, done.stderr
            result = json.loads(Path(folder, "run", "result.json").read_text())
            return IMAGES / float(result["samples_per_second"])

    return run


def _peak_gb(checkout: Path, words: list[str]) -> Callable[[], float]:
    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            done = _run(checkout, [*words, f"hydra.run.dir={folder}/run"], sys.executable, "-c", WATCH)
            assert done.returncode == 0, done.stderr
            return int(done.stdout.split()[-1]) * 1024 / 1e9  # Linux gives kibibytes

    return run


if __name__ == "__main__":
    main()
