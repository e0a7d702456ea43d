"""From a table's columns to what a network receives; knows the spec and polars, no dataset."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.validate import did_you_mean
from litmus.data import _numbers
from litmus.data.columns import formats
from litmus.data.columns.read import as_names, with_points
from litmus.errors import UserError
from litmus.spec import Category, Columns, Date, Number

TRUTH = {"false", "true"}
Floats = NDArray[np.float64]
DAY_US = 86_400_000_000
PERIODS = {"year": 365.2425, "week": 7.0, "day": 1.0}  # of a date's cycles, in days
FARTHEST_RANK = 0.001  # from 0 and 1: quantile scaling ends at 3.09 deviations


def encode(frame: pl.DataFrame, columns: Columns) -> Tensor:
    """The rows as a network receives them: float32 (rows, columns.num_numbers + len(columns.categories)).

    Args:
        frame: as `read_table` gives it, with these columns; others are not looked at.
        columns: how they are encoded.
    """
    rows = np.empty((frame.height, columns.num_numbers + len(columns.categories)), dtype=np.float32)
    place = 0
    for number in columns.numbers:
        for values in _encode_number(as_numbers(frame[number.name], number.words), number):
            rows[:, place] = values
            place += 1
    for date in columns.dates:
        for values in _encode_date(as_days(frame[date.days.name], date.format), date):
            rows[:, place] = values
            place += 1
    for category in columns.categories:
        rows[:, place] = _encode_category(frame[category.name], category)
        place += 1
    return torch.from_numpy(rows)


def check_columns(names: Sequence[str], columns: Columns, source: str) -> None:
    """Checks that a table has the columns that a network takes.

    Args:
        names: of the table's columns.
        columns: that the network takes.
        source: what the table is called in the message.

    Raises:
        UserError: some are missing.
    """
    missing = [name for name in columns.by_name() if name not in names]
    if not missing:
        return
    hint = did_you_mean(missing[0], names) if len(missing) == 1 else ""
    raise UserError(
        f"{source} has no column{'s' * (len(missing) > 1)} {', '.join(missing)}, which the network takes.{hint} "
        f"It has: {', '.join(names)}."
    )


def values_of(column: pl.Series, read: Number | Date | Category) -> Floats | pl.Series:
    """The cells as numbers, as days or as names, however a file holds them."""
    if isinstance(read, Number):
        return as_numbers(column, read.words)
    return as_days(column, read.format) if isinstance(read, Date) else as_names(column)


def as_numbers(column: pl.Series, words: tuple[str, ...] = ()) -> Floats:
    """The cells as float64, NaN where there is no number.

    Args:
        column: of any of the kinds of `read_table`.
        words: for 0 and for 1, in lower case, if the cells are words.
    """
    if words and column.dtype != pl.Boolean:
        numbers = {word: float(number) for number, word in enumerate(words)}
        lower = as_names(column).str.to_lowercase()
        column = lower.replace_strict(numbers, default=None, return_dtype=pl.Float64)
    elif column.dtype == pl.Datetime:
        return as_days(column, "")
    elif column.dtype != pl.Float64:
        text = with_points(column) if column.dtype == pl.String else column
        column = text.cast(pl.Float64, strict=False)
    values = column.to_numpy().astype(np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    return values


def as_days(column: pl.Series, form: str) -> Floats:
    """Dates as days since 1970, float64, NaN where there is no date.

    Args:
        column: of dates, or of text.
        form: of the text, as `formats.parse` takes it.
    """
    epoch = as_dates(column, form).dt.epoch("us").cast(pl.Float64).to_numpy()
    return np.asarray(epoch / DAY_US, dtype=np.float64)


def as_dates(column: pl.Series, form: str) -> pl.Series:
    """The cells as Datetime, null where there is no date; arguments as of `as_days`."""
    return column if column.dtype == pl.Datetime else formats.parse(column.cast(pl.String), form)


def known_names(column: pl.Series, category: Category, decimal_comma: bool = False) -> pl.Series:
    """The cells as names, in the spelling of training: the same number, or true and false, may be written in others.

    Args:
        column: of any of the kinds of `read_table`.
        category: whose names are known.
        decimal_comma: as of `with_points`.
    """
    names = as_names(column)
    is_known = names.is_in(category.values)
    if is_known.fill_null(True).all():
        return names
    numbers = {number: name for name in reversed(category.values) if (number := _numbers.number(name)) is not None}
    if numbers:
        own = pl.Series(as_numbers(with_points(names, decimal_comma=True) if decimal_comma else names)).fill_nan(None)
        found = own.replace_strict(numbers, default=None, return_dtype=pl.String)
    else:
        lower = names.str.to_lowercase()
        found = lower if set(category.values) <= TRUTH else names
    other = found.is_not_null() & found.is_in(category.values) & ~is_known
    return found.zip_with(other.fill_null(False), names).alias(column.name)


def cycle(days: Floats, name: str) -> tuple[Floats, Floats]:
    """Sine and cosine of where days lie in the "year", "week" or "day"."""
    angle = 2 * np.pi * (days / PERIODS[name] % 1)
    return np.sin(angle), np.cos(angle)


def _encode_number(values: Floats, number: Number) -> list[Floats]:
    absent = np.isnan(values)
    filled = np.where(absent, number.fill, values)
    if number.quantiles:
        scaled = _normal_scores(filled, np.array(number.quantiles))
    else:
        scaled = (filled - number.mean) / number.std
    return [scaled, absent.astype(np.float64)] if number.missing else [scaled]


def _normal_scores(values: Floats, quantiles: Floats) -> Floats:
    """Each value's rank among the quantiles, as a value of the standard normal distribution.

    Values that several quantiles share are given the middle of their ranks.
    """
    from scipy.special import ndtri  # here, because other scalings need not wait 200 ms for it

    ranks = np.linspace(0, 1, len(quantiles))
    upper = np.interp(values, quantiles, ranks)
    lower = -np.interp(-values, -quantiles[::-1], -ranks[::-1])
    return np.asarray(ndtri(((upper + lower) / 2).clip(FARTHEST_RANK, 1 - FARTHEST_RANK)), dtype=np.float64)


def _encode_date(days: Floats, date: Date) -> list[Floats]:
    cycles = [np.nan_to_num(part) for name in date.cycles for part in cycle(days, name)]
    return [*_encode_number(days, date.days), *cycles]


def _encode_category(column: pl.Series, category: Category) -> NDArray[np.float32]:
    numbers = {value: float(number) for number, value in enumerate(category.values, start=1)}
    if not numbers:
        return np.zeros(len(column), dtype=np.float32)
    names = known_names(column, category)
    return names.replace_strict(numbers, default=0.0, return_dtype=pl.Float32).fill_null(0.0).to_numpy()
