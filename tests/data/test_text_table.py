import json
import logging
from pathlib import Path

import polars as pl
import pytest

from litmus.data import _preflight as preflight
from litmus.data.text_table import TextTable
from litmus.errors import UserError
from litmus.spec import Classes, Values

SETTINGS = {
    "path": "reviews.csv",
    "text": "review",
    "label": "stars",
    "target_separator": None,
    "kind": "auto",
    "group": None,
    "val_path": None,
    "test_path": None,
    "val_share": 0.2,
    "test_share": 0.2,
    "encoding": "auto",
    "separator": "auto",
    "dir": None,
    "limit": None,
    "limit_eval": None,
    "split_seed": None,
    "folds": None,
    "fold": None,
    "batch_size": 4,
    "eval_batch_size": 4,
}


def write(name: str, labels: list[object], texts: list[str] | None = None, groups: list[object] | None = None) -> None:
    texts = texts or [f"text {i}" for i in range(len(labels))]
    groups = groups or list(range(len(labels)))
    rows = [f"{text},{label},{group}" for text, label, group in zip(texts, labels, groups, strict=True)]
    Path(name).write_text("\n".join(["review,stars,user", *rows]) + "\n")


def data(**changes: object) -> TextTable:
    made = TextTable(0, **{**SETTINGS, "dir": "cache", **changes})
    made.prepare_data()
    return made


def test_few_whole_numbers_are_classes_in_numeric_order() -> None:
    write("reviews.csv", [10, 9, 1] * 20)
    assert data().spec.target == Classes(("1", "9", "10"))


def test_fractions_and_many_numbers_are_values() -> None:
    write("reviews.csv", [1.5, 2, 3] * 20)
    assert isinstance(data().spec.target, Values)
    write("reviews.csv", list(range(60)))
    assert data().spec.target.names == ("stars",)


def test_the_kind_can_be_said() -> None:
    write("reviews.csv", [1, 2, 3] * 20)
    assert isinstance(data(kind="numbers").spec.target, Values)
    write("reviews.csv", [0.5, 1.5] * 20)
    assert data(kind="classes").spec.target == Classes(("0.5", "1.5"))


def test_parts_have_their_shares_and_classes() -> None:
    write("reviews.csv", ["good", "bad"] * 50)
    parts = data().splits
    assert {name: len(samples) for name, samples in parts.items()} == {"train": 60, "val": 20, "test": 20}
    assert all(samples.targets.count("good") == len(samples) // 2 for samples in parts.values())


def test_groups_and_equal_texts_stay_on_one_side() -> None:
    texts = [f"text {i % 70}" for i in range(100)]
    groups = [f"u{i // 5}" for i in range(100)]
    write("reviews.csv", ["good", "bad"] * 50, texts, groups)
    sides = [set(samples.texts) for samples in data(group="user").splits.values()]
    assert all(not a & b for i, a in enumerate(sides) for b in sides[i + 1 :])


def test_tables_of_their_own_for_validation_and_test(caplog: pytest.LogCaptureFixture) -> None:
    write("reviews.csv", ["good", "bad"] * 20)
    write("val.csv", ["good", "bad"] * 3, [f"val {i}" for i in range(6)])
    write("test.csv", ["good", "bad"] * 4, [f"text {i}" for i in range(8)])
    with caplog.at_level(logging.WARNING, "litmus"):
        made = data(val_path="val.csv", test_path="test.csv")
    assert {name: len(samples) for name, samples in made.splits.items()} == {"train": 40, "val": 6, "test": 8}
    assert set(made.sha256) == {"train: reviews.csv", "val: val.csv", "test: test.csv"}
    assert "test.csv: 8 of 8 rows have a text that is also in the training or validation data" in caplog.text
    assert "val.csv" not in caplog.text


def test_what_cannot_be_used_is_named_with_its_line(caplog: pytest.LogCaptureFixture) -> None:
    write("reviews.csv", ["1.5", "", "many", *["2.5"] * 20], ["a", "b", "c", *[f"t{i}" for i in range(18)], "", "  "])
    with caplog.at_level(logging.WARNING, "litmus"):
        data(kind="numbers")
    assert "4 of 23 rows cannot be used" in caplog.text
    assert "no stars: 1 (line 3)" in caplog.text
    assert "no number in stars: 1 (line 4)" in caplog.text
    assert "empty review: 2 (lines 23, 24)" in caplog.text


def test_a_few_mistakes_among_numbers_do_not_make_them_classes(caplog: pytest.LogCaptureFixture) -> None:
    write("reviews.csv", [*range(60), "n/a"])
    with caplog.at_level(logging.WARNING, "litmus"):
        assert isinstance(data().spec.target, Values)
    assert "no number in stars: 1 (line 62)" in caplog.text


def test_labels_that_are_neither_classes_nor_numbers() -> None:
    write("reviews.csv", [f"name {i}" for i in range(60)])
    with pytest.raises(UserError, match="60 distinct values in 60 rows, such as 'name 0': neither classes"):
        data()


def test_whole_numbers_that_arrive_as_floats_stay_apart() -> None:
    polars = pytest.importorskip("polars")
    labels = [1000001.0, 1000002.0] * 20
    polars.DataFrame({"review": [f"t{i}" for i in range(40)], "stars": labels}).write_parquet("reviews.parquet")
    assert data(path="reviews.parquet", kind="classes").spec.target == Classes(("1000001", "1000002"))


def test_rows_without_a_group_are_not_one_group(caplog: pytest.LogCaptureFixture) -> None:
    write("reviews.csv", ["good", "bad"] * 50, groups=["", *["u"] * 2, *[""] * 97])
    with caplog.at_level(logging.WARNING, "litmus"):
        parts = data(group="user").splits
    assert {name: len(samples) for name, samples in parts.items()} == pytest.approx(
        {"train": 60, "val": 20, "test": 20}, abs=2
    )
    assert "98 rows have no user" in caplog.text


def test_one_class_only_and_nothing_left() -> None:
    write("reviews.csv", ["good"] * 50)
    with pytest.raises(UserError, match=r"data.label=stars has only one class \(good\)"):
        data()
    write("reviews.csv", ["good", "bad"])
    with pytest.raises(UserError, match="too few rows, or too few groups"):
        data()
    write("reviews.csv", [7.5] * 50)
    with pytest.raises(UserError, match="same stars"):
        data()


def test_shares_that_leave_nothing() -> None:
    write("reviews.csv", ["good", "bad"] * 20)
    with pytest.raises(UserError, match="leave nothing to train on"):
        data(val_share=0.5, test_share=0.5)


@pytest.mark.parametrize("suffix", [".json", ".xlsx"])
def test_arrays_of_json_and_workbooks(suffix: str) -> None:
    rows = [{"review": f"text {i}", "stars": i % 3, "user": i} for i in range(60)]
    if suffix == ".json":
        Path("reviews.json").write_text(json.dumps(rows))
    else:
        pl.DataFrame(rows).write_excel("reviews.xlsx")
    settings = {**SETTINGS, "path": f"reviews{suffix}"}
    preflight.text_table(settings)
    assert data(path=f"reviews{suffix}").spec.target == Classes(("0", "1", "2"))
    with pytest.raises(UserError, match=r"has no column mark|has no column mark\."):
        data(path=f"reviews{suffix}", label="mark")


def test_decimal_commas_are_numbers() -> None:
    rows = [f"text {i};{i % 2 + 1},5;{i}" for i in range(60)]
    Path("reviews.csv").write_text("\n".join(["review;stars;user", *rows]) + "\n")
    assert data().spec.target.mean == (2.0,)
