"""`litmus predict RUN FILE`: answers for the rows of a file beside its own columns."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from drawn import WAYS
from helpers import ON_HOUSES, ROOT

import litmus as package
from litmus.cli.main import main
from litmus.data.columns import stream
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
EARLIER = ROOT / "tests" / "earlier"
TABLE, TEXTS, IMAGES = (str(EARLIER / name) for name in ("linear-table", "lstm-text_table", "cnn-mnist"))
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=9", "callback.dashboard.graph=false", "task.baselines=false"]
ODD = """id;area;rooms;sold;garden;district;remark
007;80,5;3;2024-05-01;yes;north;"a ""quoted"" one; and
a second line"
008;NA;3;2024-05-02;no;east;ä – 漢字
009;;many;2024-05-03;yes;;=1+1
"""


def rows_of(path: str, separator: str = ",") -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=separator))


def refused(*words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["predict", *words])
    return str(ended.value.code)


@pytest.fixture
def houses(tmp_path: Path) -> pl.DataFrame:
    shutil.copy(EARLIER / "houses.csv", tmp_path / "houses.csv")
    return pl.read_csv("houses.csv")


def test_answers_as_parquet(litmus: Litmus, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(ODD)
    said, _ = litmus("predict", TABLE, "odd.csv", "--parquet")
    assert "odd-answers.parquet: 3 rows of odd.csv with answers" in said
    litmus("predict", TABLE, "odd.csv", "--parquet", "--out", "named.parquet")
    assert pl.read_parquet("named.parquet").equals(pl.read_parquet("odd-answers.parquet"))


def test_every_column_is_kept_and_answers_are_appended(litmus: Litmus, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(ODD)
    said, notes = litmus("predict", TABLE, "odd.csv", "--out", "new/answers.csv")
    assert "new/answers.csv: 3 rows of odd.csv with answers" in said
    before, after = rows_of("odd.csv", ";"), rows_of("new/answers.csv", ";")
    assert [{name: row[name] for name in before[0]} for row in after] == before
    assert list(after[0]) == [*before[0], "prediction", "note"]
    assert [row["note"] for row in after] == ["", "district: 'east' is unknown", "rooms: 'many' is no number"]
    assert "row 2: district: 'east' is unknown" in notes
    houses = [{**row, "area": row["area"].replace(",", ".")} for row in before]
    expected = [prediction["values"]["price"] for prediction in package.load(TABLE).predict(houses)]
    assert [float(row["prediction"]) for row in after] == pytest.approx(expected, rel=1e-6)


def test_a_blank_line_of_a_single_column_is_an_empty_text(litmus: Litmus, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("remark\na bright house\n\nan old one\n")
    litmus("predict", TEXTS, "texts.csv", "--column", "remark", "--out", "answers.csv")
    assert [row["remark"] for row in rows_of("answers.csv")] == ["a bright house", "", "an old one"]


@pytest.mark.usefixtures("houses")
def test_files_of_any_encoding_whatever_that_of_the_run(train: Train, litmus: Litmus, tmp_path: Path) -> None:
    run = str(train("model=linear", *ON_HOUSES, "data.target=price", "data.encoding=cp1252", *FEW, small=[]).path)
    (tmp_path / "odd.csv").write_text(ODD, encoding="utf-8")
    (tmp_path / "old.csv").write_text(ODD.replace(" – 漢字", ""), encoding="cp1252")
    litmus("predict", run, "odd.csv", "--out", "expected.csv")
    assert "--encoding cp1252 reads most files that are not UTF-8" in refused(TABLE, "old.csv")
    litmus("predict", TABLE, "old.csv", "--encoding", "cp1252", "--out", "given.csv")
    litmus("predict", run, "old.csv", "--out", "answers.csv")
    expected, found, given = (rows_of(name, ";") for name in ("expected.csv", "answers.csv", "given.csv"))
    assert [row["prediction"] for row in found] == [row["prediction"] for row in expected]
    assert [row["remark"][:1] for row in expected] == [row["remark"][:1] for row in found] == ["a", "ä", "="]
    assert given[1]["remark"] == "ä"


@pytest.mark.wide
def test_every_format_gives_the_same_answers(litmus: Litmus, houses: pl.DataFrame, tmp_path: Path) -> None:
    houses.write_csv("a.tsv", separator="\t")
    houses.write_ndjson("a.jsonl")
    (tmp_path / "a.json").write_text(json.dumps(houses.to_dicts()))
    houses.write_parquet("a.parquet")
    for name in ("houses.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet"):
        litmus("predict", TABLE, name, "--out", f"{name}.parquet")
    first = pl.read_parquet("houses.csv.parquet")
    assert first["prediction"].dtype == pl.Float32
    for name in ("a.tsv", "a.jsonl", "a.json", "a.parquet"):
        assert pl.read_parquet(f"{name}.parquet")["prediction"].equals(first["prediction"]), name
    assert pl.read_parquet("a.parquet.parquet").select(houses.columns).equals(houses), "types stay"
    for name in ("answers.csv", "answers.tsv", "answers.jsonl"):
        litmus("predict", TABLE, "a.parquet", "--out", name)
    answers = pl.read_csv("answers.csv")
    assert answers.select(houses.columns).equals(houses)
    assert answers["prediction"].cast(pl.Float32).equals(first["prediction"])
    assert pl.read_csv("answers.tsv", separator="\t").equals(answers)
    assert pl.read_ndjson("answers.jsonl")["prediction"].cast(pl.Float32).equals(first["prediction"])


def test_an_excel_workbook(litmus: Litmus, houses: pl.DataFrame) -> None:
    pytest.importorskip("fastexcel")
    pytest.importorskip("xlsxwriter")
    houses.write_excel("a.xlsx")
    litmus("predict", TABLE, "houses.csv", "--out", "a.csv")
    litmus("predict", TABLE, "a.xlsx", "--out", "b.csv")
    assert [row["prediction"] for row in rows_of("a.csv")] == [row["prediction"] for row in rows_of("b.csv")]


@pytest.mark.wide
@pytest.mark.parametrize("name", ["houses.csv", "a.parquet", "a.jsonl", "a.json"])
def test_some_rows_at_a_time_are_all_of_them(
    name: str, litmus: Litmus, houses: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    houses.write_parquet("a.parquet")
    houses.write_ndjson("a.jsonl")
    (tmp_path / "a.json").write_text(json.dumps(houses.to_dicts()))
    litmus("predict", TABLE, name, "--out", "whole.csv")
    monkeypatch.setattr(stream, "MOST_ROWS", 7)
    sizes = [chunk.height for chunk, _ in stream.open_table(Path(name), (), encoding="auto", separator="auto").chunks]
    assert sizes == [7] * 14 + [2]
    litmus("predict", TABLE, name, "--out", "parts.csv", "--batch-size", "3")
    whole, parts = pl.read_csv("whole.csv"), pl.read_csv("parts.csv")
    assert parts.drop("prediction").equals(whole.drop("prediction"))
    assert parts["prediction"].to_list() == pytest.approx(whole["prediction"].to_list(), rel=1e-5)


@pytest.mark.usefixtures("houses")
def test_without_out_the_first_rows_are_shown(litmus: Litmus, terminal: io.StringIO) -> None:
    litmus("predict", TABLE, "houses.csv")
    shown = terminal.getvalue()
    assert "prediction" in shown
    assert shown.count("2024-") == 10
    assert "the first 10 of 100 rows; --out answers.csv writes the answers for all" in shown


@pytest.mark.usefixtures("houses")
def test_a_bar_in_a_terminal(litmus: Litmus, terminal: io.StringIO) -> None:
    litmus("predict", TABLE, "houses.csv", "--out", "answers.csv")
    assert "predicting" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


def test_answers_for_answers_of_numbers_with_decimal_commas(litmus: Litmus) -> None:
    """80,500 is eighty and a half where semicolons separate, and else eighty thousand five hundred."""
    Path("de.csv").write_text(ODD.replace("80,5", "80,500"), encoding="utf-8")
    litmus("predict", TABLE, "de.csv", "--out", "a.csv")
    litmus("predict", TABLE, "a.csv", "--out", "b.csv")
    once, twice = (rows_of(name, ";") for name in ("a.csv", "b.csv"))
    assert [row["area"] for row in twice] == ["80,500", "NA", ""]
    assert [row["litmus_prediction"] for row in twice] == [row["prediction"] for row in once]


@pytest.mark.usefixtures("houses")
def test_answers_for_answers(litmus: Litmus) -> None:
    litmus("predict", TABLE, "houses.csv", "--out", "a.csv")
    litmus("predict", TABLE, "a.csv", "--out", "b.csv")
    assert list(rows_of("b.csv")[0])[-4:] == ["prediction", "note", "litmus_prediction", "litmus_note"]
    assert "answers would have: litmus_prediction, litmus_note" in refused(TABLE, "b.csv", "--out", "c.csv")


@pytest.mark.parametrize("form", ["{0},5;{1},50;{2}", "{0};{1};{2}"], ids=["decimal commas", "whole numbers"])
def test_points_stand_between_thousands_as_in_the_file_of_the_training(form: str, train: Train, litmus: Litmus) -> None:
    rows = (form.format(i, f"{37 * i + 100:,}".replace(",", "."), i % 7) for i in range(100))
    Path("a.csv").write_text("\n".join(["size;people;y", *rows]))
    settings = ["data=table", "task=regression", "data.path=a.csv", "data.target=y"]
    run = train("model=linear", *settings, *FEW, "data.kind=numbers", small=[])
    Path("b.csv").write_text("size;people\n1,5;1.500\n1,5;1500\n1,5;1.5\n")
    litmus("predict", str(run.path), "b.csv", "--out", "c.csv")
    point, plain, decimal = (row["prediction"] for row in rows_of("c.csv", ";"))
    assert point == plain != decimal
    assert "people" in run.read_config()["data"]["thousands"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{head}\n{row}\n1,2\n", "line 3 has 2 cells, but the header 5"),
        ('{head}\n{row}\n1,2,3,4,"5', "line 3 cannot be read"),
        ("{head}\n{row}\n1,2,3,4,\xff\n", "cannot be decoded"),
        ("{head}\n", "has no rows"),
        ("", "is empty"),
    ],
)
def test_a_table_that_cannot_be_read_to_its_end_leaves_nothing(content: str, said: str, tmp_path: Path) -> None:
    names = {"head": "area,rooms,sold,garden,district", "row": "80,3,2024-05-01,yes,north"}
    (tmp_path / "a.csv").write_bytes(content.format(**names).encode("latin-1"))
    assert said in refused(TABLE, "a.csv", "--out", "answers.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.usefixtures("tables")
def test_several_values_and_the_best_classes(train: Train, litmus: Litmus) -> None:
    both = train("model=fnn", *FEW, "data.target=[price,area]", small=ON_HOUSES, folder="both")
    litmus("predict", str(both.path), "houses.csv", "--out", "a.csv")
    assert list(rows_of("a.csv")[0])[-3:] == ["prediction_price", "prediction_area", "note"]
    run = train("model=fnn", *FEW, small=ON_HOUSES)
    litmus("predict", str(run.path), "houses.csv", "--out", "b.csv", "--topk", "2")
    rows = rows_of("b.csv")
    assert list(rows[0])[-5:] == ["prediction", "probability", "prediction_2", "probability_2", "note"]
    predictions = package.load(run.path).predict(pl.read_csv("houses.csv"), topk=2)
    for row, prediction in zip(rows, predictions, strict=True):
        assert {row["prediction"]: float(row["probability"]), row["prediction_2"]: float(row["probability_2"])} == (
            pytest.approx(prediction["probabilities"])
        )


def test_texts_by_column(litmus: Litmus, tmp_path: Path) -> None:
    """The column of the run's own table is known, and another can be named."""
    (tmp_path / "a.csv").write_text('who,review\nann,"a superb, lovely film"\nbob,\ncy,dire\n')
    litmus("predict", TEXTS, "a.csv", "--out", "b.csv")
    rows = rows_of("b.csv")
    found = package.load(TEXTS).predict(["a superb, lovely film", "", "dire"], topk=1)
    assert [row["prediction"] for row in rows] == [prediction.get("label", "") for prediction in found]
    assert rows[1]["note"] == "empty: no prediction"
    (tmp_path / "c.csv").write_text("name,text\nann,dire\n")
    assert "has no column review, as the run's own table. Name the column of the texts" in refused(TEXTS, "c.csv")
    litmus("predict", TEXTS, "c.csv", "--column", "text", "--out", "d.csv")
    assert rows_of("d.csv")[0]["prediction"] == found[2]["label"]
    (tmp_path / "e.csv").write_text("only\n\ndire\n")
    assert "dire" in litmus("predict", TEXTS, "e.csv")[0]
    (tmp_path / "f.csv").write_text("review\n \n")
    litmus("predict", TEXTS, "f.csv", "--out", "g.csv", status=1)


