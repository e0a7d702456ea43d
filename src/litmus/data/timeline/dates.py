"""The dates of a series: whether they are in order, and which step they take."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from litmus.console import counted
from litmus.errors import UserError

Dates = NDArray[np.datetime64]  # of microseconds
Unit = Literal["year", "quarter", "month", "weekday", "fixed"]

MONTHS: dict[Unit, int] = {"month": 1, "quarter": 3, "year": 12}
DAY_S = 86_400
MONTH_S = 27 * DAY_S  # less than the shortest
REGULAR = 0.9  # fraction of the steps that must be alike for the others to be gaps
MOST_NAMED = 5
MOST_IN_HOUR_S = 60  # the longest step of which an hour may be a season
LEAST_WEEKDAYS = 10  # days in which a weekend would have been
# Seasons by the length of a step in seconds: how many steps a week or a year has.
SEASONS = {DAY_S: (7, 365), 7 * DAY_S: (52,)}
NAMES = ((7 * DAY_S, "week"), (DAY_S, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True)
class Step:
    """From one date to the next: a calendar's unit, a day from Monday to Friday, or so many seconds."""

    unit: Unit
    seconds: int = 0

    @property
    def seasons(self) -> tuple[int, ...]:
        """The usual lengths of a season, in steps; none are known for unusual steps."""
        if self.unit != "fixed":
            return {"month": (12,), "quarter": (4,), "weekday": (5,)}.get(self.unit, ())
        if self.seconds in SEASONS or DAY_S % self.seconds:
            return SEASONS.get(self.seconds, ())
        hour = (3600 // self.seconds,) if self.seconds <= MOST_IN_HOUR_S else ()
        return (*hour, DAY_S // self.seconds, *(() if hour else (7 * DAY_S // self.seconds,)))

    def __str__(self) -> str:
        if self.unit != "fixed":
            return self.unit
        size, name = next((size, name) for size, name in NAMES if self.seconds % size == 0)
        return name if self.seconds == size else f"{self.seconds // size} {name}s"


def check_order(dates: Dates, rows: NDArray[np.int64], where: str) -> None:
    """Checks that each date is later than the one before.

    Args:
        dates: of one series.
        rows: their numbers in the file, from 1, for the message.
        where: the file and the column.

    Raises:
        UserError: a date occurs twice, or dates go back.
    """
    changes = np.diff(dates).astype(np.int64)
    for what, wrong in (
        ("is the same as the one before", changes == 0),
        ("is earlier than the one before", changes < 0),
    ):
        if (found := np.flatnonzero(wrong) + 1).size:
            raise UserError(
                f"{where}: in {counted(found.size, 'row')} the date {what}: {named(dates[found], rows[found])}. Sort "
                "the file by date, one row for each; several series in one file need data.group."
            )


def named(dates: Dates, rows: NDArray[np.int64]) -> str:
    """The first few rows with their dates: `row 4 (2024-01-03), row 6 (2024-01-05) and 3 more`."""
    first = zip(rows[:MOST_NAMED], dates[:MOST_NAMED], strict=True)
    more = f" and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
    return ", ".join(f"row {row:,} ({shown(date)})" for row, date in first) + more


def find_step(dates: Dates) -> Step | None:
    """The step that nearly all of the dates take; None if there is none.

    Args:
        dates: in order.
    """
    if len(dates) < 3:
        return None
    changes = np.diff(dates).astype("timedelta64[s]").astype(np.int64)
    usual = int(np.median(changes))
    if usual == DAY_S and _are_weekdays(dates):
        return Step("weekday")
    if usual > MONTH_S and (unit := _calendar_unit(dates)) is not None:
        return Step(unit)
    return Step("fixed", usual) if usual and (changes == usual).mean() >= REGULAR else None


def _calendar_unit(dates: Dates) -> Unit | None:
    """Whether nearly all dates are a month, a quarter or a year apart, on one day of the month or its end."""
    if len(np.unique(dates.astype("datetime64[D]") - dates.astype("datetime64[M]"))) > 4:  # ends of months vary
        return None
    months = np.diff(_months(dates))
    fitting = (
        unit for unit, size in MONTHS.items() if (months == size).mean() >= REGULAR and not (months % size).any()
    )
    return next(fitting, None)


def _are_weekdays(dates: Dates) -> bool:
    """Whether dates are days from Monday to Friday, over several weeks, at one time of the day."""
    days = dates.astype("datetime64[D]")
    return bool(
        np.is_busday(days).all()
        and np.busday_count(days[0], days[-1]) >= LEAST_WEEKDAYS
        and (dates - days == dates[0] - days[0]).all()
    )


def places(dates: Dates, step: Step) -> NDArray[np.int64]:
    """How many steps each date lies after the first, rounded."""
    if step.unit in MONTHS:
        months = _months(dates)
        return (months - months[0]) // MONTHS[step.unit]
    if step.unit == "weekday":
        days = dates.astype("datetime64[D]")
        return np.asarray(np.busday_count(days[0], days), dtype=np.int64)
    seconds = (dates - dates[0]).astype("timedelta64[s]").astype(np.int64)
    return np.asarray(np.rint(seconds / step.seconds), dtype=np.int64)


def after(last: np.datetime64, step: Step, number: int) -> Dates:
    """So many dates that follow the last one; at most the last day of a month."""
    if step.unit == "weekday":
        day = last.astype("datetime64[D]")
        days = np.busday_offset(day, np.arange(1, number + 1), roll="backward")
        return np.asarray(days.astype("datetime64[us]") + (last - day), dtype="datetime64[us]")
    if step.unit not in MONTHS:
        later = last + np.arange(1, number + 1) * np.timedelta64(step.seconds, "s")
        return later.astype("datetime64[us]")
    month = last.astype("datetime64[M]")
    into = last - month.astype("datetime64[us]")
    months = month + np.arange(1, number + 1) * MONTHS[step.unit]
    ends = (months + 1).astype("datetime64[us]") - np.timedelta64(1, "D")
    is_end = (last.astype("datetime64[D]") + 1).astype("datetime64[M]") != month
    later = months.astype("datetime64[us]") + into
    return np.asarray(ends + (into % np.timedelta64(1, "D")) if is_end else np.minimum(later, ends))


def shown(date: np.datetime64) -> str:
    """A date as people write it: without a time of day, where that is midnight."""
    text = str(date.astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(" 00:00:00")


def _months(dates: Dates) -> NDArray[np.int64]:
    return dates.astype("datetime64[M]").astype(np.int64)
