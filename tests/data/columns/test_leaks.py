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
        "score": CLASS + 0.97 * np.random.default_rng(2).random(ROWS),
        "near": CLASS + 1.2 * np.random.default_rng(2).random(ROWS),
        "noise": NOISE,
    }
    assert leaks(CLASS.astype(np.int64), **columns) == ["name", "code", "score"]


@pytest.mark.parametrize("seed", range(10))
def test_a_column_that_tells_classes_apart_is_none_and_one_that_they_were_cut_from_is(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    target = np.repeat([0, 1, 2], 200)
    order = drawn.permutation(len(target))
    apart = {f"{far} deviations": (drawn.normal(size=600) + far * target)[order] for far in (7, 10, 30)}
    score = drawn.lognormal(size=600)
    assert leaks(target[order], **apart, noise=drawn.normal(size=600)) == []
    cut = np.digitize(score, np.quantile(score, [0.3, 0.95])).astype(np.int64)
    assert leaks(cut, score=score, noise=drawn.normal(size=600)) == ["score"]


def test_a_rare_class_makes_nothing_a_leak() -> None:
    rare = (np.arange(ROWS) < 6).astype(np.int64)
    assert leaks(rare, other=np.array(["x", "y"])[np.arange(ROWS) % 2], noise=NOISE) == []
    assert leaks(rare, flag=np.array(["x", "y"])[rare]) == ["flag"]


def test_classes_too_rare_to_tell_do_not_hide_a_leak() -> None:
    """Of three rows of a class nothing follows; of the others it does."""
    target = np.where(np.arange(ROWS) < 3, 3, CLASS).astype(np.int64)
    name = np.array(["c", "b", "a", "d"])[target]
    assert leaks(target, name=name, other=np.array(["x", "y"])[CLASS // 2], noise=NOISE) == ["name"]


def test_what_is_missing_tells_the_class() -> None:
    """As a date of discharge of those who were discharged."""
    target = (np.arange(ROWS) % 2).astype(np.int64)
    columns = {
        "paid": np.where(target == 1, NOISE, np.nan),
        "word": pl.Series(["x" if own else None for own in target]),
    }
    some = np.where(np.random.default_rng(3).random(ROWS) < 0.5, NOISE, np.nan)
    found = leaks(target, **columns, some=some, noise=NOISE)
    assert "paid" in found
    assert not {"some", "noise"} & set(found)


def test_the_target_in_another_currency_or_rounded() -> None:
    price = 100 + 10 * PRICE
    columns = {
        "euros": 1.1 * price + 0.1 * NOISE,
        "rounded": np.round(price, -1),
        "far": np.where(np.arange(ROWS) == 0, 1e6, NOISE),
        "like": 1.1 * price + NOISE,
        "half": np.where(price > 100, 1.0, 0.0),
    }
    assert leaks(price, **columns) == ["euros", "rounded"]
    assert leaks(np.where(np.arange(ROWS) == 0, 1e6, price), far=columns["far"]) == []


def test_a_handful_of_rows_tells_nothing() -> None:
    assert leaks(PRICE[:10], copy=PRICE[:10]) == []