def test_images_whose_paths_are_in_a_column(litmus: Litmus, tmp_path: Path) -> None:
    (tmp_path / "lists" / "drawn").mkdir(parents=True)
    WAYS["black on white"](3, 0, 0).save(tmp_path / "lists" / "drawn" / "3.png")
    (tmp_path / "lists" / "list.csv").write_text("path,n\ndrawn/3.png,1\ndrawn/none.png,2\n,3\n")
    _, said = litmus("predict", IMAGES, "lists/list.csv", "--column", "path", "--out", "a.csv", status=1)
    good, absent, empty = rows_of("a.csv")
    found = package.load(IMAGES).predict("lists/drawn/3.png")
    assert good["prediction"] == found["label"]
    assert good["note"] == found.get("note", "")
    assert (good["error"], empty["error"]) == ("", "has no path")
    assert absent["error"] == "cannot be read (No such file or directory)"
    assert "row 2: cannot be read (No such file or directory)" in said
    boxes = str(EARLIER / "yolo-mnist_boxes")
    litmus("predict", boxes, "lists/list.csv", "--column", "path", "--out", "b.csv", "--min-score", "0.001", status=1)
    assert (
        json.loads(rows_of("b.csv")[0]["boxes"])
        == package.load(boxes).predict("lists/drawn/3.png", min_score=1e-3)["boxes"]
    )


def test_a_file_s_name_is_no_text(tmp_path: Path, litmus: Litmus) -> None:
    for name in ("reviews.csv", "reviews.txt", "cat.jpg"):
        assert f"There is no file {name}." in refused(TEXTS, name)
        (tmp_path / name).write_text("review\nx\n")
    assert "--file reviews.txt reads one from each of its lines" in refused(TEXTS, "reviews.txt")
    assert refused(TEXTS, "cat.jpg").endswith("cat.jpg is a file. This network takes texts.")
    assert "none of its words" in litmus("predict", TEXTS, "I lost my reviews.csv", "Hm...", "a/b")[0]
    (tmp_path / "my houses.csv").write_text("area,rooms,sold,garden,district\n80,3,2024-05-01,yes,north\n")
    assert "prediction" in litmus("predict", TABLE, "my houses.csv")[0]
    assert "--column supports only tables of texts" in refused(TABLE, "my houses.csv", "--column", "area")
