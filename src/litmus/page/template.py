"""HTML pages from templates, and the tables in them.

Every page extends `layout.html.jinja`, whose `style.css` gives all of them one look; autoescaping is on.
"""

import functools
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from jinja2 import Environment

# Controls and what is no character: https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")


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
        links: to other pages, after the text: what stands there, and the address.
        command: that makes such a page, where it is not there yet.
    """

    text: str
    kind: str = ""
    label: str = ""
    interval: Interval | None = None
    links: Sequence[tuple[str, str]] = ()
    command: str = ""


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


def relative_address(page: Path, folder: Path) -> str:
    """What a page in that folder has to write to link another."""
    return quote(os.path.relpath(page, folder).replace(os.sep, "/"))


def render(package: str, template: str, **values: object) -> str:
    """A page; every text among its values is escaped, and characters that HTML forbids are replaced.

    Args:
        package: whose folder `templates` holds the template: `litmus.compare.report`.
        template: the file's name, which ends in `.html.jinja`; it may extend and include those of this package.
        values: by the names that the template uses.
    """
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", _environment(package).get_template(template).render(values))


@functools.cache
def _environment(package: str) -> "Environment":
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loader = ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("litmus.page", "templates")])
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
