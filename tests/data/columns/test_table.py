"""Tables as a dataset: targets, splits, and what is asked about."""

import datetime as dt
import logging
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from helpers import composed

from litmus.config.instantiate import build
from litmus.config.preflight import preflight
from litmus.data import _loader
from litmus.data._loader import batch_size_for
from litmus.data.table import Table
from litmus.errors import UserError
from litmus.spec import Category, Classes, Labels, Values

ROWS = 120
GENERATOR = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "x": GENERATOR.normal(size=ROWS),
        "user": [f"u{i // 6}" for i in range(ROWS)],
        "day": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 1) + pl.duration(days=ROWS - 1), eager=True),
        "ill": ["yes" if i % 4 == 0 else "no" for i in range(ROWS)],
        "price": GENERATOR.normal(size=ROWS),
        "grade": [i % 3 for i in range(ROWS)],
    }
).sample(fraction=1, shuffle=True, seed=0)


def data(target: str, frame: pl.DataFrame = FRAME, *overrides: str) -> Table:
    frame.write_csv("a.csv")
    made = build(composed("data=table", "data.path=a.csv", f"data.target={target}", *overrides)["data"], 0)
    made.prepare_data()
    made.setup()
    return made


def test_classes_are_discovered_in_order() -> None:
    assert data("grade").spec.target == Classes(("0", "1", "2"))
    assert data("ill").spec.target == Classes(("no", "yes"))
    assert data("grade", FRAME, "data.kind=numbers").spec.target.names == ("grade",)


def test_numbers_are_scaled_by_the_training_rows() -> None:
    made = data("[price,x]")
    target = made.spec.target
    assert isinstance(target, Values)
    assert target.names == ("price", "x")
    scaled = made._scaled_targets("train")
    assert scaled.dtype == torch.float32
    assert scaled.mean(dim=0).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert scaled.std(dim=0, correction=0).tolist() == pytest.approx([1, 1], abs=1e-6)
    values = made.splits["test"]["price"].to_numpy()
    assert made._scaled_targets("test")[:, 0].tolist() == pytest.approx(
        (values - target.mean[0]) / target.std[0], abs=1e-5
    )


def test_the_target_is_no_input_and_facts_are_the_training_rows_alone() -> None:
    made = data("ill")
    assert set(made.spec.input.by_name()) == {"x", "price", "grade", "day", "user"}
    assert made.spec.input.numbers[0].mean == pytest.approx(made.splits["train"]["x"].mean())


def test_a_random_split_is_stratified() -> None:
    splits = data("ill").splits
    assert {split: frame.height for split, frame in splits.items()} == {"train": 84, "test": 18, "val": 18}
    shares = [(frame["ill"] == "yes").mean() for frame in splits.values()]
    assert shares == pytest.approx([0.25] * 3, abs=0.03)


def test_groups_stay_together_and_are_no_input() -> None:
    made = data("ill", FRAME, "data.group=user")
    users = [set(frame["user"]) for frame in made.splits.values()]
    assert sum(map(len, users)) == len(set.union(*users)) == ROWS / 6
    assert "user" not in made.spec.input.by_name()


def test_rows_without_a_group_are_groups_of_their_own() -> None:
    frame = FRAME.with_columns(user=pl.when(pl.col("user") < "u3").then(pl.col("user")))
    splits = data("ill", frame, "data.group=user").splits
    assert all(part["user"].null_count() for part in splits.values())


@pytest.mark.parametrize("column", ["day", "number"])
def test_the_last_rows_are_the_test(column: str) -> None:
    frame = FRAME.with_columns(number=pl.col("day").cast(pl.Int64))
    splits = data("price", frame, f"data.time={column}").splits
    assert splits["train"]["day"].max() < splits["val"]["day"].min()
    assert splits["val"]["day"].max() < splits["test"]["day"].min()
    assert [splits[split].height for split in ("train", "val", "test")] == [84, 18, 18]


