"""Reading tables made by people: CSV, TSV, JSON and Parquet, with the line of every mistake."""

import codecs
import csv
import importlib.util
import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from litmus.config.validate import did_you_mean
from litmus.data import _parquet
from litmus.data._numbers import number
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.encoding import encoding_of, has_undecoded_bytes

log = logging.getLogger(__name__)

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
STATED_SEPARATOR = re.compile(r"\ufeff?sep=(.)", re.IGNORECASE)
BEGINNING = 100  # rows
SURE = 0.8  # how alike the names of files should be, which most often end alike, for one to stand for another
PARQUET = ".parquet"
EXCEL = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
JSON_LINES = (".jsonl", ".ndjson", ".json")
# Cells by column: text, but for JSON's and Parquet's own numbers, booleans and nulls.
Cells = dict[str, object]
Row = tuple[int, Cells]  # the line it begins on, from 1 (Parquet: the row's number), and its cells


@dataclass
class Table:
    """The usable rows, and what is wrong with the others.

    Attributes:
        path: the file.
        rows: line and requested cells of each usable row.
        problems: the lines of the other rows, by what is wrong with them.
        delimiter: of a CSV.
    """

    path: Path
    rows: list[Row] = field(default_factory=list)
    problems: dict[str, list[int]] = field(default_factory=dict)
    delimiter: str | None = None

    def drop(self, mistake: Callable[[Cells], str | None]) -> None:
        """Drops the rows in which `mistake` finds something wrong, and records what."""
        kept = []
        for line, cells in self.rows:
            if wrong := mistake(cells):
                self.problems.setdefault(wrong, []).append(line)
            else:
                kept.append((line, cells))
        self.rows = kept

    def warn_of_problems(self) -> None:
        """Warns of the rows that were dropped.

        Raises:
            UserError: more than half of the rows were dropped, or there are none.
        """
        num_dropped = sum(len(lines) for lines in self.problems.values())
        if not num_dropped and self.rows:
            return
        num_rows = num_dropped + len(self.rows)
        if not num_rows:
            raise UserError(f"{self.path} has no rows.")
        suffix = self.path.suffix.lower()
        unit = "row" if suffix == PARQUET or is_read_whole(self.path) else "line"
        reasons = "; ".join(
            f"{wrong}: {len(lines)} ({list_lines(unit, lines)})" for wrong, lines in self.problems.items()
        )
        message = f"{self.path}: {num_dropped} of {num_rows} rows cannot be used: {reasons}."
        if num_dropped > len(self.rows):
            raise UserError(f"{message} That is more than half.")
        log.warning("%s They are skipped.", message)


def list_lines(unit: str, lines: Sequence[int]) -> str:
    """`lines 3, 7, 8, 9, 12, ...`"""
    shown = ", ".join(str(line) for line in lines[:5])
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}{', ...' if len(lines) > 5 else ''}"


def read(
    path: Path, columns: Sequence[str], *, encoding: str, separator: str, lists: Sequence[str] | None = ()
) -> Table:
    """Reads the file's rows.

    Args:
        path: its extension gives the format: .jsonl, .ndjson or .json (one object per line, or an array of them),
            .parquet; any other is a CSV whose first line names the columns.
        columns: required columns, the only ones that are read; if empty, all are.
        encoding: a codec of Python's, or "auto": UTF-8, or UTF-16 or -32 if the file begins with its byte order mark.
        separator: a key of `SEPARATORS`, or "auto": the one by which the first line has the required columns.
        lists: columns whose cells may be lists; None where those of all may be lists and objects.

    Raises:
        UserError: the file does not exist, cannot be read, or lacks a column.
    """
    check_exists(path)
    if path.suffix.lower() == PARQUET:
        table = _read_parquet(path, columns)
    elif path.suffix.lower() in JSON_LINES and is_json_array(path):
        table = _read_array(path, columns)
    else:
        table = _read_text(path, columns, encoding, separator, None)
    if lists is not None:
        table.drop(lambda cells: _nested(cells, lists))
    return table


def check(path: Path, columns: Sequence[str], *, encoding: str, separator: str) -> Table:
    """Checks what the beginning of the file shows, and returns it; of Parquet no rows. Arguments as of `read`.

    Raises:
        UserError: as `read`.
    """
    check_exists(path)
    if path.suffix.lower() == PARQUET:
        require(columns, _parquet.read_columns(path), path)
        return Table(path)
    table = _read_text(path, columns, encoding, separator, BEGINNING)
    table.drop(lambda cells: _nested(cells, columns))
    return table


