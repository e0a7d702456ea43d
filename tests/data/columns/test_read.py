"""Tables as people write them, read as columns."""

import json
from pathlib import Path

import polars as pl
import pytest
from xlsxwriter import Workbook

from litmus.data import _table
from litmus.data.columns.encode import as_numbers
from litmus.data.columns.read import read_table
from litmus.data.columns.stream import open_table
from litmus.errors import UserError

AUTO = {"encoding": "auto", "separator": "auto"}


def read(name: str, content: str | bytes | None = None, **changes: str) -> pl.DataFrame:
    if content is not None:
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(Path(name), (), **(AUTO | changes)).frame


def test_an_ugly_file_of_a_spreadsheet() -> None:
    """A byte order mark, semicolons, decimal commas, an empty line, names that are missing or come twice."""
    text = '\ufeffsize; name ;size;;day\r\n1,5; a;x;9;2024-01-02\r\n\r\n3;;y;;\r\n,5;n/a;"q;r";;\r\n'
    frame = read("a.csv", text)
    assert frame.columns == ["size", "name", "size_2", "column_4", "day"]
    assert frame.rows() == [
        (1.5, "a", "x", 9.0, "2024-01-02"),
        (3.0, None, "y", None, None),
        (0.5, None, "q;r", None, None),
    ]


def test_commas_where_commas_separate_cells_stand_between_thousands(caplog: pytest.LogCaptureFixture) -> None:
    frame = read("a.csv", 'a,b\n"1,234",2\n"-5,678",3\n999,4\n"12,345,678",5\n')
    assert frame["a"].to_list() == [1234.0, -5678.0, 999.0, 12345678.0]
    assert frame["b"].to_list() == [2.0, 3.0, 4.0, 5.0]
    assert not caplog.text
    assert read("b.csv", 'a,b\n"1,234",2\n"5,6",3\n')["a"].to_list() == [1234.0, 5.6]
    assert "Column a has numbers such as 1,234, whose comma is read as one between thousands" in caplog.text


def test_lines_that_lack_cells_are_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    lines = ["a,b,c", *["1,2,3"] * 8, "4,5,", "", "6,7", '8,"x\ny",', "9,10,11"]
    frame = read("a.csv", "\n".join(lines) + "\n")
    assert frame["a"].to_list() == [1.0] * 8 + [4.0, 8.0, 9.0]
    assert "fewer cells than columns: 1 (line 12)" in caplog.text


def test_quoted_numbers_and_infinities() -> None:
    frame = read("a.csv", 'a,b\n"1","inf"\n" 2 ",4\n+3e1,nan\n')
    assert frame["a"].to_list() == [1.0, 2.0, 30.0]
    assert frame["b"].null_count() == 2


def test_one_column_one_row_and_none() -> None:
    assert read("a.csv", "a\n1\n").rows() == [(1.0,)]
    for content, said in (("a,b\n", "has no rows"), ("", "is empty"), ("\n\n", "is empty")):
        with pytest.raises(UserError, match=said):
            read("b.csv", content)


def test_lines_that_are_wrong_are_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    frame = read("a.csv", "a,b\n1,2\n1,2,3\n4,5\n6,7\n")
    assert frame.rows() == [(1.0, 2.0), (4.0, 5.0), (6.0, 7.0)]
    assert "more cells than columns: 1 (line 3)" in caplog.text
    frame = read("b.csv", b"a,b\nx,2\n\xff,3\ny,4\n")
    assert frame["a"].to_list() == ["x", "y"]
    assert "cp1252 reads most old files" in caplog.text


