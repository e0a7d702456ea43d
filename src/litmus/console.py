"""What a person sees: plain sentences without a terminal, color and tables with one."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

log = logging.getLogger(__name__)


class Screen(Console):
    """The screen is no part of a run: where nothing more can be written, as after `| head`, the run goes on."""

    def print(self, *args: Any, **kwargs: Any) -> None:
        """As rich's; a screen that is gone is left alone from then on."""
        try:
            super().print(*args, **kwargs)
            self.file.flush()
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Sends what Python itself still holds for it to nowhere, or the process would end with an error of its own."""
        self.quiet = True
        with suppress(OSError, ValueError):  # a file without a descriptor
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.file.fileno())
            os.close(nothing)


out: Console = Screen(highlight=False, soft_wrap=True)
err: Console = Screen(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str = "", wrap: bool = False) -> None:
    """A line as it is, no markup read in it; `train.log` has it too.

    Args:
        text: the line.
        style: for a terminal.
        wrap: break it between words in a narrow terminal; otherwise it can be copied whole.
    """
    log.info(text)
    if out.quiet:
        return
    out.print(Text(text, style=style), soft_wrap=not (wrap and out.is_terminal))


def error(text: str) -> None:
    """A mistake, on standard error."""
    err.print(Text(text, style="red"))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """A table; columns of numbers are aligned to the right. `train.log` has its rows."""
    log.info("\n".join([title, *("  ".join(map(number_text, row)) for row in (columns, *rows))]).strip())
    if out.quiet:  # drawing takes a tenth of a short job's time
        return
    numbers = [all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    drawn = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column, number in zip(columns, numbers, strict=True):
        drawn.add_column(column, justify="right" if number else "left", style="", header_style="dim")
    for row in rows:
        drawn.add_row(*(Text(value if isinstance(value, str) else number_text(value)) for value in row))
    out.print(drawn)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) or value == ""


def number_text(value: object) -> str:
    """Whole numbers with separators, others with as many digits as one compares."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def metrics_line(metrics: Mapping[str, float]) -> str:
    """`train/loss 0.1234  train/acc 0.9876`"""
    return "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())


@contextmanager
def silenced() -> Iterator[None]:
    """In the body, nothing that is said here reaches the screen; `train.log` has it."""
    global out, err
    before = out, err
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        out = err = Console(file=nothing, quiet=True)
        try:
            yield
        finally:
            out, err = before


@contextmanager
def log_to(path: Path | None) -> Iterator[None]:
    """Sends what litmus, Lightning and Python's warnings say to a file, if any; litmus' warnings to the screen, too."""
    file = logging.FileHandler(path, encoding="utf-8") if path else logging.NullHandler()
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    to_screen: logging.Handler
    if err.is_terminal:
        to_screen = RichHandler(logging.WARNING, err, show_time=False, show_path=False, markup=False)
    else:  # a line of its own for each, that can be searched for
        to_screen = logging.StreamHandler(err.file)
        to_screen.setLevel(logging.WARNING)
        to_screen.setFormatter(logging.Formatter("%(levelname)s  %(message)s"))
    handlers: dict[str, list[logging.Handler]] = {
        "litmus": [file, to_screen],
        "lightning.pytorch": [file],
        "lightning.fabric": [file],
        "transformers": [file],
        "py.warnings": [file],
    }
    loggers = {name: logging.getLogger(name) for name in handlers}
    before = {name: (logger.handlers, logger.propagate, logger.level) for name, logger in loggers.items()}
    for name, wanted in handlers.items():
        loggers[name].handlers, loggers[name].propagate = wanted, False
        # What transformers says besides warnings are whole configurations.
        loggers[name].setLevel(logging.WARNING if name == "transformers" else logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for name, (old, propagate, level) in before.items():
            loggers[name].handlers, loggers[name].propagate = old, propagate
            loggers[name].setLevel(level)
        file.close()
