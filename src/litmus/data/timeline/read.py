"""Reading a file of series: numbers as arrays, dates checked, groups apart, what is missing filled."""

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from litmus.data import _table
from litmus.data.timeline import dates as calendar
from litmus.data.timeline.dates import Dates, Step
from litmus.errors import UserError

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
MOST_MISSING = 0.5  # fraction of a column's values


@dataclass(frozen=True)
class Roles:
    """Which columns of a file are what; None and empty where it is to be found, or there is none."""

    column: str | None
    time: str | None
    group: str | None
    inputs: tuple[str, ...]
    known: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """One series of a file: rows `start` to `stop` of the timeline."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class Timeline:
    """The series of a file, one after the other.

    Attributes:
        name: of the column that is forecast.
        features: names of the columns of `values`: first that one, then the inputs, then what is known ahead.
        values: float64 (rows, features), in their units, without gaps.
        missing: bool (rows, features): where a value was filled.
        groups: one, if nothing else is said.
        dates: datetime64[us] (rows,); None where there are none, or they are of no regular step.
        step: of the dates.
    """

    name: str
    features: tuple[str, ...]
    values: Floats
    missing: NDArray[np.bool_]
    groups: tuple[Group, ...]
    dates: Dates | None
    step: Step | None


@dataclass(frozen=True)
class _Table:
    """Columns of a file as arrays; `dates` are of the column `time`."""

    numbers: Callable[[str], Floats]
    numeric: list[str]
    columns: list[str]
    num_rows: int
    time: str | None
    dates: Dates | None
    groups: NDArray[np.generic] | None


def read(path: Path, roles: Roles, *, encoding: str, separator: str) -> Timeline:
    """Reads a file of one series, or of several in `roles.group`.

    Args:
        path: CSV, TSV, JSON, Parquet or Excel.
        roles: of its columns.
        encoding: as for `_table.read`.
        separator: as for `_table.read`.

    Raises:
        UserError: it cannot be read, lacks a column, has no numbers where they should be, or dates are in disorder.
    """
    if importlib.util.find_spec("polars") is not None:
        table = _by_polars(path, roles, encoding, separator)
    else:
        table = _by_rows(path, roles, encoding, separator)
    column = roles.column or _only_numeric(table, roles, path)
    features = (column, *roles.inputs, *roles.known)
    values = np.stack([table.numbers(name) for name in features], axis=1)
    for name, own in zip(features, values.T, strict=True):
        _check_missing(name, own, path)
    parts, step = _by_group(table, values, path)
    parts = [_filled_in(*part, step) for part in parts]
    bounds = np.cumsum([0, *(len(own) for _, own, _ in parts)])
    groups = tuple(
        Group(name, int(start), int(stop))
        for (name, _, _), start, stop in zip(parts, bounds[:-1], bounds[1:], strict=True)
    )
    whole = np.concatenate([own for _, own, _ in parts])
    missing = np.isnan(whole)
    for group in groups:
        _carry_forward(whole[group.start : group.stop])
    dates = np.concatenate([own for _, _, own in parts if own is not None]) if step is not None else None
    return Timeline(column, features, whole, missing, groups, dates, step)


def _by_polars(path: Path, roles: Roles, encoding: str, separator: str) -> _Table:
    import polars as pl

    from litmus.data.columns.discover import date_format
    from litmus.data.columns.encode import DAY_US, as_days, as_numbers
    from litmus.data.columns.read import as_names, read_frame

    wanted = [name for name in (roles.column, roles.time, roles.group, *roles.inputs, *roles.known) if name]
    frame = read_frame(path, wanted, encoding=encoding, separator=separator)
    _table.require(wanted, frame.columns, path)
    found = [name for name in frame.columns if name not in wanted and date_format(frame[name]) is not None]
    time = roles.time or next(iter(found), None)
    dates = None
    if time is not None:
        form = date_format(frame[time], warns=True)
        if form is None:
            raise UserError(f"{path}: data.time={time} holds no dates that can be read, such as 2026-01-31.")
        days = as_days(frame[time], form)
        if (wrong := np.flatnonzero(np.isnan(days))).size:
            raise UserError(f"{path} has no date in column {time} in {wrong.size:,} rows ({_rows(wrong)}).")
        dates = np.rint(days * DAY_US).astype(np.int64).astype("datetime64[us]")
    others = [name for name in frame.columns if name not in (time, roles.group)]
    return _Table(
        lambda name: as_numbers(frame[name]),
        [name for name in others if frame[name].dtype == pl.Float64],
        others,
        frame.height,
        time,
        dates,
        None if roles.group is None else as_names(frame[roles.group]).fill_null("").to_numpy(),
    )


def _by_rows(path: Path, roles: Roles, encoding: str, separator: str) -> _Table:
    """Without polars: one series, and no dates."""
    if roles.time or roles.group:
        raise UserError("data.time and data.group require the package polars: pip install 'litmus[table]'.")
    wanted = [name for name in (roles.column, *roles.inputs, *roles.known) if name]
    table = _table.read(path, wanted, encoding=encoding, separator=separator)
    if roles.column is None:
        wanted = [_table.only_numeric(table), *wanted]

    def numbers(name: str) -> Floats:
        cells = (_table.number(cells[name]) for _, cells in table.rows)
        return np.fromiter((np.nan if cell is None else cell for cell in cells), np.float64, len(table.rows))

    return _Table(numbers, wanted, list(table.rows[0][1]) if table.rows else [], len(table.rows), None, None, None)


def _only_numeric(table: _Table, roles: Roles, path: Path) -> str:
    free = [name for name in table.numeric if name not in (*roles.inputs, *roles.known)]
    if len(free) != 1:
        raise UserError(f"Set data.column to the column of {path} to forecast: {', '.join(table.columns)}.")
    return free[0]


def _check_missing(name: str, own: Floats, path: Path) -> None:
    absent = np.flatnonzero(np.isnan(own))
    if not absent.size:
        return
    message = f"{path} has no number in column {name} in {absent.size:,} of {len(own):,} rows ({_rows(absent)})."
    if absent.size > MOST_MISSING * len(own):
        raise UserError(f"{message} That is more than half.")
    log.warning("%s The last value before stands in, and the network is told so; none of these is forecast.", message)


def _rows(numbers: NDArray[np.int64]) -> str:
    return _table.list_lines("row", [int(number) + 1 for number in numbers[: _table.BEGINNING]])


def _by_group(table: _Table, values: Floats, path: Path) -> tuple[list[tuple[str, Floats, Dates | None]], Step | None]:
    """Each group's name, values and dates, in the order of the file; and the step of the dates of all."""
    rows = [np.arange(table.num_rows)]
    names = [""]
    if table.groups is not None:
        kinds, codes = np.unique(table.groups, return_inverse=True)
        order = np.argsort(codes, kind="stable")
        rows = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
        names = [str(kind) for kind in kinds]
    if table.dates is None:
        return [(name, values[own], None) for name, own in zip(names, rows, strict=True)], None
    parts = []
    for name, own in zip(names, rows, strict=True):
        where = f"{path}, column {table.time}" + (f", {name}" if name else "")
        calendar.check_order(table.dates[own], own + 1, where)
        parts.append((name, values[own], table.dates[own]))
    steps = {calendar.find_step(dates) for _, _, dates in parts if len(dates) > 2}
    step = steps.pop() if len(steps) == 1 else None
    if step is None:
        log.warning("%s: the dates in column %s have no regular step. Rows count as evenly spaced.", path, table.time)
    else:
        log.info("%s: a row for each %s, by column %s", path, step, table.time)
    return list(parts), step


