"""What a person sees: plain sentences without a terminal, color and tables with one.

Nothing that is shown acts on the terminal, whoever wrote it. JSON is exact: what reads it is a program.
"""

import importlib.metadata
import json
import logging
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.logging import RichHandler
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

log = logging.getLogger(__name__)

# What a terminal obeys instead of showing it (control characters, changes of direction), and what is not Unicode, as
# bytes of a file's name that are not UTF-8. Tabs and line breaks may stay.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HEAD, _TAIL = 1500, 500  # characters of a long message that are shown: what is wrong, and what to do


def printable(text: str) -> str:
    r"""The text with what acts on a terminal written out, such as `\x1b`; all of it can be encoded as UTF-8."""
    if text.isprintable():  # most are
        return text
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(number: int, noun: str) -> str:
    """`1 date`, `1,200 dates`"""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def readable(text: str) -> str:
    """As `printable`, and cut in the middle to the length of a message; `train.log` has the whole."""
    if len(text) > _HEAD + _TAIL:
        more = len(text) - _HEAD - _TAIL
        text = f"{text[:_HEAD]} ... ({more:,} more characters) ... {text[-_TAIL:]}"
    return printable(text)


class Screen(Console):
    """rich's console, on which text is shown and never obeyed: escapes in the name of a class are written out.

    The screen is no part of a run: where nothing more can be written, as after `| head`, the run goes on.
    """

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

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


class _Printable(logging.Formatter):
    """A formatter whose lines can be shown, and written as UTF-8."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _Readable(logging.Formatter):
    """The same, for the screen: long messages are cut."""

    def format(self, record: logging.LogRecord) -> str:
        return readable(super().format(record))


class _LogFile(logging.FileHandler):
    """A log file; where nothing more can be written to it, that is said once, and all goes on."""

    is_cut = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        if not self.is_cut:
            self.is_cut = True
            error(f"{self.baseFilename} is incomplete: {sys.exc_info()[1]}")

    def close(self) -> None:
        with suppress(OSError):  # the disk is full, which was said
            super().close()


out = Screen(highlight=False, soft_wrap=True)
err = Screen(stderr=True, highlight=False, soft_wrap=True)


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
    out.print(Text(readable(text), style=style), soft_wrap=not (wrap and out.is_terminal))


def error(text: str) -> None:
    """A mistake, on standard error."""
    err.print(Text(readable(text), style="red"))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """A table; columns of numbers are aligned to the right. `train.log` has its rows."""
    log.info("\n".join([title, *("  ".join(map(number_text, row)) for row in (columns, *rows))]).strip())
    if out.quiet:  # drawing takes a tenth of a short job's time
        return
    numbers = [all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    drawn = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column, number in zip(columns, numbers, strict=True):
        drawn.add_column(Text(readable(column)), justify="right" if number else "left", style="", header_style="dim")
    for row in rows:
        drawn.add_row(*(Text(readable(value) if isinstance(value, str) else number_text(value)) for value in row))
    out.print(drawn)


def json_line(content: object) -> None:
    """An object as a line of JSON on standard output: exact, with letters as they are where the output has them."""
    line = json.dumps(content, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # also the bytes of a file's name that are not UTF-8
        line = json.dumps(content)
    print(line)


def version() -> str:
    """`litmus 0.1.0, torch 2.14.1, Python 3.11.7`; imports nothing of them."""
    of = [f"{name} {importlib.metadata.version(name)}" for name in ("litmus", "torch")]
    return ", ".join([*of, f"Python {platform.python_version()}"])


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
        out = err = Screen(file=nothing, quiet=True)
        try:
            yield
        finally:
            out, err = before


@contextmanager
def log_to(path: Path | None) -> Iterator[None]:
    """Sends what litmus, Lightning and Python's warnings say to a file, if any; litmus' warnings to the screen, too."""
    file = _LogFile(path, encoding="utf-8") if path else logging.NullHandler()
    file.setFormatter(_Printable("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    to_screen: logging.Handler
    if err.is_terminal:
        to_screen = RichHandler(logging.WARNING, err, show_time=False, show_path=False, markup=False)
        to_screen.setFormatter(_Readable("%(message)s"))
    else:  # a line of its own for each, that can be searched for
        to_screen = logging.StreamHandler(err.file)
        to_screen.setLevel(logging.WARNING)
        to_screen.setFormatter(_Readable("%(levelname)s  %(message)s"))
    handlers: dict[str, list[logging.Handler]] = {
        "": [file],  # the root: Lightning, imported where that has no handler, writes to the screen
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
        # What other packages say besides warnings is too much: transformers, whole configurations.
        loggers[name].setLevel(logging.WARNING if name in ("", "transformers") else logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for name, (old, propagate, level) in before.items():
            loggers[name].handlers, loggers[name].propagate = old, propagate
            loggers[name].setLevel(level)
        file.close()
