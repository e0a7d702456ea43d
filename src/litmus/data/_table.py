"""Reading tables that people made: CSV, TSV, JSON lines and Parquet, with the line of whatever is wrong."""

import codecs
import csv
import json
import logging
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litmus.config.validate import did_you_mean
from litmus.errors import UserError

log = logging.getLogger(__name__)

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

Row = tuple[int, dict[str, Any]]  # the line it begins on, from 1 (Parquet: the row's number), and its cells by column


@dataclass
class Table:
    """The rows that can be used, and what was wrong with the others.

    Attributes:
        path: the file.
        rows: line and wanted cells; cells are text, but for JSON's and Parquet's own numbers.
        problems: the lines that were left out, by what is wrong with them.
    """

    path: Path
    rows: list[Row] = field(default_factory=list)
    problems: dict[str, list[int]] = field(default_factory=dict)

    def keep(self, mistake: Callable[[dict[str, Any]], str | None]) -> None:
        """Leaves out the rows for which `mistake` gives a word of what is wrong."""
        kept = []
        for line, cells in self.rows:
            if wrong := mistake(cells):
                self.problems.setdefault(wrong, []).append(line)
            else:
                kept.append((line, cells))
        self.rows = kept

    def warn_of_problems(self) -> None:
        """Says what was left out.

        Raises:
            UserError: it is more than half: whatever was meant, it was not this.
        """
        left_out = sum(len(lines) for lines in self.problems.values())
        if not left_out and self.rows:
            return
        whole = left_out + len(self.rows)
        if not whole:
            raise UserError(f"{self.path} has no rows.")
        unit = "row" if self.path.suffix.lower() == ".parquet" else "line"
        reasons = "; ".join(f"{wrong}: {len(lines)} ({listed(unit, lines)})" for wrong, lines in self.problems.items())
        said = f"{self.path}: {left_out} of {whole} rows cannot be used. {reasons}."
        if left_out > len(self.rows):
            raise UserError(f"{said} That is more than half.")
        log.warning("%s They are left out.", said)


def listed(unit: str, lines: Sequence[int]) -> str:
    """`lines 3, 7, 8, 9, 12, ...`"""
    shown = ", ".join(str(line) for line in lines[:5])
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}{', ...' if len(lines) > 5 else ''}"


