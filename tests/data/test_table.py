from pathlib import Path

import pytest

from litmus.data._table import Table, read
from litmus.errors import UserError


def table(tmp_path: Path, content: bytes | str, name: str = "reviews.csv", **changes: str) -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(path, ["review", "stars"], **{"encoding": "auto", "separator": "auto", **changes})


def cells(found: Table) -> list[tuple[int, str, str]]:
    return [(line, row["review"], row["stars"]) for line, row in found.rows]


def test_quotes_commas_and_line_breaks_in_cells(tmp_path: Path) -> None:
    found = table(tmp_path, 'stars,review\n5,"good, ""very"" good"\n1,"two\nlines"\n3,plain\n')
    assert cells(found) == [(2, 'good, "very" good', "5"), (3, "two\nlines", "1"), (5, "plain", "3")]
    assert not found.problems


@pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path, bom: bytes, end: str) -> None:
    found = table(tmp_path, bom + f"review,stars{end}caf\u00e9,4{end}".encode())
    assert cells(found) == [(2, "caf\u00e9", "4")]


def test_utf_16_by_its_mark(tmp_path: Path) -> None:
    assert cells(table(tmp_path, "review,stars\ncaf\u00e9,4\n".encode("utf-16"))) == [(2, "caf\u00e9", "4")]


@pytest.mark.parametrize(("separator", "name"), [(";", "a.csv"), ("\t", "a.csv"), ("\t", "a.tsv"), ("|", "a.csv")])
def test_another_separator_is_found(tmp_path: Path, separator: str, name: str) -> None:
    content = f"review{separator}stars\ngood, really{separator}5\n"
    assert cells(table(tmp_path, content, name)) == [(2, "good, really", "5")]


def test_nuls_and_a_cell_of_a_megabyte(tmp_path: Path) -> None:
    found = table(tmp_path, f"review,stars\na\0b,1\n{'x' * 1_000_000},2\n")
    assert [len(review) for _, review, _ in cells(found)] == [3, 1_000_000]


def test_broken_rows_are_counted_with_their_lines(tmp_path: Path) -> None:
    found = table(tmp_path, b'review,stars\ngood,5\n"bad"x,1\none,2,3\n\xff\xfe,4\nlonely\nfine,3\n')
    assert cells(found) == [(2, "good", "5"), (7, "fine", "3")]
    assert {wrong.partition(" (")[0]: lines for wrong, lines in found.problems.items()} == {
        "broken quoting": [3],
        "more cells than columns": [4],
        "bytes that are not utf-8": [5],
        "fewer cells than columns": [6],
    }
    with pytest.raises(UserError, match=r"4 of 6 rows cannot be used.*line 3.*more than half"):
        found.warn_of_problems()


def test_lines_that_a_broken_quote_swallowed_are_counted(tmp_path: Path) -> None:
    rows = [f"fine {i},{i % 2}\n" for i in range(100)]
    rows[10], rows[29] = '"broken,1\n', '"fine text",0\n'
    found = table(tmp_path, "review,stars\n" + "".join(rows))
    (lost,) = found.problems.values()
    assert lost == list(range(12, 32))
    assert len(found.rows) + len(lost) == 100


def test_half_an_emoji_and_cells_that_are_no_text(tmp_path: Path) -> None:
    lines = ['{"review": "\\ud83d", "stars": 1}', '{"review": "ok", "stars": [1]}', '{"review": {"a": 1}, "stars": 1}']
    found = table(tmp_path, "\n".join([*lines, '{"review": "fine", "stars": 2}']), "reviews.jsonl")
    assert cells(found) == [(4, "fine", 2)]
    assert sorted(found.problems.values()) == [[1], [2], [3]]


def test_a_quote_that_is_never_closed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reviews.csv, line 3: a quote is opened and never closed"):
        table(tmp_path, 'review,stars\ngood,5\n"bad,1\nfine,3\n')


def test_a_header_that_is_not_utf_8_is_said_to_be_so(tmp_path: Path) -> None:
    content = "review,gef\u00fchl\ngood,4\n".encode("cp1252")
    with pytest.raises(UserError, match="The header of .* data.encoding=cp1252 reads most old files"):
        table(tmp_path, content)


def test_old_files_are_read_with_their_encoding(tmp_path: Path) -> None:
    content = "review,stars\ncaf\u00e9,4\n".encode("cp1252")
    assert cells(table(tmp_path, content, encoding="cp1252")) == [(2, "caf\u00e9", "4")]
    with pytest.raises(UserError, match="data.encoding=klingon is unknown"):
        table(tmp_path, content, encoding="klingon")


def test_a_missing_column_is_named_with_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no column review. Did you mean reviews\? It has: reviews, stars."):
        table(tmp_path, "reviews,stars\na,1\n")
    with pytest.raises(UserError, match="more than one column named review"):
        table(tmp_path, "review,stars,review\na,1,b\n")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match="is empty"):
        table(tmp_path, content)


def test_a_header_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no rows"):
        table(tmp_path, "review,stars\n").warn_of_problems()


def test_json_lines(tmp_path: Path) -> None:
    content = (
        '{"review": "good", "stars": 5, "x": 1}\n\nnot json\n[1]\n{"review": "bad"}\n{"review": "so", "stars": 2.5}\n'
    )
    found = table(tmp_path, content, "reviews.jsonl")
    assert cells(found) == [(1, "good", 5), (5, "bad", None), (6, "so", 2.5)]
    assert found.problems == {"not a JSON object": [3, 4]}


def test_parquet(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    path = tmp_path / "reviews.parquet"
    polars.DataFrame({"review": ["good", None], "stars": [5, 1], "x": [0, 0]}).write_parquet(path)
    found = read(path, ["review", "stars"], encoding="auto", separator="auto")
    assert cells(found) == [(1, "good", 5), (2, None, 1)]
    path.write_bytes(b"nonsense")
    with pytest.raises(UserError, match="is not a Parquet file"):
        read(path, ["review"], encoding="auto", separator="auto")


def test_no_such_file_a_folder_and_a_near_name(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("a")
    with pytest.raises(UserError, match=r"There is no file .*review.csv. Did you mean reviews.csv\?"):
        read(tmp_path / "review.csv", [], encoding="auto", separator="auto")
    with pytest.raises(UserError, match="is a folder"):
        read(tmp_path, [], encoding="auto", separator="auto")
