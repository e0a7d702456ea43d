"""`make bench`: measures what docs/benchmarks.md says, and writes it there, part by part.

`make bench ARGS="startup speed"` measures these parts only, and leaves the others as they stand.
"""

import importlib
import platform
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import torch

from litmus.config.machine import num_cores
from litmus.trainer import device_name, has_native_bf16

BENCHES = (
    *(
        "startup",
        "speed",
        "threads",
        "compiled",
        "memory",
        "accuracy",
        "recipe",
        "recipes",
        "fast",
        "baselines",
        "tables",
        "predict",
        "toy",
        "explain",
        "serve",
    ),
    *("text_speed", "text_accuracy", "text_rival", "vader", "series"),
    *("vision_speed", "vision_accuracy", "yolo_speed", "yolo_rival", "export"),
    *("sweep", "sweep_kills", "hyperband", "verdicts", "scale"),
    *("kills", "doctor", "dashboard", "gpu"),
)
COMPARISONS = ("versus", "bits")  # of two checkouts: `python -m bench.versus OLD NEW` prints that part of the page
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

`make bench` measures and writes this page; `make bench ARGS=speed` does one part of it. Figures are medians with the
lowest and the highest in parentheses, and ratios are taken pair by pair between runs that alternate in one process.
Ratios travel from machine to machine, times do not. What else trains the same is measured where it is installed: here,
or for the Python that KERAS_PYTHON or FASTAI_PYTHON names.
"""


def main() -> None:
    wanted = sys.argv[1:] or list(BENCHES)
    if unknown := set(wanted) - set(BENCHES):
        sys.exit(f"There is no bench {', '.join(unknown)}; there are: {', '.join(BENCHES)}.")
    for part in wanted:
        if not (measured := importlib.import_module(f"bench.{part}").measure()):
            continue  # it has said why
        text = f"{measured}\n{_where()}\n"
        print(text, flush=True)
        _write(part, text)


def _write(part: str, text: str) -> None:
    page = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    parts = dict(re.findall(r"<!-- (\w+) -->\n(.*?)(?=<!-- \w+ -->|\Z)", page, re.DOTALL))
    parts[part] = text
    kept = [name for name in (*BENCHES, *COMPARISONS) if name in parts]
    PAGE.write_text(HEAD + "".join(f"\n<!-- {name} -->\n{parts[name].strip()}\n" for name in kept), encoding="utf-8")


def _where() -> str:
    """The machine, the versions and the code that were measured."""
    bf16 = " with native bf16" if has_native_bf16("cpu") else ""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return (
        f"*{device_name('cpu')}, {num_cores()} cores{bf16}; Python {platform.python_version()}, "
        f"torch {torch.__version__}; {date.today()}, commit {commit.stdout.strip()}.*"
    )


if __name__ == "__main__":
    main()
