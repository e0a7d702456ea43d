"""What columns are taken for."""

import polars as pl
import pytest

from litmus.data.columns.discover import Found, as_columns, discover
from litmus.errors import UserError
from litmus.spec import Category, Columns, Date, Number

ROWS = 60


def found(**columns: list[object]) -> dict[str, Found]:
    return {each.name: each for each in discovered(pl.DataFrame(columns, strict=False))}


def discovered(frame: pl.DataFrame, **changes: object) -> list[Found]:
    asked = {"numeric": [], "categorical": [], "ignored": [], "scaling": "standard", **changes}
    return discover(frame, frame, **asked)


def test_numbers_have_the_facts_of_the_training_rows() -> None:
    (number,) = as_columns(discovered(pl.DataFrame({"a": [1.0, 2.0, 6.0, None]}))).numbers
    assert number == Number("a", 3.0, pytest.approx(14**0.5 / 3**0.5), 2.0, True)


def test_text_of_numbers_with_a_few_mistakes() -> None:
    cells = [str(i / 2) for i in range(ROWS - 3)] + ["many", "few", None]
    each = found(a=cells)["a"]
    assert each.kind == "number"
    assert each.use == "standardized; 2 no numbers; 5.0% missing: the median, and an indicator"


@pytest.mark.parametrize("words", [("no", "yes"), ("N", "Y"), ("False", "TRUE"), ("off", "on")])
def test_yes_and_no_are_a_number(words: tuple[str, str]) -> None:
    each = found(a=[words[i % 3 == 0] for i in range(ROWS)])["a"]
    assert each.kind == "yes/no"
    assert each.column.words == (words[0].lower(), words[1].lower())
    assert each.column.mean == pytest.approx(1 / 3)


def test_truth_values_of_a_file() -> None:
    assert found(a=[i % 3 == 0 for i in range(ROWS)])["a"].kind == "yes/no"


def test_a_male_and_female_are_a_category_like_any_other() -> None:
    each = found(a=["male", "female"] * 30)["a"]
    assert each.column == Category("a", ("female", "male"))


def test_rare_values_train_the_number_of_unknown_ones() -> None:
    each = found(a=["x", "y"] * 29 + ["z", None])["a"]
    assert each.column == Category("a", ("x", "y"))
    assert each.use == "2 values; 1 rare ones as unknown; 1.7% missing"


@pytest.mark.parametrize(
    ("form", "cell"),
    [
        ("%Y-%m-%d", "2024-{m:02}-{d:02}"),
        ("%d.%m.%Y", "{d:02}.{m:02}.2024"),
        ("%m/%d/%Y", "{m:02}/{d:02}/2024"),
        ("%d/%m/%Y", "{d:02}/{m:02}/2024"),
        ("%Y-%m", "20{d}-{m:02}"),
        ("%Y-%m-%dT%H:%M:%S%.f%#z", "2024-{m:02}-{d:02}T10:{d}:00Z"),
        ("%d %b %Y", "{d} Mar 20{m:02}"),
    ],
)
def test_dates_in_the_formats_that_people_use(form: str, cell: str) -> None:
    each = found(a=[cell.format(m=i % 12 + 1, d=i % 18 + 10) for i in range(ROWS)])["a"]
    assert isinstance(each.column, Date)
    assert each.column.format == form
    assert each.use.startswith(f"read as {form}; days, year")


def test_cycles_that_do_not_turn_are_left_out() -> None:
    hours = pl.datetime_range(pl.datetime(2024, 3, 1), pl.datetime(2024, 3, 1, 20), "1h", eager=True)
    (date,) = as_columns(discovered(pl.DataFrame({"a": hours}))).dates
    assert "day" in date.cycles
    weeks = pl.date_range(pl.date(2020, 1, 1), pl.date(2023, 1, 1), "1w", eager=True).cast(pl.Datetime("us"))
    (date,) = as_columns(discovered(pl.DataFrame({"a": weeks}))).dates
    assert date.cycles == ("year",)


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("a", [None] * ROWS, "empty"),
        ("a", [7.0] * ROWS, "constant"),
        ("a", ["x"] * ROWS, "constant"),
        ("a", [float(i) for i in range(ROWS)], "identifier"),  # counts the rows
        ("a", [float(ROWS - i) for i in range(ROWS)], "identifier"),
        ("customer_id", [float(i * 37 % 61) for i in range(ROWS)], "identifier"),
        ("customerId", [f"c{i // 2}" for i in range(ROWS)], "identifier"),
        ("key", [f"c{i}" for i in range(ROWS)], "identifier"),
        ("a", [f"some words {i}" for i in range(ROWS)], "text"),
    ],
)
def test_what_is_left_out(name: str, cells: list[object], kind: str) -> None:
    each = found(**{name: cells})[name]
    assert (each.kind, each.column) == (kind, None)
    assert each.use.startswith("left out")


def test_a_year_and_a_type_are_no_identifiers() -> None:
    both = found(year=[1950.0 + i for i in range(ROWS)], type_id=[float(i % 4) for i in range(ROWS)])
    assert [each.kind for each in both.values()] == ["number", "number"]


def test_one_value_or_none_says_something() -> None:
    assert found(a=["x"] * 30 + [None] * 30)["a"].column == Category("a", ("x",))
    number = found(a=[4.0] * 30 + [None] * 30)["a"].column
    assert (number.std, number.missing) == (1.0, True)


def test_what_is_said_decides() -> None:
    frame = pl.DataFrame({"id": [float(i % 50) for i in range(ROWS)], "code": [float(i % 3) for i in range(ROWS)]})
    told = discovered(frame, numeric=["id"], categorical=["code"])
    assert as_columns(told) == Columns((told[0].column,), (), (Category("code", ("0", "1", "2")),))
    assert as_columns(discovered(frame, ignored=["id", "code"])) == Columns()
    with pytest.raises(UserError, match="data.numeric names word, but no training row has a number there"):
        discovered(pl.DataFrame({"word": ["x", "y"]}), numeric=["word"])


def test_numbers_that_are_too_large() -> None:
    with pytest.raises(UserError, match="Column a has numbers that are too large"):
        found(a=[1e308, -1e308, 3.0])
