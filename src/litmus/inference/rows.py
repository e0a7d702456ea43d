"""Rows of a table that a program holds: a table of pandas or polars, or dictionaries."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litmus.data.columns.read import MISSING, from_rows
from litmus.errors import UserError
from litmus.inference.frames import Frame


def names_in(rows: Frame | Sequence[Mapping[str, object]]) -> list[str]:
    """The names of the columns: of a table, or of dictionaries, each once."""
    if isinstance(rows, Frame):
        return [str(name) for name in rows.columns]
    return list(dict.fromkeys(name for row in rows for name in row))


def as_frame(rows: Frame | Sequence[Mapping[str, object]], wanted: Sequence[str]) -> pl.DataFrame:
    """The wanted columns of the rows as a table of polars.

    Args:
        rows: a table of pandas or polars, or dictionaries, whose keys are the names of columns.
        wanted: names of columns, which are there.

    Raises:
        UserError: a wanted column occurs twice.
    """
    if isinstance(rows, pl.DataFrame):
        return rows.select(wanted)
    if not isinstance(rows, Frame):
        return from_rows([{name: _plain(row.get(name)) for name in wanted} for row in rows], wanted)
    names = names_in(rows)
    if doubled := [name for name in wanted if names.count(name) > 1]:
        raise UserError(f"The table has more than one column named {', '.join(doubled)}.")
    return pl.DataFrame([_series(name, rows[name].to_numpy()) for name in wanted])


def _series(name: str, cells: NDArray[np.generic]) -> pl.Series:
    if cells.dtype != np.object_:
        return pl.Series(name, cells)
    return pl.Series(name, [_plain(cell) for cell in cells.tolist()], strict=False)


def _plain(cell: object) -> object:
    """A cell as polars takes it: dates in UTC, and None for what pandas has for a missing one."""
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float | datetime) and cell != cell:  # NaN and NaT are not equal to themselves
        return None
    if isinstance(cell, datetime):
        plain = datetime.fromisoformat(cell.isoformat())  # pandas' own has nanoseconds, which polars refuses
        return plain.astimezone(UTC).replace(tzinfo=None) if plain.tzinfo else plain
    if cell is None or isinstance(cell, str | int | float | date | list | dict):
        return cell
    return None if str(cell).lower() in MISSING else str(cell)
