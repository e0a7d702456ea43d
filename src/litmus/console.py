"""What a person sees: plain sentences without a terminal, color and tables with one.

A terminal's width is kept to: text is broken between words, and a table leaves out columns; words, paths and numbers
stay whole. Elsewhere lines are as long as they are, for programs that search them; only lines of metrics are cut there,
too, as the log and the run folder have all of them.

Nothing that is shown acts on the terminal, whoever wrote it. JSON is exact: what reads it is a program.
"""

import importlib.metadata
import json
import logging
import math
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.text import Text

log = logging.getLogger(__name__)

# What a terminal obeys instead of showing it (control characters, changes of direction), and what is not Unicode, as
# bytes of a file's name that are not UTF-8. Tabs and line breaks may stay.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HEAD, _TAIL = 1500, 500  # characters of a long message that are shown: what is wrong, and what to do
_LABEL = re.compile("[a-z ]+ {2,}| *")  # what a line begins with: those that continue it are indented as far
LABEL = 13  # columns of a label, such as `run folder   `
BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.:-=+*#"  # from low to high
BLUE, ORANGE = (18, 146, 222), (224, 105, 12)  # that black can be read on, as of the pages' pictures
FAINT = 0.05  # of the most, below which a word has no color
LEAST_TEXT = 16  # columns of a screen that a text has before numbers are left out
GAP = "  "  # between the columns of a table, and the pieces of a line


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

    _in_step = False  # the terminal's last line says what is being done

    def __init__(self, **options: Any) -> None:
        self._has_width = "width" in options
        super().__init__(**options)

    @property
    def size(self) -> ConsoleDimensions:
        """Of the terminal; rich takes one that cannot redraw to be 80 columns wide."""
        if self.is_dumb_terminal and not self._has_width:
            return ConsoleDimensions(*shutil.get_terminal_size())
        return super().size

    @size.setter
    def size(self, size: tuple[int, int]) -> None:
        self._has_width = True
        self.width, self.height = size

    @property
    def redraws(self) -> bool:
        """Whether lines can be replaced."""
        return self.is_terminal and not self.is_dumb_terminal

    def begin_step(self, what: str) -> None:
        """Says what is being done: in a line that the next one replaces in a terminal, elsewhere in one that stays."""
        line = Text(f"{what} ...", style="dim", overflow="ellipsis", no_wrap=True)
        self.print(line, end="" if self.redraws else "\n", soft_wrap=False)
        self._in_step = self.redraws and not self.quiet

    def end_step(self) -> None:
        """Removes that line."""
        if self._in_step:
            self._in_step = False
            self.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))

    def print(self, *args: Any, **kwargs: Any) -> None:
        """As rich's; a screen that is gone is left alone from then on."""
        if self.quiet:  # drawing takes a tenth of a short job's time
            return
        out.end_step()  # both screens may be the same terminal
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
            yield segment if segment.control else Segment(self._shown(segment.text), segment.style)

    def _shown(self, text: str) -> str:
        """As `printable`, with question marks for what the stream cannot encode."""
        text, encoding = printable(text), self.encoding
        return text if encoding.startswith("utf") else text.encode(encoding, "replace").decode(encoding)


class _Printable(logging.Formatter):
    """A formatter whose lines can be shown, and written as UTF-8."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _ToScreen(logging.Handler):
    """Shows warnings on standard error, a line for each; long ones are cut."""

    def emit(self, record: logging.LogRecord) -> None:
        text = Text(_for(err, readable(f"{record.levelname}  {record.getMessage()}"), indent=len(record.levelname) + 2))
        text.stylize("yellow" if record.levelno < logging.ERROR else "red", 0, len(record.levelname))
        err.print(text)


class _Once(logging.Filter):
    """Lets a warning pass once, however often it is given; libraries repeat theirs each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        message = record.getMessage()
        is_new = message not in self._seen
        self._seen.add(message)
        return is_new


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
    out.print(Text(_for(out, readable(text)) if wrap else readable(text), style=style))


def say_colored(pieces: Sequence[tuple[str, float]]) -> None:
    """Words on colors, from orange at -1 over none at 0 to blue at 1; without colors where a terminal has none."""
    log.info(" ".join(word for word, _ in pieces))
    if out.quiet:
        return
    text = Text()
    for word, share in pieces:
        text.append(readable(word), "" if abs(share) < FAINT else f"black on {_tint(share)}")
        text.append(" ")
    text.rstrip()
    out.print(text)


def _tint(share: float) -> str:
    """A color on which black can be read."""
    full = BLUE if share > 0 else ORANGE
    return "#" + "".join(f"{round(255 + min(abs(share), 1.0) * (part - 255)):02x}" for part in full)