def only_numeric(table: Table) -> str:
    """The only column whose first cells are numbers.

    Raises:
        UserError: there are several, or none.
    """
    columns = list(table.rows[0][1]) if table.rows else []
    beginning = [cells for _, cells in table.rows[:BEGINNING]]
    numeric = [column for column in columns if all(number(cells[column]) is not None for cells in beginning)]
    if len(numeric) != 1:
        raise UserError(f"Set data.column to the column of {table.path} to forecast: {', '.join(columns)}.")
    return numeric[0]


def check_exists(path: Path) -> None:
    """Checks that there is a file that can be read.

    Raises:
        UserError: there is none.
    """
    if local.kind_of(path) == "missing":
        others = [other.name for other in path.parent.glob("*")] if local.kind_of(path.parent) == "folder" else []
        raise UserError(f"There is no file {path}.{did_you_mean(path.name, others, cutoff=SURE)}")
    local.check_file(path)


def is_read_whole(path: Path) -> bool:
    """Whether the beginning of a file shows nothing: an Excel workbook, or an array in JSON."""
    suffix = path.suffix.lower()
    return suffix in EXCEL or (suffix in JSON_LINES and local.is_file(path) and is_json_array(path))


def check_columns(path: Path, columns: Sequence[str]) -> None:
    """Checks that a table which is read whole has the columns; of an Excel workbook, that it can be read.

    Args:
        path: of the file.
        columns: required columns.

    Raises:
        UserError: as `read`.
    """
    check_exists(path)
    if path.suffix.lower() in EXCEL:
        check_reads_excel()
    else:
        require(columns, list(dict.fromkeys(name for row in read_json_array(path) for name in row)), path)


def check_reads_excel() -> None:
    """Checks that the package is there that reads Excel's workbooks.

    Raises:
        UserError: it is not.
    """
    for package in ("fastexcel", "polars"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"Reading Excel requires the package {package}: pip install 'litmus[table]'.")


def is_json_array(path: Path) -> bool:
    """Whether a file of JSON is one array, and not one object per line."""
    with path.open("rb") as file:
        return file.read(1000).lstrip(codecs.BOM_UTF8 + b" \t\r\n").startswith(b"[")


def read_json_array(path: Path) -> list[dict[str, object]]:
    """The objects of a JSON array.

    Raises:
        UserError: the file is damaged, or holds something else.
    """
    try:
        rows = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {local.reason(error)}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON: {error}.") from None
    if not all(isinstance(row, dict) for row in rows):
        raise UserError(f'{path} should hold objects, such as [{{"age": 3, "price": 4.5}}].')
    return list(rows)


def _read_text(path: Path, wanted: Sequence[str], encoding: str, separator: str, most: int | None) -> Table:
    """The first `most` rows; all, if None."""
    table = Table(path)
    try:
        encoding = encoding_of(path, encoding)
        # Each byte that cannot be decoded becomes a lone surrogate, which `_undecoded` finds row by row.
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            table.rows = list(islice(_rows(file, wanted, table, separator), most))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {local.reason(error)}.") from None
    except UnicodeError as error:  # what cannot be decoded at all, such as half of a UTF-16 character
        raise UserError(f"{path} cannot be decoded as {encoding}: {error}.") from None
    table.drop(lambda cells: _undecoded(cells, encoding))
    return table


def _rows(file: TextIO, wanted: Sequence[str], table: Table, separator: str) -> Iterator[Row]:
    if table.path.suffix.lower() in JSON_LINES:
        return _json_rows(file, wanted, table)
    delimiter = separator_of(file, wanted, table.path, separator)
    table.delimiter = delimiter
    return _csv_rows(file, wanted, table, delimiter)


def _undecoded(cells: Cells, encoding: str) -> str | None:
    if any(isinstance(cell, str) and has_undecoded_bytes(cell) for cell in cells.values()):
        return f"bytes that are not {encoding} (data.encoding=cp1252 reads most old files)"
    return None


def _nested(cells: Cells, lists: Sequence[str]) -> str | None:
    for column, cell in cells.items():
        if isinstance(cell, dict) or (isinstance(cell, list) and column not in lists):
            return f"neither text nor a number in {column}"
    return None


def header(cells: Sequence[object]) -> list[str]:
    """Names for the columns, each once."""
    names: list[str] = []
    for place, cell in enumerate(cells, start=1):
        name = str(cell or "").strip("\ufeff \t") or f"column_{place}"
        copies = (f"{name}_{copy}" for copy in range(2, len(cells) + 2))
        names.append(name if name not in names else next(each for each in copies if each not in names))
    return names


