"""Reading a file of series: numbers as arrays, dates checked, groups apart, what is missing filled."""

import importlib.util
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from litmus.console import counted
from litmus.data import _numbers, _table
from litmus.data.timeline import dates as calendar
from litmus.data.timeline.dates import Dates, Step
from litmus.errors import UserError

if TYPE_CHECKING:
    import polars as pl

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
        thousands: the columns of `features` in which 1.500 is fifteen hundred, as `read_table` has them.
    """

    name: str
    features: tuple[str, ...]
    values: Floats
    missing: NDArray[np.bool_]
    groups: tuple[Group, ...]
    dates: Dates | None
    step: Step | None
    thousands: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class _Part:
    """One group: its rows' numbers in the file, from 1, their values, float64 (rows, features), and dates."""

    name: str
    rows: NDArray[np.int64]
    values: Floats
    dates: Dates | None


def read(
    path: Path, roles: Roles, *, encoding: str, separator: str, thousands: Collection[str] | None = None
) -> Timeline:
    """Reads a file of one series, or of several in `roles.group`.

    Args:
        path: CSV, TSV, JSON, Parquet or Excel.
        roles: of its columns.
        encoding: as for `_table.read`.
        separator: as for `_table.read`.
        thousands: as for `read_table`.

    Raises:
        UserError: it cannot be read, lacks a column, has no numbers where they should be, or dates are in disorder.
    """
    if importlib.util.find_spec("polars") is None:
        if thousands:
            raise UserError("data.thousands requires the package polars: pip install 'litmus[table]'.")
        return _timeline(_by_rows(path, roles, encoding, separator), roles, path)
    from litmus.data.columns.read import read_table

    named = (roles.column, roles.time, roles.group, *roles.inputs, *roles.known, *(thousands or ()))
    wanted = [name for name in named if name]
    frame, found = read_table(path, wanted, encoding=encoding, separator=separator, thousands=thousands)
    _table.require(wanted, frame.columns, path)
    timeline = from_frame(frame, roles, path)
    return replace(timeline, thousands=tuple(name for name in timeline.features if name in found))


def from_frame(frame: "pl.DataFrame", roles: Roles, path: Path) -> Timeline:
    """As `read`, of a table as `columns.read` tidies it; messages call it `path`."""
    return _timeline(_by_polars(frame, roles, path), roles, path)


def _timeline(table: _Table, roles: Roles, path: Path) -> Timeline:
    column = roles.column or _only_numeric(table, roles, path)
    features = (column, *roles.inputs, *roles.known)
    values = np.stack([table.numbers(name) for name in features], axis=1)
    for name, own in zip(features, values.T, strict=True):
        absent = np.isnan(own)
        if name == column:
            absent &= ~_is_ahead(own, table.groups)
        _check_missing(name, np.flatnonzero(absent), len(own), path)
    parts, step = _by_group(table, values, path)
    parts = [_filled_in(part, step) for part in parts]
    bounds = np.cumsum([0, *(len(part.values) for part in parts)])
    groups = tuple(
        Group(part.name, int(start), int(stop))
        for part, start, stop in zip(parts, bounds[:-1], bounds[1:], strict=True)
    )
    whole = np.concatenate([part.values for part in parts])
    missing = np.isnan(whole)
    for group in groups:
        _carry_forward(whole[group.start : group.stop])
    dates = np.concatenate([part.dates for part in parts if part.dates is not None]) if step is not None else None
    return Timeline(column, features, whole, missing, groups, dates, step)


def _by_polars(frame: "pl.DataFrame", roles: Roles, path: Path) -> _Table:
    from litmus.data.columns.discover import date_format
    from litmus.data.columns.encode import DAY_US, as_days, as_numbers
    from litmus.data.columns.read import as_names

    wanted = [name for name in (roles.column, roles.time, roles.group, *roles.inputs, *roles.known) if name]
    _table.require(wanted, frame.columns, path)
    found = [name for name in frame.columns if name not in wanted and date_format(frame[name]) is not None]
    time = roles.time or next(iter(found), None)
    dates = None
    groups = None if roles.group is None else as_names(frame[roles.group]).fill_null("").to_numpy()
    if time is not None:
        form = date_format(frame[time], warns=True)
        if form is None:
            raise UserError(f"{path}: data.time={time} holds no dates that can be read, such as 2026-01-31.")
        days = as_days(frame[time], form)
        if (wrong := np.flatnonzero(np.isnan(days))).size:
            number = counted(wrong.size, "row")
            raise UserError(f"{path} has no date in column {time} in {number} ({_rows(wrong)}).")
        dates = np.rint(days * DAY_US).astype(np.int64).astype("datetime64[us]")
        if _go_back(dates, groups):
            log.warning("%s has the newest row first, by column %s: it is read from its end.", path, time)
            frame, dates, groups = frame.reverse(), dates[::-1], None if groups is None else groups[::-1]
    others = [name for name in frame.columns if name not in (time, roles.group)]
    return _Table(
        lambda name: as_numbers(frame[name]),
        [name for name in others if frame[name].dtype.is_numeric()],
        others,
        frame.height,
        time,
        dates,
        groups,
    )


