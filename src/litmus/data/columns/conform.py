"""Rows to predict for, read as the network's columns are, whatever the rows beside them hold.

`read_table` decides by all cells of a column whether it holds numbers; here the network's columns say so. A row has the
same answer alone, in a chunk of a large file, and in the table that was split for training.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from litmus.data.columns.encode import as_dates, encode, known_names, values_of
from litmus.data.columns.read import tidied, with_points
from litmus.spec import Category, Columns, Date, Number

LONGEST = 40  # characters of a cell in a note


@dataclass(frozen=True)
class Conformed:
    """Rows as a network receives them.

    Attributes:
        inputs: as `encode` gives them.
        notes: what is odd about a row, by its number from 0: cells of the wrong kind, which count as missing; values
            of a category that training has not seen; missing cells where no training row lacks one.
    """

    inputs: Tensor
    notes: dict[int, list[str]] = field(default_factory=dict)


def conform(frame: pl.DataFrame, columns: Columns, decimal_comma: bool = False) -> Conformed:
    """The rows as `encode` gives them, and what is odd about them.

    Args:
        frame: of any types, with the network's columns; others are not looked at.
        columns: how they are encoded.
        decimal_comma: whether text such as "1,5" is a number.
    """
    read = {}
    notes: dict[int, list[str]] = {}
    for name, column in columns.by_name().items():
        cells = tidied(frame[name])
        if isinstance(column, Number):
            cells = _with_infinities(cells, frame[name])
        read[name] = _as_trained(cells, column, decimal_comma)
        for row, note in _oddities(cells, read[name], column):
            notes.setdefault(row, []).append(note)
    return Conformed(encode(pl.DataFrame(read), columns), notes)


def _with_infinities(cells: pl.Series, written: pl.Series) -> pl.Series:
    """Infinite cells as they are written: they count as missing, too, but somebody meant something."""
    if written.dtype == pl.String:
        written = written.str.strip_chars()
        infinite = written.str.to_lowercase().is_in(("inf", "-inf"))
    elif written.dtype.is_float():
        infinite = written.is_infinite()
    else:
        return cells
    return cells.zip_with(~infinite.fill_null(False), written.cast(cells.dtype))


def _as_trained(cells: pl.Series, column: Number | Date | Category, decimal_comma: bool) -> pl.Series:
    """Text of the kind that it had in training; other types are themselves."""
    if isinstance(column, Category):
        return known_names(cells, column, decimal_comma)
    if cells.dtype != pl.String:
        return cells
    if isinstance(column, Date):
        return as_dates(cells, column.format)
    return with_points(cells, True, column.thousands) if decimal_comma else cells


def _oddities(cells: pl.Series, read: pl.Series, column: Number | Date | Category) -> Iterator[tuple[int, str]]:
    """Row and note of each cell that training would not have had."""
    if isinstance(column, Category):
        unseen = read.is_not_null() & ~read.is_in(column.values)
        yield from ((row, f"{cells.name}: {_shown(read[row])} is unknown") for row in _numbers(unseen.to_numpy()))
        return
    values = values_of(read, column)
    absent = np.isnan(values) if isinstance(values, np.ndarray) else values.is_null().to_numpy()
    empty = cells.is_null().to_numpy()
    what = _kind(column)
    yield from ((row, f"{cells.name}: {_shown(cells[row])} is {what}") for row in _numbers(absent & ~empty))
    number = column.days if isinstance(column, Date) else column
    if not number.missing:
        yield from ((row, f"{cells.name} is missing") for row in _numbers(empty))


def _kind(column: Number | Date) -> str:
    """What a cell that cannot be read is not."""
    if isinstance(column, Date):
        return "no date"
    return f"neither {' nor '.join(column.words)}" if column.words else "no number"


def _numbers(chosen: NDArray[np.bool_]) -> list[int]:
    return [int(row) for row in np.flatnonzero(chosen)]


def _shown(cell: object) -> str:
    text = str(cell)
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")
