"""Several labels in a cell, and labels of images and texts that are numbers; what is asked about."""

import json
from pathlib import Path

import polars as pl
import pytest
import torch
from helpers import ON_HOUSES, ON_LISTED, ON_TABLE, composed
from PIL import Image

from litmus.config.instantiate import build
from litmus.config.preflight import preflight
from litmus.config.protocols import SPLITS, Data
from litmus.data._labels import make_labels, multi_hot, rarest, split_cell
from litmus.data._targets import is_numeric
from litmus.errors import UserError
from litmus.spec import Labels, Values

SEPARATED = "data.target_separator=|"
# Every dataset that reads labels from a table: its overrides, the key of its labels, and how its rows begin.
READERS = {
    "table": ([*ON_HOUSES, "data.path=made.csv"], "data.target", "x", lambda i: f"{i % 7}.5"),
    "text_table": ([*ON_TABLE, "data.path=made.csv"], "data.label", "review", lambda i: f"text {i}"),
    "image_folder": ([*ON_LISTED, "data.path=made.csv", "data.dir=cache"], "data.label", "path", lambda i: f"{i}.png"),
}
every_reader = pytest.mark.parametrize("reader", READERS)


def read(reader: str, columns: str, cells: list[str], label: str, *overrides: str) -> Data:
    """The dataset of a table with these cells, which the others of a row precede."""
    keys, key, first, begin = READERS[reader]
    rows = [f"{begin(i)},{cell}" for i, cell in enumerate(cells)]
    Path("made.csv").write_text("\n".join([f"{first},{columns}", *rows]) + "\n")
    if reader == "image_folder":
        for i in range(len(cells)):
            Image.new("RGB", (8, 8), (i % 256, i // 256, 0)).save(f"{i}.png")
    made = build(composed(*keys, f"{key}={label}", *overrides)["data"], 0)
    made.prepare_data()
    made.setup()
    return made


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_cell_is_split_and_its_labels_are_marked() -> None:
    assert split_cell(" a | b||a ", "|") == ("a", "b")
    assert split_cell(None, "|") == split_cell("", "|") == ()
    assert split_cell(3.0, "|") == ("3",)
    samples = [("b", "a"), (), ("10",), ("9", "a")]
    labels = make_labels(samples, "data.target=tags", "|")
    assert labels == Labels(("10", "9", "a", "b"))
    assert multi_hot(samples, labels, "table").tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]
    with pytest.raises(UserError, match="labels that the network was not trained on: c"):
        multi_hot([("c",)], labels, "table")
    assert rarest([*samples, ("b",)]) == ["a", "", "10", "9", "b"]


TAGS = ["|".join(["even"] * (i % 2 == 0) + ["third"] * (i % 3 == 0) + ["rare"] * (i in (1, 30))) for i in range(60)]


@every_reader
def test_several_labels_are_read_split_and_counted(reader: str) -> None:
    data = read(reader, "tags", TAGS, "tags", SEPARATED)
    assert data.spec.target == Labels(("even", "rare", "third"))
    assert sum(data.sizes.values()) == 60, "a row without a label is a sample, too"
    counts = sum(data.targets(split).sum(dim=0) for split in data.sizes)
    assert counts.tolist() == [30, 2, 20]
    assert data.targets("train").dtype == torch.uint8
    assert data.class_counts.tolist() == data.targets("train").sum(dim=0).tolist()
    assert data.class_counts[1] > 0, "the rarest label is trained"


@every_reader
def test_several_columns_of_numbers_are_read_in_their_unit(reader: str) -> None:
    cells = [f"{i / 10},{100 + i}" for i in range(60)]
    data = read(reader, "width,height", cells, "[width,height]")
    assert isinstance(data.spec.target, Values)
    assert data.spec.target.names == ("width", "height")
    assert data.spec.target.mean == pytest.approx(data.targets("train").mean(dim=0).tolist())
    assert data.targets("train")[:, 1].sub(100).div(10).tolist() == pytest.approx(data.targets("train")[:, 0].tolist())


@every_reader
@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ([SEPARATED, "data.kind=numbers"], "for one column of labels, but data.kind=numbers"),
        (["data.target_separator=' '"], "should be a character that stands between labels"),
    ],
)
def test_what_does_not_fit_together_is_refused(reader: str, overrides: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read(reader, "tags", TAGS, "tags", *overrides)


@every_reader
def test_a_separator_that_separates_nothing_is_refused(reader: str) -> None:
    with pytest.raises(UserError, match=r"no cell has several labels with ; between them"):
        read(reader, "tags", TAGS, "tags", "data.target_separator=';'")


DATES = [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(336)]


@every_reader
@pytest.mark.parametrize("times", [1, 4])
def test_a_column_of_dates_is_asked_about(reader: str, times: int) -> None:
    """Each often enough to pass for a class."""
    with pytest.raises(UserError, match="dates, which are neither classes nor numbers.*data.kind=classes"):
        read(reader, "day", DATES[:84] * times, "day")


@every_reader
def test_numbers_among_words_are_asked_about(reader: str) -> None:
    cells = ["unknown" if i % 5 == 0 else f"{i % 40}.5" for i in range(200)]
    with pytest.raises(UserError, match=r"Is this a number\? data.kind=numbers"):
        read(reader, "price", cells, "price")


def test_numbers_of_images_may_name_classes() -> None:
    """102 kinds of flowers in a table are numbered: only who made it knows."""
    cells = [str(i % 30) for i in range(90)]
    with pytest.raises(UserError, match=r"Is this a number\? data.kind=numbers.*names of classes\? data.kind=classes"):
        read("image_folder", "kind", cells, "kind")
    assert len(read("image_folder", "kind", cells, "kind", "data.kind=classes").spec.target.names) == 30
    assert isinstance(read("image_folder", "kind", cells, "kind", "data.kind=numbers").spec.target, Values)


def test_a_folder_of_images_has_classes_alone() -> None:
    Path("photos").mkdir()
    for wrong in ("data.kind=numbers", SEPARATED):
        (said,) = preflight(composed("data=image_folder", "data.path=photos", wrong))
        assert "needs a table of images and labels" in said


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_what_is_said_is_not_asked(kind: str) -> None:
    counts = {f"2024-01-{i}": 9 for i in range(10, 31)} | {str(i): 9 for i in range(90)}
    assert is_numeric("data.label", "day", kind, counts, asks=True) is (kind == "numbers")


LISTS = [["a", "b|c"], ["b|c"], [], ["a", "d"]] * 15


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
@every_reader
def test_lists_are_the_labels_themselves(reader: str, suffix: str) -> None:
    keys, key, first, begin = READERS[reader]
    rows = [{first: begin(i), "tags": own} for i, own in enumerate(LISTS)]
    if suffix == ".parquet":
        pl.DataFrame(rows).write_parquet("made.parquet")
    else:
        lines = map(json.dumps, rows)
        Path(f"made{suffix}").write_text(json.dumps(rows) if suffix == ".json" else "\n".join(lines))
    for i in range(len(LISTS) if reader == "image_folder" else 0):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(f"{i}.png")
    asked = [*keys, f"{key}=tags", f"data.path=made{suffix}"]
    made = build(composed(*asked, SEPARATED)["data"], 0)
    made.prepare_data()
    made.setup()
    assert made.spec.target == Labels(("a", "b|c", "d"))
    assert int(sum(made.targets(split).sum() for split in SPLITS)) == sum(map(len, LISTS))
    with pytest.raises(UserError, match="tags holds lists, such as .*set data.target_separator"):
        build(composed(*asked)["data"], 0).prepare_data()