@pytest.mark.parametrize("columns", ["a;b;c\n1,5;2;x\n2,5;3;y\n", "a;b\n1,5;2\n2,5;3\n", "\na;b\n1,5;2\n2,5;3\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_excel_s_line_that_states_the_separator(columns: str, mark: str) -> None:
    Path("plain.csv").write_text(columns)
    Path("stated.csv").write_text(f"{mark}sep=;\n{columns}")
    plain, stated = (read_table(Path(f"{name}.csv"), (), **AUTO).frame for name in ("plain", "stated"))
    assert stated.columns[:2] == ["a", "b"]
    assert stated.equals(plain)
    table = _table.read(Path("stated.csv"), ["b"], **AUTO)
    assert [cells for _, cells in table.rows] == [{"b": "2"}, {"b": "3"}]
    streamed = open_table(Path("stated.csv"), (), **AUTO)
    assert streamed.columns == stated.columns


def test_other_encodings() -> None:
    text = "größe,name\n1,ä\n2,ö\n"
    expected = [(1.0, "ä"), (2.0, "ö")]
    assert read("a.csv", text.encode("utf-16")).rows() == expected
    assert read("b.csv", text.encode("cp1252"), encoding="cp1252").rows() == expected


def test_json_as_an_array_and_as_lines() -> None:
    rows = [{"a": 1, "b": "x"}, {"a": "2.5", "b": None}, {"a": 3, "b": "y", "c": True}]
    expected = [(1.0, "x", None), (2.5, None, None), (3.0, "y", True)]
    assert read("a.json", json.dumps(rows)).rows() == expected
    assert read("b.jsonl", "\n".join(map(json.dumps, rows))).rows() == expected
    assert read("c.json", "\n".join(map(json.dumps, rows))).rows() == expected
    for content in ("[1, 2]", '[{"a": 1}', "[" * 100_000):
        with pytest.raises(UserError, match=r"should hold objects|is no JSON"):
            read("d.json", content)


FRAME = pl.DataFrame(
    {
        "whole": [1, 2, None],
        "real": [0.5, float("nan"), float("inf")],
        "text": ["a", "NA", " b "],
        "truth": [True, None, False],
        "day": pl.Series(["2024-01-01", "2024-01-02", None]).str.to_date(),
    }
)


@pytest.mark.parametrize("suffix", [".parquet", ".xlsx"])
def test_files_that_know_their_kinds(suffix: str) -> None:
    path = Path(f"a{suffix}")
    if suffix == ".xlsx":
        FRAME.with_columns(real=pl.Series([0.5, None, None])).write_excel(path)
    else:
        FRAME.write_parquet(path)
    frame = read(str(path))
    assert frame.dtypes == [pl.Float64, pl.Float64, pl.String, pl.Boolean, pl.Datetime("us")]
    assert frame["real"].to_list() == [0.5, None, None]
    assert frame["text"].to_list() == ["a", None, "b"]


def test_parquet_s_lists_and_time_zones() -> None:
    zoned = pl.Series(["2024-01-01T00:00"]).str.to_datetime().dt.replace_time_zone("Asia/Tokyo")
    pl.DataFrame({"list": [[1, 2]], "zoned": zoned, "kind": pl.Series(["a"], dtype=pl.Categorical)}).write_parquet(
        "a.parquet"
    )
    frame = read("a.parquet")
    assert frame["list"].dtype == frame["kind"].dtype == pl.String
    assert str(frame["zoned"].item()) == "2023-12-31 15:00:00"


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_what_is_damaged_is_a_sentence(suffix: str) -> None:
    with pytest.raises(UserError, match=r"cannot be read as an Excel workbook|is not a Parquet file"):
        read(f"a{suffix}", b"PK\x03\x04" + bytes(99))


def test_excel_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litmus.data._table.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"requires the package fastexcel: pip install 'litmus\[table\]'"):
        read("a.xlsx", b"PK")


def test_other_sheets_of_a_workbook_are_named(caplog: pytest.LogCaptureFixture) -> None:
    with Workbook("a.xlsx") as book:
        pl.DataFrame({"a": [1]}).write_excel(book, worksheet="notes")
        pl.DataFrame({"b": [1]}).write_excel(book, worksheet="data")
    assert read("a.xlsx").columns == ["a"]
    assert "a.xlsx: only its first sheet, notes, is read, not data." in caplog.text


NUMBERS = ["1,5", "-2,25", ",5", "1.234,56", "1.234.567", "12", "0,125"] * 10
READ = [1.5, -2.25, 0.5, 1234.56, 1234567.0, 12.0, 0.125] * 10


@pytest.mark.parametrize("delimiter", [";", ","])
@pytest.mark.parametrize("wrong", [b"", b'1;2;"ragged";x\n1,2,"ragged",x\n', b"\xff;\xff\n\xff,\xff\n"])
@pytest.mark.parametrize("junk", [[], ["k.A."]])
def test_decimal_commas_whatever_else_is_wrong(delimiter: str, wrong: bytes, junk: list[str]) -> None:
    lines = ["a,a".replace(",", delimiter), *(f'"{cell}"{delimiter}x' for cell in [*NUMBERS, *junk])]
    frame = read("a.csv", ("\n".join(lines) + "\n").encode() + wrong)
    assert frame.columns == ["a", "a_2"]
    assert as_numbers(frame["a"])[: len(READ)].tolist() == READ
    assert (frame["a"].dtype == pl.Float64) == (not junk)


def test_a_comma_that_may_be_either_is_a_decimal_one_where_no_comma_separates_cells() -> None:
    assert read("a.csv", "a;b\n1,234;x\n5,678;y\n")["a"].to_list() == [1.234, 5.678]
    assert read("b.csv", 'a,b\n"1,234,567",x\n"1,234.5",y\n')["a"].to_list() == [1234567.0, 1234.5]


@pytest.mark.parametrize("cell", [*NUMBERS[:7], "1,234", "1,234,567", "1,234.5", "1.234", "x,y", "1,2,3", "k.A."])
def test_cells_and_columns_are_read_alike(cell: str) -> None:
    (number,) = as_numbers(pl.Series([cell])).tolist()
    assert _table.number(cell) == (None if number != number else number)


def test_a_decimal_point_among_decimal_commas_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert read("a.csv", "a;b\n1.234;x\n5,6;y\n0.25;z\n")["a"].to_list() == [1.234, 5.6, 0.25]
    assert "Column a has numbers such as 5,6, and such as 1.234, whose point is read as a decimal one." in caplog.text
    assert "data.thousands=[a] makes it 1234." in caplog.text


def test_three_digits_after_a_decimal_comma_are_no_thousands(caplog: pytest.LogCaptureFixture) -> None:
    assert read("kg.csv", "kg;y\n7,440;80,810\n1,250;79,120\n")["kg"].to_list() == [7.44, 1.25]
    assert caplog.text == "", "there is no point in the file"


def points(text: str, **settings: list[str] | None) -> tuple[list[object], set[str]]:
    """The first column, and the names of those in which points stand between thousands."""
    Path("a.csv").write_text(text)
    frame, thousands = read_table(Path("a.csv"), (), **AUTO, **settings)
    return frame.to_series().to_list(), set(thousands)


def test_points_stand_between_thousands_where_the_file_has_decimal_commas(caplog: pytest.LogCaptureFixture) -> None:
    rows = [f"{i},5;{i + 1}.{100 + i};{i}.25;{i};{i}.100;{i}.234,5;{i}.700" for i in range(1, 9)]
    text = "\n".join(["price;sales;share;count;code;sum;people", *rows])
    Path("a.csv").write_text(text)
    frame, thousands = read_table(Path("a.csv"), (), **AUTO, codes=["code"])
    assert frame.row(0) == (1.5, 2101.0, 1.25, 1.0, 1.1, 1234.5, 1700.0)
    assert thousands == {"price", "sales", "count", "sum", "people"}, "a file is of one place"
    assert "numbers such as 1,5: 2.101 in column sales is read as 2101, and so are the points in people" in caplog.text
    assert len(caplog.records) == 1
    assert read("b.csv", text.replace(",", "."))["sales"].to_list()[0] == 2.101, "without decimal commas"


@pytest.mark.parametrize(
    ("text", "expected", "thousands", "said"),
    [
        ("a;b\n608;1,5\n 4.937 ;2,5\n-1.000;3,5\n", [608, 4937, -1000], "ab", "4.937 in column a is read as 4937"),
        ("a;b\n1.980.375;5\n695.102;6\n", [1980375, 695102], "ab", ""),
        ("a;b\n695.102;1.980.375\n12;6\n", [695102, 12], "ab", "695.102 in column a is read as 695102"),
        ("a;b\n4.003;x\n540;y\n", [4003, 540], "a", "numbers such as 540: 4.003 in column a is read as 4003"),
        ("a;b\n4.003;x\n540;y\n1200;z\n", [4.003, 540, 1200], "", "data.thousands=[a] makes it 4003"),
        ("a;b\n4.003;0.5\n540;1.5\n", [4.003, 540], "", "data.thousands=[a] makes it 4003"),
        ("a;b\n4.003;0.512\n12;1.507\n", [4.003, 12], "", ""),
        ("a;b\n4.003;x\n0.125;y\n540;z\n", [4.003, 0.125, 540], "", ""),
        ("a;b\n4.003;x\n00.125;y\n540;z\n", [4.003, 0.125, 540], "", ""),
        ("a;b\n4.003;x\n1.5e3;y\n540;z\n", [4.003, 1500, 540], "", ""),
        ("a;b\n4.003;x\n.;y\n540;z\n", [4003, None, 540], "a", "4.003 in column a is read as 4003"),
        ("a;b\n1.980.375;5\n0.5;6\n4.003;7\n", [1980375, 0.5, 4.003], "", "data.thousands=[a] makes it 4003"),
        ("a,b\n4.003,x\n540,y\n", [4.003, 540], "", ""),
    ],
)
def test_a_point_before_three_digits_is_what_the_file_shows(
    text: str, expected: list[float], thousands: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert points(text) == (expected, set(thousands))
    assert said in caplog.text
    assert len(caplog.records) == bool(said)


def test_columns_that_are_named_have_points_between_thousands(caplog: pytest.LogCaptureFixture) -> None:
    assert points("a;b\n4.003;4.003\n540;0.5\n", thousands=["a"]) == ([4003, 540], {"a"})
    assert points("a;b\n4.003;5,5\n540;6,5\n", thousands=[]) == ([4.003, 540], set())
    assert not caplog.text
