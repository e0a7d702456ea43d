"""Dates as people and programs write them."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from litmus.data.columns.discover import date_format
from litmus.data.columns.formats import parse

START = datetime(1999, 12, 20)


def series(form: str, step: timedelta, number: int = 200) -> tuple[pl.Series, list[datetime]]:
    dates = [START + step * i for i in range(number)]
    return pl.Series("day", [date.strftime(form) for date in dates]), dates


@pytest.mark.parametrize(
    "form",
    [
        *("%Y-%m-%d %H:%M:%S+00:00", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.000000+0000"),
        *("%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%d/%m/%Y %H:%M"),
        *("%d.%m.%y %H:%M", "%m/%d/%y %H:%M"),
    ],
)
def test_times_are_read_as_they_are_written(form: str) -> None:
    text, dates = series(form, timedelta(hours=5))
    found = date_format(text)
    assert found is not None
    assert parse(text, found).to_list() == dates


@pytest.mark.parametrize("form", ["%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d-%b-%y", "%d %B %Y", "%B %d, %Y", "%d. %B %Y"])
def test_days_are_read_as_they_are_written(form: str) -> None:
    text, dates = series(form, timedelta(days=1))
    found = date_format(text)
    assert found is not None
    assert parse(text, found).to_list() == dates


def test_offsets_are_taken_into_account() -> None:
    assert parse(pl.Series(["2020-01-01T00:00:00+02:00"]), "").to_list() == [datetime(2019, 12, 31, 22)]


def test_years_of_two_digits_are_those_of_python() -> None:
    for year in ("00", "68", "69", "99"):
        text = f"31.12.{year}"
        assert parse(pl.Series([text]), "%d.%m.%y").to_list() == [datetime.strptime(text, "%d.%m.%y")]


def test_implausible_years_are_no_dates() -> None:
    assert parse(pl.Series(["31.12.20", "31.12.2020"]), "%d.%m.%Y").to_list() == [None, datetime(2020, 12, 31)]
    assert parse(pl.Series(["0020-01-01", "9999-01-01"]), "%Y-%m-%d").to_list() == [None, None]


@pytest.mark.parametrize("order", ["%d/%m/%Y", "%m/%d/%Y"])
def test_a_regular_step_tells_day_from_month(order: str, caplog: pytest.LogCaptureFixture) -> None:
    months = [datetime(2000 + i // 12, i % 12 + 1, 1) for i in range(120)]
    hours = [datetime(2000, 2, 1) + timedelta(hours=i) for i in range(280)]  # of twelve days
    for dates in (months, hours):
        text = pl.Series("day", [date.strftime(f"{order} %H:%M") for date in dates])
        assert date_format(text, warns=True) == f"{order} %H:%M"
    assert not caplog.text


def test_the_rows_at_the_end_tell_day_from_month() -> None:
    days = [*(f"{i % 12 + 1:02}/0{i % 7 + 1}/2000" for i in range(5000)), "13/02/2000"]
    assert date_format(pl.Series("day", days)) == "%d/%m/%Y"


def test_what_cannot_be_told_is_said(caplog: pytest.LogCaptureFixture) -> None:
    text = pl.Series("day", [f"{day:02}/02/2000" for day in (1, 2, 4, 8, 9)])
    assert date_format(text, warns=True) == "%m/%d/%Y"
    assert "Column day: each date can be read as month/day or as day/month. It is read as month/day" in caplog.text


def test_a_cell_is_read_alike_whatever_stands_beside_it() -> None:
    """Text for a file's own dates is ISO."""
    cells = ["03/04/2021", "2021-04-03", "2021-04-03T10:00Z", "2021-04-03 10:00:00"]
    alone = [parse(pl.Series([cell]), "")[0] for cell in cells]
    assert alone == [None, datetime(2021, 4, 3), datetime(2021, 4, 3, 10), datetime(2021, 4, 3, 10)]
    assert parse(pl.Series([*cells, *(f"{day}/04/2021" for day in range(13, 30))]), "").to_list()[:4] == alone
