"""`make bench`: measures what docs/benchmarks.md says, and writes it there.

`make bench ARGS="startup speed"` measures some parts only, and prints them without writing.
"""

import importlib
import platform
import sys
from datetime import date
from pathlib import Path

import torch

from litmus.trainer import device_name, has_native_bf16, num_cores

PARTS = ("startup", "speed", "memory", "accuracy")
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

Measured by `make bench`, which writes this page. Ratios travel from machine to machine, times do not.

Machine: {cpu}, {cores} cores{bf16}, Python {python}, torch {torch}, {date}.
"""


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        sys.exit(f"There is no bench {', '.join(unknown)}; there are: {', '.join(PARTS)}.")
    pages = [head()]
    for part in wanted:
        pages.append(importlib.import_module(f"bench.{part}").measure())
        print(pages[-1], flush=True)
    if len(wanted) == len(PARTS):
        PAGE.write_text("\n".join(pages), encoding="utf-8")
        print(f"written to {PAGE.name}")


def head() -> str:
    return HEAD.format(
        cpu=device_name("cpu"),
        cores=num_cores(),
        bf16=" with native bf16" if has_native_bf16("cpu") else "",
        python=platform.python_version(),
        torch=torch.__version__,
        date=date.today(),
    )


if __name__ == "__main__":
    main()