def _csv_rows(file: Iterable[str], wanted: Sequence[str], table: Table, delimiter: str) -> Iterator[Row]:
    with long_cells():
        # Strict: a quote that is not where quotes belong is an error, not a cell that swallows the next lines.
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        columns: list[str] = []
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise UserError(f"{table.path}, line {line}: a quote is opened and never closed.") from None
                lines = range(line, reader.line_num + 1)  # the cell may have swallowed lines before the error
                table.problems.setdefault(f"broken quoting ({error})", []).extend(lines)
                continue
            if not cells or (not columns and states_separator(cells)):  # an empty line
                continue
            if not columns:
                columns = [name.strip() for name in cells]
                require(wanted, columns, table.path)
                names = columns if wanted else header(columns)
                place = {name: names.index(name) for name in wanted or names}
            elif len(cells) != len(columns):
                wrong = "fewer" if len(cells) < len(columns) else "more"
                table.problems.setdefault(f"{wrong} cells than columns", []).append(line)
            else:
                yield line, {name: cells[i] for name, i in place.items()}
    if not columns:
        raise UserError(f"{table.path} is empty.")


def separator_of(file: TextIO, wanted: Sequence[str], path: Path, separator: str) -> str:
    """The character between the file's cells; arguments as of `read`. Where it is to be found, by the first line.

    It is the one that the line states, as Excel's `sep=;`; or by which it has the wanted columns; else the one that
    splits it into most cells.
    """
    if separator != "auto":
        return SEPARATORS[separator]
    first = next((line for line in iter(file.readline, "") if line.strip("\ufeff\r\n")), "").strip("\r\n")
    file.seek(0)
    if stated := STATED_SEPARATOR.fullmatch(first):
        return stated[1]
    by_extension = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    candidates = [by_extension, *(s for s in SEPARATORS.values() if s != by_extension)]
    headers = {s: [name.strip().strip('"') for name in first.split(s)] for s in candidates}
    fitting = [s for s in candidates if set(wanted) <= set(headers[s])]
    chosen = fitting[0] if wanted and fitting else max(candidates, key=lambda s: len(headers[s]))
    if chosen != by_extension and len(headers[chosen]) > 1:
        log.info("%s: the separator is %r", path, chosen)
    return chosen


def states_separator(cells: Sequence[object]) -> bool:
    """Whether cells are no header, but Excel's line `sep=;`, split by that."""
    first, *others = (str(cell or "").strip("\ufeff") for cell in cells)
    return first.lower() in ("sep=", *(f"sep={separator}" for separator in SEPARATORS.values())) and not any(others)


@contextmanager
def long_cells() -> Iterator[None]:
    """Cells of any length, for Python's reader of CSV."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _json_rows(file: Iterable[str], wanted: Sequence[str], table: Table) -> Iterator[Row]:
    required = False
    for line, content in enumerate(file, start=1):
        if not content.strip():
            continue
        try:
            cells = json.loads(content)
        except (ValueError, RecursionError):
            cells = None
        if not isinstance(cells, dict):
            table.problems.setdefault("not a JSON object", []).append(line)
            continue
        if not required:
            require(wanted, list(cells), table.path)
            required = True
        yield line, {column: cells.get(column) for column in wanted} if wanted else cells


def _read_parquet(path: Path, wanted: Sequence[str]) -> Table:
    require(wanted, _parquet.read_columns(path), path)
    cells = _parquet.read_cells(path, wanted)
    rows = zip(*cells.values(), strict=True)
    return Table(path, [(line, dict(zip(cells, row, strict=True))) for line, row in enumerate(rows, start=1)])


def _read_array(path: Path, wanted: Sequence[str]) -> Table:
    rows = read_json_array(path)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    require(wanted, columns, path)
    return Table(
        path, [(n, {name: row.get(name) for name in wanted or columns}) for n, row in enumerate(rows, start=1)]
    )


def require(wanted: Sequence[str], columns: Sequence[str], path: Path) -> None:
    """Checks that a table has the columns that are wanted, each once.

    Raises:
        UserError: it has not.
    """
    if any(has_undecoded_bytes(name) for name in columns):
        raise UserError(
            f"The header of {path} has bytes that are not text in this encoding. If the file is a table, set "
            "data.encoding: data.encoding=cp1252 reads most old files."
        )
    for name in wanted:
        if name not in columns:
            hint = did_you_mean(name, columns)
            raise UserError(f"{path} has no column {name}.{hint} It has: {', '.join(columns)}.")
    if doubled := {name for name in wanted if list(columns).count(name) > 1}:
        raise UserError(f"{path} has more than one column named {', '.join(doubled)}.")