def _filled_in(name: str, values: Floats, dates: Dates | None, step: Step | None) -> tuple[str, Floats, Dates | None]:
    """The same, with a row without values for each date that was skipped."""
    if dates is None or step is None:
        return name, values, dates
    place = calendar.places(dates, step)
    if (gaps := np.flatnonzero(np.diff(place) > 1)).size == 0:
        return name, values, dates
    named = ", ".join(calendar.shown(dates[i]) for i in gaps[: calendar.MOST_NAMED])
    more = ", ..." if gaps.size > calendar.MOST_NAMED else ""
    absent = int(place[-1]) + 1 - len(place)
    log.warning(
        "%s%d dates are missing, after %s%s. They count as rows without a value.",
        name and f"{name}: ",
        absent,
        named,
        more,
    )
    whole = np.full((int(place[-1]) + 1, values.shape[1]), np.nan)
    whole[place] = values
    first = dates[:1]
    return name, whole, np.concatenate([first, calendar.after(first[0], step, len(whole) - 1)])


def _carry_forward(values: Floats) -> None:
    """Fills each gap of each column by the last value before it, the first of all by the first value; in place."""
    for own in values.T:
        absent = np.isnan(own)
        if absent.any() and not absent.all():
            last = np.where(absent, 0, np.arange(len(own)))
            np.maximum.accumulate(last, out=last)
            own[:] = own[last]
            own[np.isnan(own)] = own[~np.isnan(own)][0]
