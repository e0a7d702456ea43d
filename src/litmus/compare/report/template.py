"""HTML pages from the templates beside this module, and the tables in them.

`layout.html.jinja` and `style.css` give every page the same look; autoescaping is on.
"""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval, as fractions of the width of their drawing.

    Attributes:
        low: where the interval begins.
        mean: where the dot is.
        high: where the interval ends; the same as `low` if there is none.
        accented: whether it is drawn in the accent color.
    """

    low: float
    mean: float
    high: float
    accented: bool


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it shows.
        kind: its CSS class: `n` for numbers, `key` for settings, `verdict`, `seeds`, or none.
        label: its heading, shown beside it where the page is too narrow for a table.
        interval: a drawing in place of the text.
    """

    text: str
    kind: str = ""
    label: str = ""
    interval: Interval | None = None


@dataclass(frozen=True)
class TableRow:
    """A row of a table: its cells, and its CSS class."""

    cells: Sequence[Cell]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        head: the headings.
        rows: its rows.
        numeric: numbers of the columns whose headings are aligned to the right.
        cards: whether each row becomes a card on a narrow screen.
        omitted: how many more rows there would be.
    """

    head: Sequence[str]
    rows: Sequence[TableRow]
    numeric: Collection[int] = ()
    cards: bool = False
    omitted: int = 0


def render(template: str, **values: object) -> str:
    """The page of one of the templates, which end in `.html.jinja`; every text among its values is escaped."""
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # an extra: `compare`

    loader = PackageLoader("litmus.compare.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
