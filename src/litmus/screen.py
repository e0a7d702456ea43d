"""What a person sees: plain sentences without a terminal, colour and tables with one."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

log = logging.getLogger(__name__)

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """A line as it is, no markup read in it; `train.log` has it too."""
    log.info(text)
    console.print(Text(text, style=style))


def complain(text: str) -> None:
    """A mistake, on standard error."""
    errors.print(Text(text, style="red"))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """A table; columns of numbers are aligned to the right."""
    numbers = [all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    drawn = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column, number in zip(columns, numbers, strict=True):
        drawn.add_column(column, justify="right" if number else "left", style="", header_style="dim")
    for row in rows:
        drawn.add_row(*(Text(value if isinstance(value, str) else number_text(value)) for value in row))
    console.print(drawn)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or value == ""


def number_text(value: Any) -> str:
    """Whole numbers with separators, others with as many digits as one compares."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def metrics_line(metrics: Mapping[str, float]) -> str:
    """`train/loss 0.1234  train/acc 0.9876`"""
    return "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
