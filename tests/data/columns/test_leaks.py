"""Columns that give the target away are named, and others are not."""

import numpy as np
import polars as pl
import pytest

from litmus.data.columns.discover import discover
from litmus.data.columns.leaks import find_leaks

ROWS = 400
NOISE = np.random.default_rng(0).normal(size=ROWS)
PRICE = np.random.default_rng(1).normal(size=ROWS)
CLASS = np.arange(ROWS) % 3


def leaks(target: np.ndarray, **columns: object) -> list[str]:
    frame = pl.DataFrame(columns, strict=False)
    found = discover(frame, frame, numeric=[], categorical=[], ignored=[], scaling="standard")
    return find_leaks(frame, found, target)


@pytest.mark.parametrize("copy", [PRICE, -2 * PRICE + 7, np.exp(PRICE), np.where(np.arange(ROWS) == 5, np.nan, PRICE)])
def test_a_number_s_copies_in_other_units_or_monotone(copy: np.ndarray) -> None:
    assert leaks(PRICE, copy=copy, noise=NOISE, near=PRICE + 0.1 * NOISE) == ["copy"]


def test_categories_that_each_have_one_price() -> None:
    price = np.array([3.5, 7.0, 20.0])[CLASS]
    assert leaks(price, grade=np.array(["c", "b", "a"])[CLASS], other=np.array(["x", "y"])[CLASS // 2]) == ["grade"]


def test_a_class_s_other_names_and_intervals() -> None:
    columns = {
        "name": np.array(["c", "b", "a"])[CLASS],
        "code": CLASS * 10.0,
        "score": CLASS + 0.9 * np.random.default_rng(2).random(ROWS),
        "near": CLASS + 1.2 * np.random.default_rng(2).random(ROWS),
        "noise": NOISE,
    }
    assert leaks(CLASS.astype(np.int64), **columns) == ["name", "code", "score"]


def test_a_rare_class_makes_nothing_a_leak() -> None:
    rare = (np.arange(ROWS) < 6).astype(np.int64)
    assert leaks(rare, other=np.array(["x", "y"])[np.arange(ROWS) % 2], noise=NOISE) == []
    assert leaks(rare, flag=np.array(["x", "y"])[rare]) == ["flag"]


def test_a_handful_of_rows_tells_nothing() -> None:
    assert leaks(PRICE[:10], copy=PRICE[:10]) == []