def read(path: Path, wanted: Sequence[str], *, encoding: str, separator: str) -> Table:
    """Reads the file's rows.

    Args:
        path: its ending says what it is: .jsonl, .ndjson or .json (an object a line), .parquet; else a CSV
            whose first line names the columns.
        wanted: columns that there must be, which alone are kept; without any, all are.
        encoding: a codec of Python's, or "auto": UTF-8, or UTF-16 if the file begins with its mark.
        separator: a key of `SEPARATORS`, or "auto": the one under which the wanted columns are there.

    Raises:
        UserError: there is no such file, or it cannot be read, or it lacks a column.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; a table is a file.")
    if not path.is_file():
        near = did_you_mean(path.name, [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else [])
        raise UserError(f"There is no file {path}.{near}")
    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            return _parquet(path, wanted)
        return _text(path, wanted, _encoding(path, encoding), separator, is_json=kind in JSON_LINES)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeError as error:  # what cannot be decoded at all, such as half of a UTF-16 letter
        raise UserError(f"{path} cannot be decoded: {error}.") from None


def number(cell: Any) -> float | None:
    """The cell as a finite number, or None if it is none."""
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _text(path: Path, wanted: Sequence[str], encoding: str, separator: str, is_json: bool) -> Table:
    table = Table(path)
    # What cannot be decoded is found again row by row: each wrong byte becomes a lone surrogate.
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        if is_json:
            table.rows = list(_json_rows(file, wanted, table))
        else:
            delimiter = SEPARATORS[separator] if separator != "auto" else _separator(file.readline(), wanted, path)
            file.seek(0)
            table.rows = list(_csv_rows(file, wanted, table, delimiter))
    table.keep(lambda cells: _unreadable(cells, encoding))
    return table


def _encoding(path: Path, encoding: str) -> str:
    if encoding == "auto":
        with path.open("rb") as file:
            start = file.read(4)
        return next((name for bom, name in BOMS.items() if start.startswith(bom)), "utf-8")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise UserError(
            f"data.encoding={encoding} is no encoding that Python knows, such as utf-8 or cp1252."
        ) from None
    return encoding


def _unreadable(cells: dict[str, Any], encoding: str) -> str | None:
    for column, cell in cells.items():
        if isinstance(cell, str) and any("\ud800" <= letter <= "\udfff" for letter in cell):
            return f"bytes or letters that are not {encoding} (data.encoding=cp1252 reads most old files)"
        if isinstance(cell, list | dict | tuple):
            return f"no text or number as {column}"
    return None


def _csv_rows(file: Iterable[str], wanted: Sequence[str], table: Table, delimiter: str) -> Iterator[Row]:
    with _long_cells():
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
                    raise UserError(f"{table.path}, line {line}: a quote is opened there and never closed.") from None
                lost = range(line, reader.line_num + 1)  # the quote may have swallowed lines before it showed
                table.problems.setdefault(f"broken quoting ({error})", []).extend(lost)
                continue
            if not cells:  # an empty line
                continue
            if not columns:
                columns = [name.strip() for name in cells]
                _require(wanted, columns, table.path)
                kept = {name: columns.index(name) for name in wanted or columns}
            elif len(cells) != len(columns):
                wrong = "fewer" if len(cells) < len(columns) else "more"
                table.problems.setdefault(f"{wrong} cells than columns", []).append(line)
            else:
                yield line, {name: cells[place] for name, place in kept.items()}
    if not columns:
        raise UserError(f"{table.path} is empty.")


def _separator(first: str, wanted: Sequence[str], path: Path) -> str:
    """The one under which the first line holds the wanted columns; else the one that divides it most."""
    by_ending = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    candidates = [by_ending, *(s for s in SEPARATORS.values() if s != by_ending)]
    headers = {s: [name.strip().strip('"') for name in first.strip("\r\n").split(s)] for s in candidates}
    fitting = [s for s in candidates if set(wanted) <= set(headers[s])]
    chosen = fitting[0] if wanted and fitting else max(candidates, key=lambda s: len(headers[s]))
    if chosen != by_ending and len(headers[chosen]) > 1:
        log.info("%s: cells are separated by %r", path, chosen)
    return chosen


@contextmanager
def _long_cells() -> Iterator[None]:
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
            _require(wanted, list(cells), table.path)
            required = True
        yield line, {column: cells.get(column) for column in wanted} if wanted else cells


def _parquet(path: Path, wanted: Sequence[str]) -> Table:
    try:
        import polars
    except ModuleNotFoundError:
        raise UserError("Reading Parquet needs the package polars: pip install 'litmus[text]'.") from None
    try:
        _require(wanted, list(polars.read_parquet_schema(path)), path)
        frame = polars.read_parquet(path, columns=list(wanted) or None)
    except polars.exceptions.PolarsError as error:
        raise UserError(f"{path} is not a Parquet file: {error}") from None
    table = Table(path, list(enumerate(frame.to_dicts(), start=1)))
    table.keep(lambda cells: _unreadable(cells, "UTF-8"))
    return table


def _require(wanted: Sequence[str], columns: Sequence[str], path: Path) -> None:
    for name in wanted:
        if name not in columns:
            hint = did_you_mean(name, columns)
            raise UserError(f"{path} has no column {name}.{hint} It has: {', '.join(columns)}.")
    if doubled := {name for name in wanted if list(columns).count(name) > 1}:
        raise UserError(f"{path} has more than one column {', '.join(doubled)}.")