def _go_back(dates: calendar.Dates, groups: NDArray[np.generic] | None) -> bool:
    """Whether each date is earlier than the one before of its series."""
    codes = np.zeros(len(dates), np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    within = np.diff(codes[order]) == 0
    return bool(within.any() and (np.diff(dates[order])[within].astype(np.int64) < 0).all())


def _by_rows(path: Path, roles: Roles, encoding: str, separator: str) -> _Table:
    """Without polars: one series, and no dates."""
    if roles.time or roles.group:
        raise UserError("data.time and data.group require the package polars: pip install 'litmus[table]'.")
    wanted = [name for name in (roles.column, *roles.inputs, *roles.known) if name]
    table = _table.read(path, wanted, encoding=encoding, separator=separator)
    if roles.column is None:
        wanted = [_table.only_numeric(table), *wanted]

    def numbers(name: str) -> Floats:
        cells = (_numbers.number(cells[name]) for _, cells in table.rows)
        return np.fromiter((np.nan if cell is None else cell for cell in cells), np.float64, len(table.rows))

    return _Table(numbers, wanted, list(table.rows[0][1]) if table.rows else [], len(table.rows), None, None, None)


def _only_numeric(table: _Table, roles: Roles, path: Path) -> str:
    free = [name for name in table.numeric if name not in (*roles.inputs, *roles.known)]
    if len(free) != 1:
        raise UserError(f"Set data.column to the column of {path} to forecast: {', '.join(table.columns)}.")
    return free[0]


def _is_ahead(own: Floats, groups: NDArray[np.generic] | None) -> NDArray[np.bool_]:
    """Rows after the last value of their series, which are to be forecast: bool (rows,)."""
    series = np.zeros(len(own), np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    place, present = np.arange(len(own)), ~np.isnan(own)
    last = np.full(series.max(initial=0) + 1, -1)
    np.maximum.at(last, series[present], place[present])
    return (place > last[series]) & (last[series] >= 0)


def _check_missing(name: str, absent: NDArray[np.int64], num_rows: int, path: Path) -> None:
    if not absent.size:
        return
    message = f"{path} has no number in column {name} in {absent.size:,} of {num_rows:,} rows ({_rows(absent)})."
    if absent.size > MOST_MISSING * num_rows:
        raise UserError(f"{message} That is more than half.")
    log.warning(
        "%s The last value before stands in, or the mean where there is none. The network is told so, and none of "
        "these is forecast.",
        message,
    )


def _rows(numbers: NDArray[np.int64]) -> str:
    return _table.list_lines("row", [int(number) + 1 for number in numbers[: _table.BEGINNING]])


def _by_group(table: _Table, values: Floats, path: Path) -> tuple[list[_Part], Step | None]:
    """The groups, each in the order of the file; and the step of the dates of all."""
    rows = [np.arange(table.num_rows)]
    names = [""]
    if table.groups is not None:
        kinds, codes = np.unique(table.groups, return_inverse=True)
        order = np.argsort(codes, kind="stable")
        rows = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
        names = [str(kind) for kind in kinds]
    own_dates = [None if table.dates is None else table.dates[own] for own in rows]
    parts = [_Part(name, own + 1, values[own], dates) for name, own, dates in zip(names, rows, own_dates, strict=True)]
    if table.dates is None:
        return parts, None
    steps = set()
    for part in parts:
        assert part.dates is not None
        where = f"{path}, column {table.time}" + (f", {part.name}" if part.name else "")
        calendar.check_order(part.dates, part.rows, where)
        if len(part.dates) > 2:
            steps.add(calendar.find_step(part.dates))
    step = steps.pop() if len(steps) == 1 else None
    if step is None:
        log.warning("%s: the dates in column %s have no regular step. Rows count as evenly spaced.", path, table.time)
    else:
        log.info("%s: a row for each %s, by column %s", path, step, table.time)
    return parts, step


def _filled_in(part: _Part, step: Step | None) -> _Part:
    """The same, with a row without values for each date that was skipped."""
    if part.dates is None or step is None:
        return part
    place = calendar.places(part.dates, step)
    steps = np.diff(place)
    if (steps == 1).all():
        return part
    where = part.name and f"{part.name}: "
    if (twice := np.flatnonzero(steps == 0)).size:
        named = calendar.named(part.dates[twice], part.rows[twice])
        log.warning("%s%s left out: the next row is less than half a %s later.", where, named, step)
    if (gaps := np.flatnonzero(steps > 1)).size:
        absent = int((steps[gaps] - 1).sum())
        log.warning(
            "%s%s missing, after %s. %s without a value.",
            where,
            f"{counted(absent, 'date')} {'is' if absent == 1 else 'are'}",
            calendar.named(part.dates[gaps], part.rows[gaps]),
            "It counts as a row" if absent == 1 else "They count as rows",
        )
    whole = np.full((int(place[-1]) + 1, part.values.shape[1]), np.nan)
    whole[place] = part.values
    first = part.dates[:1]
    dates = np.concatenate([first, calendar.after(first[0], step, len(whole) - 1)])
    return _Part(part.name, part.rows, whole, dates)


def _carry_forward(values: Floats) -> None:
    """Fills each gap of each column by the last value before it, in place.

    Before the first there is none. What is forecast takes the first value there; other columns stay NaN, which
    `scale_columns` takes for the training mean: a value of later would say what nobody knew then.
    """
    for number, own in enumerate(values.T):
        absent = np.isnan(own)
        if absent.any() and not absent.all():
            last = np.where(absent, 0, np.arange(len(own)))
            np.maximum.accumulate(last, out=last)
            own[:] = own[last]
            if number == 0:
                own[np.isnan(own)] = own[~np.isnan(own)][0]
