"""Files of series: dates checked, gaps filled, groups apart, columns beside the one that is forecast."""

from pathlib import Path

import numpy as np
import pytest
import torch

from litmus.config.instantiate import defaults
from litmus.data.series import Series
from litmus.data.timeline.dates import after, find_step, places
from litmus.errors import UserError


def write(*columns: str, rows: list[tuple[object, ...]]) -> None:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    Path("numbers.csv").write_text("\n".join(lines) + "\n")


SETTINGS = {name: value for name, value in defaults("data", "series").items() if name != "_target_"}
SETTINGS |= {"path": "numbers.csv", "window": 3, "period": 2, "scaling": "series", "val_share": 0.2}


def data(**changes: object) -> Series:
    made = Series(0, **{**SETTINGS, **changes})
    made.prepare_data()
    return made


def dates(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("given", "step", "seasons", "following"),
    [
        (["2024-01-01", "2024-01-02", "2024-01-03"], "day", (7, 365), ["2024-01-04", "2024-01-05"]),
        (["2023-11-30", "2023-12-31", "2024-01-31"], "month", (12,), ["2024-02-29", "2024-03-31"]),
        (["2023-11-15", "2023-12-15", "2024-01-15"], "month", (12,), ["2024-02-15", "2024-03-15"]),
        (["2023-01-01", "2023-04-01", "2023-07-01"], "quarter", (4,), ["2023-10-01", "2024-01-01"]),
        (["2021-06-01", "2022-06-01", "2023-06-01"], "year", (), ["2024-06-01", "2025-06-01"]),
        (["2024-01-01T00", "2024-01-01T01", "2024-01-01T02"], "hour", (24, 168), ["2024-01-01T03", "2024-01-01T04"]),
        (
            ["2024-01-01T10:00", "2024-01-01T10:05", "2024-01-01T10:10"],
            "5 minutes",
            (288, 2016),
            ["2024-01-01T10:15", "2024-01-01T10:20"],
        ),
    ],
)
def test_a_regular_step_is_found_and_continued(
    given: list[str], step: str, seasons: tuple[int, ...], following: list[str]
) -> None:
    found = find_step(dates(*given))
    assert (str(found), found.seasons) == (step, seasons)
    assert after(dates(*given)[-1], found, 2).tolist() == dates(*following).tolist()
    assert places(dates(*given), found).tolist() == [0, 1, 2]


def test_days_without_weekends_are_a_step_of_their_own() -> None:
    days = np.busday_offset("2024-01-01", np.arange(30)).astype("datetime64[us]")
    found = find_step(np.delete(days, 12))  # a holiday
    assert (str(found), found.seasons) == ("weekday", (5,))
    assert places(np.delete(days, 12), found).tolist() == [number for number in range(30) if number != 12]
    assert after(dates("2024-01-05")[0], found, 2).tolist() == dates("2024-01-08", "2024-01-09").tolist()
    assert str(find_step(days[:3])) == "day", "too few to tell"


def test_dates_without_a_regular_step_have_none() -> None:
    assert find_step(dates("2024-01-01", "2024-01-05", "2024-01-06", "2024-02-01")) is None


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ([1, 2, 3, 3, 4], r"in 1 row the date is the same as the one before: row 4 \(2024-01-03\)\. Sort"),
        (
            [1, 2, 5, 4, 6, 3],
            r"in 2 rows the date is earlier than the one before: row 4 \(2024-01-04\), row 6 \(2024-01-03\)\. Sort",
        ),
        ([9, 8, 7, 6, 5, 4, 3, 10], r"in 6 rows .*: row 2 \(2024-01-08\), .*, row 6 \(2024-01-04\) and 1 more\. Sort"),
    ],
)
def test_dates_in_disorder_are_named_with_their_rows(days: list[int], said: str) -> None:
    write("day", "sales", rows=[(f"2024-01-{day:02}", day) for day in days])
    with pytest.raises(UserError, match=said):
        data()


@pytest.mark.parametrize("grouped", [False, True])
def test_the_newest_row_may_come_first(grouped: bool, caplog: pytest.LogCaptureFixture) -> None:
    names = ["a", "b"] if grouped else ["a"]
    rows = [(f"2024-01-{day:02}", day + 100 * (name == "b"), name) for day in range(1, 31) for name in names]
    columns, keys = ("day", "sales", "shop"), {"group": "shop"} if grouped else {"column": "sales"}
    write(*columns, rows=rows)
    before = data(**keys)
    assert "newest row first" not in caplog.text
    write(*columns, rows=rows[::-1])
    made = data(**keys)
    assert "has the newest row first, by column day: it is read from its end." in caplog.text
    assert made.values.tolist() == before.values.tolist()
    assert made.timeline.dates.tolist() == before.timeline.dates.tolist()


def test_skipped_dates_are_named_and_filled(caplog: pytest.LogCaptureFixture) -> None:
    write("day", "sales", rows=[(f"2024-01-{day:02}", day) for day in range(1, 31) if day not in (7, 8)])
    made = data()
    assert "2 dates are missing, after row 6 (2024-01-06). They count as rows without a value." in caplog.text
    assert made.values[5:9].tolist() == [6.0, 6.0, 6.0, 9.0]
    assert not {6, 7} & set(torch.cat([*made.windows.values()]).tolist())
    assert made.timeline.dates[8] == np.datetime64("2024-01-09")
    assert made.notes[0] == "dates  a value for each day"


