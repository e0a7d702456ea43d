"""Dates as text: the formats in which people and programs write them, and which of these a column has."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

MOST = 0.9  # fraction of a column's cells that a format must read for the others to count as missing
REGULAR = 0.9  # fraction of steps alike that decides between two readings
SAMPLE = 500  # cells, evenly spread over a column, that tell which formats to try on all of them
FIRST_YEAR, LAST_YEAR = 1000, 2999  # others are typing errors, such as 20 for 2020
LAST_SHORT_YEAR = 2068  # that two digits stand for, as in Python and POSIX; 69 is 1969

# As polars reads them: "%.f" may be empty, "%#z" is Z, +01, +0100 or +01:00, and "%B" a short name, too.
CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%H:%M:%S%.f%#z", "%H:%M%#z")
ISO = ("%Y-%m-%d", *(f"%Y-%m-%d{between}{clock}" for between in " T" for clock in CLOCKS))
DAYS = (
    *("%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%b %d %Y"),
    *("%b-%d-%Y", "%d %B %Y", "%d. %B %Y", "%B %d, %Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d-%b-%y"),
)
TIMES = ("", " %H:%M:%S%.f", " %H:%M", " %I:%M:%S %p", " %I:%M %p")
FORMATS = (*ISO, *(day + time for day in DAYS for time in TIMES), "%Y-%m")


def parse(text: pl.Series, form: str) -> pl.Series:
    """The cells as Datetime, in UTC where they name an offset; null where there is no date of a plausible year.

    Args:
        text: of strings.
        form: one of `FORMATS`; empty for any of `ISO`, cell by cell.
    """
    if not form:
        return pl.select(pl.coalesce(*(parse(text, each) for each in ISO)).alias(text.name)).to_series()
    if "%d" not in form:  # a month counts as its first day
        text, form = text + " 1", f"{form} %d"
    if "%H" in form or "%I" in form:
        dates = text.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone(None)
    else:
        dates = text.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    if "%y" in form:
        earlier = dates.dt.offset_by("-100y")
        return earlier.zip_with((dates.dt.year() > LAST_SHORT_YEAR).fill_null(False), dates)
    plausible = dates.dt.year().is_between(FIRST_YEAR, LAST_YEAR)
    return pl.select(pl.when(plausible).then(dates).alias(text.name)).to_series()


def readings(text: pl.Series) -> list[str]:
    """The formats that read most cells of a column, each as other dates, the best first; none for other text.

    Day and month may be in either order: the one that gives dates of a regular step is alone, where only one does.

    Args:
        text: of strings, without missing ones.
    """
    if not len(text) or text.str.contains(r"\d").sum() < MOST * len(text):
        return []
    sample = text.gather_every(max(1, len(text) // SAMPLE))
    likely = [form for form in FORMATS if _num_read(parse(sample, form)) >= len(sample) / 2]
    read = {form: parse(text, form) for form in likely}
    most = max((_num_read(dates) for dates in read.values()), default=0)
    if most < MOST * len(text):
        return []
    best: dict[str, pl.Series] = {}
    for form, dates in read.items():
        if _num_read(dates) == most and not any(dates.equals(other, null_equal=True) for other in best.values()):
            best[form] = dates
    return _by_step(best)


def _num_read(dates: pl.Series) -> int:
    return len(dates) - dates.null_count()


def _by_step(best: dict[str, pl.Series]) -> list[str]:
    """The formats, or the only one of the most regular step."""
    if len(best) == 1:
        return [*best]
    steps = {form: _regularity(dates.drop_nulls().unique().sort().to_numpy()) for form, dates in best.items()}
    first, second = sorted(steps, key=steps.__getitem__, reverse=True)[:2]
    return [first] if steps[first] >= REGULAR and steps[first] > steps[second] else [*best]


def _regularity(dates: NDArray[np.datetime64]) -> float:
    """The fraction of steps that are alike, in time or, from the same day on, in months."""
    if len(dates) < 3:
        return 0.0
    days = np.unique(dates.astype("datetime64[D]") - dates.astype("datetime64[M]"))
    by_month = _most_alike(np.diff(dates.astype("datetime64[M]").astype(np.int64))) if len(days) == 1 else 0.0
    return max(_most_alike(np.diff(dates)), by_month)


def _most_alike(steps: NDArray[np.int64] | NDArray[np.timedelta64]) -> float:
    return float(np.unique(steps, return_counts=True)[1].max() / len(steps))


def said(name: str, forms: Sequence[str]) -> str:
    """A warning, where a column can be read in several ways."""
    first, second = ({"%m": "month/day", "%d": "day/month"}[form[:2]] for form in forms[:2])
    return (
        f"Column {name}: each date can be read as {first} or as {second}. It is read as {first} ({forms[0]}). If that "
        "is wrong, write the dates as 2000-02-01."
    )