def test_a_limit_keeps_the_last_rows_before_the_validation(caplog: pytest.LogCaptureFixture) -> None:
    whole = data("price", FRAME, "data.time=day").splits
    limited = data("price", FRAME, "data.time=day", "data.limit=20").splits
    assert limited["train"].equals(whole["train"].tail(20))
    assert limited["val"].equals(whole["val"])
    assert f"trained on the last 20 of {whole['train'].height} rows by day" in caplog.text


def test_tables_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    FRAME.head(30).write_csv("test.csv")
    made = data("ill", FRAME, "data.test_path=test.csv")
    assert made.splits["test"].height == 30
    assert made.sizes["train"] + made.sizes["val"] == ROWS
    assert sorted(made.sha256) == ["test: test.csv", "train: a.csv"]
    FRAME.drop("x").write_csv("test.csv")
    with pytest.raises(UserError, match=r"test.csv has no column x, which the network takes."):
        data("ill", FRAME, "data.test_path=test.csv")


def test_rows_without_a_target_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    frame = FRAME.with_columns(ill=pl.when(pl.int_range(pl.len()) > 5).then(pl.col("ill")))
    assert sum(data("ill", frame).sizes.values()) == ROWS - 6
    assert "a.csv: 6 of 120 rows have no value in ill. They are skipped." in caplog.text
    with pytest.raises(UserError, match=r"have no number in ill, but text such as .no.\. That is more than half"):
        data("ill", FRAME, "data.kind=numbers")


def test_dates_and_names_are_asked_about() -> None:
    with pytest.raises(UserError, match="data.target=day has dates, which are neither classes nor numbers"):
        data("day")
    frame = FRAME.with_columns(name=pl.Series([f"name {i}" for i in range(ROWS)]))
    with pytest.raises(UserError, match=r"120 distinct values in 120 rows.*or data.kind=numbers if these are numbers"):
        data("name", frame)


def test_leaks_are_named() -> None:
    (said,) = data("price", FRAME.with_columns(euros=pl.col("price") * 1.1)).concerns
    assert said.startswith("data.target=price is determined, or nearly, by the column euros")
    assert said.endswith("data.ignore=[euros].")
    assert data("price", FRAME.with_columns(euros=pl.col("price") * 1.1), "data.ignore=[euros]").concerns == []


@pytest.mark.parametrize("name", ["Abfülldatum", "of two, words", "user's", 'a "b"\\', "$HOME", "2"])
def test_a_leak_of_any_name_can_be_left_out_as_it_is_said(name: str) -> None:
    frame = FRAME.with_columns((pl.col("price") * 1.1).alias(name))
    (said,) = data("price", frame).concerns
    (word,) = shlex.split(said.partition("leave it out: ")[2].removesuffix("."))
    assert data("price", frame, word).concerns == []
    if name == "Abfülldatum":
        assert said.endswith("""leave it out: "data.ignore=['Abfülldatum']".""")


def test_what_became_of_each_column_is_kept() -> None:
    made = data("price", FRAME.with_columns(one=1, row=pl.int_range(ROWS)))
    for name, kind in (("x", "number"), ("user", "category"), ("day", "date"), ("ill", "yes/no"), ("one", "constant")):
        assert made.facts["columns"][name].startswith(f"{kind}: ")
    assert made.facts["columns"]["row"] == "identifier: left out: it names rows"


def test_a_small_table_is_passed_over_several_times() -> None:
    assert data("ill").passes == -(-80 * 64 // 84)
    assert data("ill", FRAME, "data.min_steps=1").passes == 1
    assert data("ill", FRAME, "data.min_steps=7", "data.batch_size=12").num_batches == 7


@pytest.mark.parametrize(
    ("rows", "expected"), [(1, 64), (64_000, 64), (64_001, 128), (700_000, 1024), (100_000_000, 1024)]
)
def test_batches_of_a_large_table_are_larger(rows: int, expected: int) -> None:
    assert batch_size_for(rows) == expected


def test_a_batch_size_that_was_chosen_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loader, "MOST_STEPS", 1)
    made = data("ill")
    assert (made.batch_size, made.chosen) == (128, {"batch_size": 128, "thousands": []})
    assert made.notes == [f"batches  of 128 rows, so that an epoch has {made.num_batches} steps"]
    made = data("ill", FRAME, "data.batch_size=32")
    assert (made.batch_size, made.chosen, made.notes) == (32, {"thousands": []}, [])