def test_skipped_dates_of_groups_are_named_by_the_rows_of_the_file(caplog: pytest.LogCaptureFixture) -> None:
    days = [(day, shop) for day in range(1, 31) for shop in "ab" if (day, shop) not in ((7, "a"), (20, "b"))]
    write("day", "shop", "sales", rows=[(f"2024-01-{day:02}", shop, day) for day, shop in days])
    data(group="shop", column="sales")
    one = "1 date is missing, after row {} (2024-01-{}). It counts as a row without a value."
    assert f"a: {one.format(11, '06')}" in caplog.text
    assert f"b: {one.format(37, 19)}" in caplog.text


def test_a_row_within_a_step_of_another_is_named(caplog: pytest.LogCaptureFixture) -> None:
    days = [f"2024-01-{day:02} 08:00" for day in range(1, 31)]
    write("day", "sales", rows=[(day, number) for number, day in enumerate([*days[:9], "2024-01-09 14:00", *days[9:]])])
    made = data(column="sales")
    assert "row 9 (2024-01-09 08:00:00) left out: the next row is less than half a day later." in caplog.text
    assert made.values[7:10].tolist() == [7.0, 9.0, 10.0]


def test_no_window_crosses_two_groups_and_each_is_split_by_time() -> None:
    write("shop", "sales", rows=[(shop, 1000 * number + i) for i in range(20) for number, shop in enumerate("ab")])
    made = data(group="shop", horizon=2)
    for split in ("train", "val", "test"):
        inputs = torch.from_numpy(made.flat_inputs(split, torch.arange(made.sizes[split]))).double()
        seen = inputs * made.spec.input.std[0] + made.spec.input.mean[0]
        assert torch.equal((seen.round() // 1000)[:, :2], made.targets(split) // 1000)
    assert [target % 1000 for target, _ in made.targets("test").tolist()] == [16, 17, 18, 16, 17, 18]
    assert made.seen.unique().numel() == 2 * 16, "what training and validation forecast, in both groups"


def test_inputs_and_what_is_known_ahead_stand_beside_the_series() -> None:
    write("sales", "price", "sale", rows=[(i, 100 + i, i % 3) for i in range(30)])
    made = data(column="sales", inputs=["price"], known=["sale"], horizon=2)
    assert made.spec.input.columns == ("sales", "price", "sale")
    window = made._columns[made.windows["test"][0] - 3 : made.windows["test"][0]]
    assert window.tolist() == [[21, 121, 23 % 3], [22, 122, 24 % 3], [23, 123, 25 % 3]], "the values of two rows later"
    assert made.flat_inputs("val", torch.arange(2)).shape == (2, 9)


def test_no_column_has_two_roles() -> None:
    write("sales", "price", rows=[(i, i) for i in range(30)])
    with pytest.raises(UserError, match="data.column and data.known both name sales"):
        data(column="sales", known=["sales"])


def test_a_long_series_is_held_as_arrays() -> None:
    """Some arrays of a number for each row; not objects of Python, nor a spectrum of the whole."""
    import tracemalloc

    number = 1_000_000
    Path("numbers.csv").write_text("sales\n" + "".join(f"{i % 97}.5\n" for i in range(number)))
    tracemalloc.start()
    data(window=20, scaling="auto", period=None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 65 * number


def test_what_a_group_lacks_counts_as_the_training_mean() -> None:
    """Altogether, or before its first value: what came later is not known then."""
    rows = [("a", i, "", "" if i < 6 else 100 + i) for i in range(30)] + [("b", 5 - i, i, 50) for i in range(30)]
    write("shop", "value", "lacking", "late", rows=[tuple(row) for row in rows])
    made = data(group="shop", column="value", inputs=["lacking", "late"])
    seen = made._scaled_columns()
    assert bool(seen.isfinite().all())
    assert seen[:30, 1].unique().tolist() == [0.0]
    assert seen[:6, 2].unique().tolist() == [0.0]


def test_days_before_months_are_read_so_through_the_whole_file() -> None:
    hours = [np.datetime64("2020-01-01T00", "h") + i for i in range(400)]
    written = [hour.item().strftime("%d/%m/%Y %H:%M") for hour in hours]
    write("t", "v", rows=[(text, np.sin(i)) for i, text in enumerate(written)])
    assert data().timeline.dates.tolist() == dates(*map(str, hours)).tolist()


@pytest.mark.parametrize("group", [None, "shop"])
def test_rows_after_the_last_value_are_those_to_forecast(group: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing stands in for them: a warning would say that none of them is forecast."""
    rows = [(shop, step % 5 if step < 38 else "", step % 3) for shop in "ab"[: 1 + bool(group)] for step in range(40)]
    write("shop", "sales", "holiday", rows=rows)
    made = data(column="sales", group=group, known=["holiday"])
    assert made.timeline.missing[:, 0].sum() == 2 * (1 + bool(group))
    assert "has no number" not in caplog.text
    write("shop", "sales", "holiday", rows=[*rows[:9], (rows[9][0], "", 1), *rows[10:]])
    data(column="sales", group=group, known=["holiday"])
    assert "has no number in column sales in 1 of" in caplog.text


def test_a_column_that_is_called_as_an_indicator_is_refused() -> None:
    with pytest.raises(UserError, match="The column rain is missing is called as litmus calls an indicator"):
        data(column="sales", inputs=["rain", "rain is missing"])
