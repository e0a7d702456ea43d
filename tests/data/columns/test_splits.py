"""Tables in splits: equal rows in two of them, equal times, and what a limit keeps."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers import composed

from litmus.config.instantiate import build
from litmus.data._split import time_bounds
from litmus.data.table import Table
from litmus.errors import UserError

ROWS = 200
X = np.random.default_rng(0).normal(size=ROWS)
FRAME = pl.DataFrame({"x": X, "kind": ["a"] * 100 + ["b"] * 100})


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(frame: pl.DataFrame, *overrides: str) -> Table:
    frame.write_csv("a.csv")
    made = build(composed("data=table", "data.path=a.csv", "data.target=kind", *overrides)["data"], 0)
    made.prepare_data()
    made.setup()
    return made


def test_rows_of_the_test_that_are_in_training_are_said() -> None:
    assert table(FRAME).concerns == []
    (said,) = table(FRAME, "data.test_path=a.csv").concerns
    assert said == (
        "200 of 200 test rows are also in the training or validation split, target included: they measure no new data."
    )
    said = table(pl.concat([FRAME] * 5)).concerns
    assert [sentence.split(" also ")[0].split(" of ")[1] for sentence in said] == [
        "150 validation rows are",
        "150 test rows are",
    ]


def test_equal_inputs_with_other_targets_are_no_equal_rows() -> None:
    FRAME.with_columns(kind=pl.col("kind").reverse()).write_csv("other.csv")
    assert table(FRAME, "data.test_path=other.csv").concerns == []


def test_columns_that_tell_a_label_are_named() -> None:
    tags = ["red|big", "", "big", "red"] * 50
    frame = FRAME.with_columns(kind=pl.Series(tags), hint=pl.Series(["both", "none", "one", "other"] * 50))
    (said,) = table(frame, "data.target_separator='|'").concerns
    assert said.startswith("data.target=kind is determined, or nearly, by the column hint.")


def test_rows_of_the_same_time_stay_together() -> None:
    days = FRAME.with_columns(day=pl.Series(np.arange(ROWS) // 20), kind=pl.Series(["a", "b"] * 100))
    splits = table(days, "data.time=day", "data.val_share=0.17", "data.test_share=0.17").splits
    assert {split: sorted(set(rows["day"])) for split, rows in splits.items()} == {
        "train": [0, 1, 2, 3, 4, 5],
        "val": [6, 7],
        "test": [8, 9],
    }


@pytest.mark.parametrize(
    ("times", "bounds"),
    [
        (range(20), [14, 17]),
        ([0] * 6 + [1] * 6 + [2] * 8, [6, 12]),  # a third of the rows is the least that there is
        ([0] * 12 + [1] * 8, [12, 20]),  # two times make no three splits: nothing is left for the test
        ([0] * 14 + [1] * 2 + [2] * 4, [14, 16]),
    ],
    ids=str,
)
def test_splits_begin_where_time_changes(times: list[int], bounds: list[int]) -> None:
    assert time_bounds(np.array(list(times), dtype=np.float64), 3, 3) == bounds


@pytest.mark.parametrize("more", [[], ["data.time=x"]], ids=["", "by time"])
def test_a_limit_keeps_all_classes_of_a_sorted_file(more: list[str]) -> None:
    FRAME.write_csv("test.csv")
    made = table(FRAME.with_columns(x=pl.col("x") + 9), "data.test_path=test.csv", "data.limit_eval=20", *more)
    assert made.sizes["test"] == made.sizes["val"] == 20
    assert 4 <= (made.splits["test"]["kind"] == "a").sum() <= 16


def test_points_in_every_split_are_those_of_the_training(caplog: pytest.LogCaptureFixture) -> None:
    sums = [f"{100 + 37 * i:,}".replace(",", ".") for i in range(ROWS)]
    FRAME.with_columns(x=pl.Series(sums), one=1).write_csv("train.csv", separator=";")
    Path("new.csv").write_text("x;kind;one\n4.003;a;1\n2.001;b;1\n")
    words = ["data.path=train.csv", "data.test_path=new.csv"]
    made = table(FRAME, *words)
    assert made.splits["test"]["x"].to_list() == [4003, 2001]
    assert made.chosen["thousands"] == ["x"], "of the columns that are used"
    assert [number.thousands for number in made.spec.input.numbers] == [True]
    caplog.clear()
    assert table(FRAME, *words, "data.thousands=[x]").splits["test"]["x"].to_list() == [4003, 2001]
    assert table(FRAME, *words, "data.thousands=[]").splits["test"]["x"].to_list() == [4.003, 2.001]
    assert not caplog.text
    with pytest.raises(UserError, match="has no column y"):
        table(FRAME, *words, "data.thousands=[y]")
