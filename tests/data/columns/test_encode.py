"""What a network receives of a row, against worked numbers."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from helpers import COLUMNS

from litmus.data.columns.encode import as_days, as_numbers, encode
from litmus.spec import Category, Columns, Date, Number, Spec


def column(values: list[object], read: Number | Date | Category) -> list[list[float]]:
    places = {Number: 0, Date: 1, Category: 2}
    kinds: list[tuple[object, ...]] = [(), (), ()]
    kinds[places[type(read)]] = (read,)
    name = read.days.name if isinstance(read, Date) else read.name
    return encode(pl.DataFrame({name: values}, strict=False), Columns(*kinds)).T.tolist()


def test_numbers_and_what_stands_for_missing_ones() -> None:
    assert column([1.0, 5.0, None], Number("a", 3.0, 2.0, 2.0, False)) == [[-1.0, 1.0, -0.5]]
    assert column([1.0, None], Number("a", 3.0, 2.0, 2.0, True)) == [[-1.0, -0.5], [0.0, 1.0]]
    assert column(["1", "x"], Number("a", 3.0, 2.0, 2.0, True)) == [[-1.0, -0.5], [0.0, 1.0]]


def test_words() -> None:
    yes = Number("a", 0.5, 0.5, 0.0, False, words=("no", "yes"))
    assert column(["yes", "NO", "maybe", None], yes) == [[1.0, -1.0, -1.0, -1.0]]


def test_quantiles_give_normal_scores() -> None:
    number = Number("a", 0.0, 1.0, 0.0, False, tuple(float(i * i) for i in range(101)))
    (scores,) = column([0.0, 2500.0, 10_000.0, 1e9, 4.0], number)
    assert scores == pytest.approx([-3.0902, 0.0, 3.0902, 3.0902, -2.0537], abs=1e-3)
    tied = Number("a", 0.0, 1.0, 0.0, False, (0.0,) * 50 + tuple(map(float, range(1, 52))))
    assert column([0.0], tied)[0][0] == pytest.approx(-0.6903, abs=1e-3)  # the middle of the ranks 0 to 0.49


def test_dates_unfold() -> None:
    days = Number("a", 0.0, 1.0, 3.0, True)
    date = Date(days, "%Y-%m-%d", ("week",))
    since, absent, sine, cosine = column(["1970-01-01", "1970-01-08", "soon"], date)
    assert (since, absent) == ([0.0, 7.0, 3.0], [0.0, 0.0, 1.0])
    assert (sine, cosine) == ([0.0, pytest.approx(0.0), 0.0], [1.0, pytest.approx(1.0), 0.0])


def test_days_of_formats() -> None:
    assert as_days(pl.Series(["1970-02", "x"]), "%Y-%m").tolist() == [31.0, pytest.approx(np.nan, nan_ok=True)]
    assert as_days(pl.Series(["1970-01-02 12:00"]), "%Y-%m-%d %H:%M").tolist() == [1.5]


def test_categories_are_numbered_from_one() -> None:
    assert column(["b", "a", "new", None], Category("k", ("a", "b"))) == [[2.0, 1.0, 0.0, 0.0]]
    assert column([10.0, 2.5, 3.0], Category("k", ("2.5", "10"))) == [[2.0, 1.0, 0.0]]
    assert column([True, False], Category("k", ("false", "true"))) == [[2.0, 1.0]]
    assert column(["a"], Category("k", ())) == [[0.0]]


def test_the_order_is_the_spec_s_whatever_the_table_s() -> None:
    columns = COLUMNS.input
    frame = pl.DataFrame(
        {
            "heating": ["oil"],
            "sold": ["2022-01-08"],
            "rooms": [4.0],
            "area": [100.0],
            "more": ["x"],
            "district": ["west"],
        }
    )
    rows = encode(frame, columns)
    assert rows.dtype == torch.float32
    assert rows.shape == (1, columns.num_numbers + 2)
    assert rows[0, [0, 1, 2, 3, -2, -1]].tolist() == pytest.approx([1.0, 0.0, 1.0, 0.0, 3.0, 2.0], abs=1e-6)


def test_a_spec_of_columns_is_the_same_after_json(tmp_path: object) -> None:
    plain = COLUMNS.to_plain()
    assert Spec.from_plain(json.loads(json.dumps(plain))) == COLUMNS


def test_what_holds_no_number() -> None:
    assert np.isnan(as_numbers(pl.Series(["x", None, "inf"]))).all()


def test_names_are_known_in_other_spellings() -> None:
    assert column(["001", "1", "01.0", "2"], Category("k", ("001", "10"))) == [[1.0, 1.0, 1.0, 0.0]]
    assert column(["7", "07", "7.0"], Category("k", ("7",))) == [[1.0, 1.0, 1.0]]
    assert column(["True", "FALSE", "false", "yes"], Category("k", ("false", "true"))) == [[2.0, 1.0, 1.0, 0.0]]
    assert column(["1", "01"], Category("k", ("01", "1"))) == [[2.0, 1.0]]