def test_rows_are_known_again_in_another_order_and_format(caplog: pytest.LogCaptureFixture) -> None:
    """Equal rows are counted: of two, one was seen."""
    frame = pl.concat([FRAME, FRAME.head(1)])
    seen = data("ill", frame).seen
    made = data("ill", frame.sample(fraction=1, shuffle=True, seed=3))
    frame.sample(fraction=1, shuffle=True, seed=4).write_parquet("b.parquet")
    parquet = build({**composed("data=table", "data.path=b.parquet", "data.target=ill")["data"]}, 1)
    parquet.prepare_data()
    own = set(data("ill", frame)._fingerprints()["test"].tolist())
    for other in (made, parquet):
        prints = other._fingerprints()
        assert len(set(torch.cat(list(prints.values())).tolist())) == ROWS + 1
        assert set(prints["test"][~torch.isin(prints["test"], seen)].tolist()) <= own
        with caplog.at_level(logging.WARNING):
            other.leave_out(seen)
        assert 0 < other.sizes["test"] < 18


def test_a_class_that_was_not_trained_on_is_named() -> None:
    made = data("grade")
    made.splits["test"] = made.splits["test"].with_columns(grade=pl.lit(7.0))
    with pytest.raises(UserError, match="classes that the network was not trained on: 7"):
        made._scaled_targets("test")


def test_one_row_and_nothing_to_predict_from() -> None:
    with pytest.raises(UserError, match="a.csv: no row is left for"):
        data("x", FRAME.head(1), "data.kind=numbers")
    with pytest.raises(UserError, match="no column is left to predict from"):
        data("price", FRAME.select("price"))
    Path("a.csv").unlink()


def test_columns_without_a_name_can_be_named() -> None:
    """By the name that they are given: also before anything is read."""
    Path("b.csv").write_text("x,,x,y\n" + "".join(f"{i % 7},{i % 5},{i % 3},{i / 9}\n" for i in range(90)))
    config = composed(
        "data=table",
        "model=fnn",
        "data.path=b.csv",
        "data.target=y",
        "data.ignore=[column_2]",
        "data.categorical=[x_2]",
    )
    assert preflight(config) == []
    made = build(config["data"], 0)
    made.prepare_data()
    assert [column.name for column in made.spec.input.by_name().values()] == ["x", "x_2"]
    assert made.spec.input.categories == (Category("x_2", ("0", "1", "2")),)


def test_the_separator_is_the_one_by_which_the_columns_are_there() -> None:
    Path("b.csv").write_text("x;y, in a, b, c\n" + "".join(f"{i % 7};{i / 9}\n" for i in range(90)))
    made = build(composed("data=table", "data.path=b.csv", "data.target='y, in a, b, c'")["data"], 0)
    made.prepare_data()
    assert list(made.spec.input.by_name()) == ["x"]


def test_years_of_two_digits_are_in_order() -> None:
    days = [dt.date(1999, 10, 1) + dt.timedelta(days=i) for i in range(ROWS)]
    frame = FRAME.with_columns(written=pl.Series([day.strftime("%d.%m.%y") for day in days]), number=pl.int_range(ROWS))
    splits = data("price", frame, "data.time=written").splits
    assert splits["train"]["number"].max() < splits["val"]["number"].min()
    assert splits["val"]["number"].max() < splits["test"]["number"].min()


def test_labels_between_commas_are_no_numbers() -> None:
    frame = FRAME.with_columns(tags=pl.Series(["1,2", "2,3", "1", "3"] * (ROWS // 4)))
    assert data("tags", frame, "data.target_separator=','").spec.target == Labels(("1", "2", "3"))


def test_zeros_at_the_beginning_of_a_category_stay() -> None:
    frame = FRAME.with_columns(code=pl.Series(["001", "002", "010"] * (ROWS // 3)), plain=pl.Series(["1", "2"] * 60))
    made = data("price", frame, "data.categorical=[code,plain]")
    assert set(made.spec.input.categories) >= {Category("code", ("001", "002", "010")), Category("plain", ("1", "2"))}