def say_labeled(label: str, text: str, style: str = "") -> None:
    """`run folder   outputs/latest`: a path or command to copy, below its label where it does not fit beside it."""
    log.info(f"{label:<{LABEL}}{text}")
    out.print(Text(labeled(label, readable(text), out), style=style))


def labeled(label: str, text: str, screen: Console, room: int = LABEL) -> str:
    """The line of `say_labeled`, for another screen or longer labels."""
    line = f"{label:<{room}}{text}"
    return f"{label}\n{GAP}{text}" if screen.is_terminal and cell_len(line) > screen.width else line


def command(label: str, text: str, screen: Console, room: int = LABEL) -> str:
    """As `labeled`, of a command: one that does not fit is continued as a shell does, with a backslash."""
    line = labeled(label, text, screen, room)
    if "\n" not in line or cell_len(GAP + text) <= screen.width:
        return line
    words = re.findall(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""", text)
    lines = [GAP + words[0]]
    for word in words[1:]:
        if cell_len(f"{lines[-1]} {word} \\") > screen.width:
            lines[-1] += " \\"
            lines.append(f"{GAP * 2}{word}")
        else:
            lines[-1] += f" {word}"
    return "\n".join([label, *lines])


def say_command(label: str, text: str) -> None:
    """A command to copy, whole in any width."""
    log.info(f"{label:<{LABEL}}{text}")
    out.print(Text(command(label, readable(text), out)))


def sparkline(values: Sequence[float], width: int) -> str:
    """The values as blocks of eight heights, in ASCII where the screen has no others; a space for what is not finite.

    Args:
        values: in order; of more than `width`, each block is the mean of several.
        width: blocks at most, at least 1.
    """
    number = min(len(values), width)
    groups = [values[i * len(values) // number : (i + 1) * len(values) // number] for i in range(number)]
    means = [sum(group) / len(group) for group in groups]
    finite = [mean for mean in means if math.isfinite(mean)] or [0.0]
    lowest, span = min(finite), max(finite) - min(finite)
    blocks = BLOCKS if out.encoding.startswith("utf") else ASCII_BLOCKS
    middle = len(blocks) // 2 - 1  # where all are the same
    heights = [(mean - lowest) / span * (len(blocks) - 0.001) if span else middle + 0 * mean for mean in means]
    return "".join(blocks[int(height)] if math.isfinite(height) else " " for height in heights)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """In the body, the screen says what is being done, such as `importing PyTorch`; a terminal forgets it then."""
    log.info("%s ...", what)
    out.begin_step(what)
    try:
        yield
    finally:
        out.end_step()


def error(text: str, wrap: bool = True) -> None:
    """A mistake, on standard error; `wrap` as that of `say`."""
    err.print(Text(_for(err, readable(text)) if wrap else readable(text), style="red"))


def wrapped(text: str, width: int, indent: int | None = None) -> str:
    """The text in lines that are no wider, where its words allow that: it is broken between words alone.

    Args:
        text: one line or several.
        width: in columns of a terminal.
        indent: of the lines that continue one; None takes the width of its label, or of the spaces that it begins with.
    """
    return "\n".join(line for whole in text.split("\n") for line in _lines(whole, width, indent))


def _lines(text: str, width: int, indent: int | None) -> list[str]:
    found = _LABEL.match(text)
    shift = indent if indent is not None else len(found[0]) if found else 0
    margin = " " * (shift if shift <= width // 2 else 2)
    lines = [""]
    for word in re.findall(" *[^ ]+", text):  # with the spaces before it
        if lines[-1].strip() and cell_len(lines[-1]) + cell_len(word) > width:
            lines.append(margin + word.lstrip())
        else:
            lines[-1] += word
    return lines


def _for(screen: Console, text: str, indent: int | None = None) -> str:
    return wrapped(text, screen.width, indent) if screen.is_terminal else text


def say_fitting(pieces: Sequence[str]) -> None:
    """A line of which the screen shows what fits; `train.log` has the whole. See `fitting`."""
    log.info("".join(pieces))
    out.print(Text(readable(fitting(pieces, out.width))))


def fitting(pieces: Iterable[str], width: int) -> str:
    """The pieces of a line, with their own spaces, as many as fit from the first on; that one is kept in any case."""
    line, *more = pieces
    for piece in more:
        if cell_len(line) + cell_len(piece) > width:
            break
        line += piece
    return line


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """A table; columns of numbers are aligned to the right. `train.log` has its rows.

    In a narrow terminal text is wrapped, then columns of numbers are left out from the right, which is said; words and
    numbers stay whole. A first cell that is too long nevertheless, such as a path, has a line of its own.
    """
    log.info("\n".join([title, *("  ".join(map(number_text, row)) for row in (columns, *rows))]).strip())
    if out.quiet:
        return
    is_number = [all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    cells = [[readable(v) if isinstance(v, str) else number_text(v) for v in row] for row in (columns, *rows)]
    width = out.width if out.is_terminal else sys.maxsize
    (head, *body), left_out = laid_out(cells, is_number, width)
    if title:
        out.print(Text(readable(title), style="bold"))
    out.print(Text(head, style="dim"))
    if body:
        out.print(Text("\n".join(body)))
    if left_out:
        names = ", ".join(columns[i] for i in left_out)
        out.print(Text(wrapped(f"(not shown in {width} columns: {readable(names)})", width), style="dim"))


def laid_out(cells: list[list[str]], is_number: Sequence[bool], width: int) -> tuple[list[str], list[int]]:
    """The rows of a table as text, each of one line or several.

    Args:
        cells: of each row, that of the columns' heads included.
        is_number: of each column, whether its cells are never broken, and stand to the right.
        width: in columns of a terminal.

    Returns:
        The rows, and the columns that are left out for want of width.
    """
    shown, left_out = _columns_for(cells, is_number, width)
    return _rows([[row[i] for i in shown] for row in cells], [is_number[i] for i in shown], width), left_out


def _columns_for(cells: list[list[str]], is_number: Sequence[bool], width: int) -> tuple[list[int], list[int]]:
    """The columns that fit, and those that do not: of numbers, from the right; the first of them stays."""
    columns = list(zip(*cells, strict=True))
    least = [
        max(_narrowest(column, number), min(max(map(cell_len, column)), 0 if number else LEAST_TEXT))
        for column, number in zip(columns, is_number, strict=True)
    ]
    shown, left_out = list(range(len(least))), list[int]()
    droppable = [i for i in shown if is_number[i]][1:]
    while droppable and sum(least[i] + len(GAP) for i in shown) - len(GAP) > width:
        left_out.insert(0, droppable.pop())
        shown.remove(left_out[0])
    return shown, left_out


def _narrowest(column: Iterable[str], is_number: bool) -> int:
    """The width of its longest number or word."""
    return max(cell_len(word) for cell in column for word in ([cell] if is_number else cell.split() or [""]))


def _rows(cells: list[list[str]], is_number: list[bool], width: int) -> list[str]:
    """The rows as text, of columns that fit as far as they can."""
    columns = list(zip(*cells, strict=True))
    least = [_narrowest(column, number) for column, number in zip(columns, is_number, strict=True)]
    widths = [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in columns]
    too_wide = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while too_wide > 0 and widths != least:
        widest = max(range(len(widths)), key=lambda i: (widths[i] > least[i], widths[i]))
        widths[widest] -= 1
        too_wide -= 1
    if too_wide > 0 and len(widths) > 1 and not is_number[0]:  # the first cells stand above the others
        rest = _rows([row[1:] for row in cells], is_number[1:], width - len(GAP))
        below = [text.replace("\n", f"\n{GAP}") for text in rest]
        return [f"{row[0]}\n{GAP}{text}".rstrip() for row, text in zip(cells, below, strict=True)]
    return [_row(row, widths, is_number) for row in cells]


def _row(row: list[str], widths: list[int], is_number: list[bool]) -> str:
    """A row in as many lines as its longest cell has."""
    parts = [wrapped(cell, width, indent=0).split("\n") for cell, width in zip(row, widths, strict=True)]
    lines = []
    for i in range(max(map(len, parts))):
        texts = [part[i] if i < len(part) else "" for part in parts]
        padding = [" " * max(width - cell_len(text), 0) for text, width in zip(texts, widths, strict=True)]
        aligned = [p + t if number else t + p for t, p, number in zip(texts, padding, is_number, strict=True)]
        lines.append(GAP.join(aligned).rstrip())
    return "\n".join(lines)


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


def metric_pieces(metrics: Mapping[str, float]) -> list[str]:
    """`  val/acc 0.9876`, ` loss 0.1234`, `  train/acc 0.9912`: the split is named where it changes."""
    pieces, before = [], None
    for full, value in metrics.items():
        split, _, name = full.rpartition("/")
        pieces.append(f" {name} {value:.4f}" if split == before else f"{GAP}{full} {value:.4f}")
        before = split
    return pieces


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
    to_screen = _ToScreen(logging.WARNING)
    for handler in (file, to_screen):
        handler.addFilter(_Once())
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
