"""A table's rows some thousand at a time, each cell as the file holds it: a file may be larger than the memory.

An Excel workbook and an array in JSON are read whole. What cannot be read ends the reading: no row is left out.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import polars as pl

from litmus.data import _parquet, _table
from litmus.data.columns.read import from_rows, read_excel
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.encoding import encoding_of

MOST_ROWS, MOST_CELLS = 10_000, 1_000_000  # of a chunk

Chunks = Iterator[tuple[pl.DataFrame, float]]  # rows, and the fraction of the file that was read by then


@dataclass
class Stream:
    """A table that is being read.

    Attributes:
        columns: their names, as `read_table` gives them.
        chunks: to be read once. Cells of a CSV are text, null if empty; those of other files have their types.
        decimal_comma: whether cells such as 1,5 may be numbers, as commas do not separate them.
    """

    columns: list[str]
    chunks: Chunks
    decimal_comma: bool = False


def open_table(path: Path, wanted: Sequence[str], *, encoding: str, separator: str) -> Stream:
    """A table to read, of any kind that `read_table` reads; arguments as there.

    Raises:
        UserError: the file does not exist, cannot be read, or has no columns; while its chunks are read: it is
            damaged further on, or has no rows.
    """
    _table.check_exists(path)
    stream = _open(path, wanted, encoding, separator)
    stream.chunks = _not_empty(path, stream.chunks)
    return stream


def _open(path: Path, wanted: Sequence[str], encoding: str, separator: str) -> Stream:
    suffix = path.suffix.lower()
    if suffix == _table.PARQUET:
        columns = _parquet.read_columns(path)
        return Stream(columns, _parquet_chunks(path, _rows_at_a_time(columns)))
    if suffix in _table.EXCEL:
        return _whole(read_excel(path))
    if suffix in _table.JSON_LINES:
        return _open_json(path)
    return _open_csv(path, wanted, encoding, separator)


def _not_empty(path: Path, chunks: Chunks) -> Chunks:
    num_rows = 0
    for chunk, fraction in chunks:
        num_rows += chunk.height
        yield chunk, fraction
    if not num_rows:
        raise UserError(f"{path} has no rows.")


def _rows_at_a_time(columns: list[str]) -> int:
    return max(1, min(MOST_ROWS, MOST_CELLS // max(1, len(columns))))


def _whole(frame: pl.DataFrame) -> Stream:
    step = _rows_at_a_time(frame.columns)
    starts = range(0, frame.height, step)
    chunks = ((frame[start : start + step], min(1.0, (start + step) / frame.height)) for start in starts)
    return Stream(frame.columns, chunks)


def _parquet_chunks(path: Path, num_rows: int) -> Chunks:
    for content, fraction in _parquet.read_batches(path, num_rows):
        yield pl.read_ipc(io.BytesIO(content)), fraction


def _open_json(path: Path) -> Stream:
    if _table.is_json_array(path):
        rows = _table.read_json_array(path)
        return _whole(from_rows(rows, list(dict.fromkeys(name for row in rows for name in row))))
    columns = list(dict.fromkeys(name for row, _ in _json_objects(path) for name in row))
    if not columns:
        raise UserError(f"{path} is empty.")
    return Stream(columns, _json_chunks(path, columns))


def _json_chunks(path: Path, columns: list[str]) -> Chunks:
    size, rows = max(1, path.stat().st_size), []
    for row, end in _json_objects(path):
        rows.append(row)
        if len(rows) == _rows_at_a_time(columns):
            yield from_rows(rows, columns), end / size
            rows = []
    if rows:
        yield from_rows(rows, columns), 1.0


def _json_objects(path: Path) -> Iterator[tuple[dict[str, object], int]]:
    """The objects, and where the line of each ends, in bytes."""
    number = end = 0
    try:
        with path.open("rb") as file:
            for line in file:
                number += 1
                end += len(line)
                if not line.strip():
                    continue
                row = json.loads(line.decode("utf-8-sig"))
                if not isinstance(row, dict):
                    raise ValueError("no object")
                yield row, end
    except OSError as error:
        raise UserError(f"{path} cannot be read: {local.reason(error)}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}, line {number} is not a JSON object ({error}).") from None


def _open_csv(path: Path, wanted: Sequence[str], encoding: str, separator: str) -> Stream:
    with ExitStack() as stack:
        try:
            codec = encoding_of(path, encoding)
            file = stack.enter_context(path.open(encoding=codec, newline=""))
            delimiter = _table.separator_of(file, wanted, path, separator)
        except OSError as error:
            raise UserError(f"{path} cannot be read: {local.reason(error)}.") from None
        except (UnicodeError, LookupError) as error:
            raise _undecoded(path, error) from None
        records = _records(path, file, delimiter)
        columns = _table.header(next(records, []))
        if not columns:
            raise UserError(f"{path} is empty.")
        return Stream(columns, _csv_chunks(path, file, records, columns, stack.pop_all()), delimiter != ",")
    raise AssertionError


def _csv_chunks(
    path: Path, file: TextIO, records: Iterator[list[str]], columns: list[str], open_file: ExitStack
) -> Chunks:
    step, size = _rows_at_a_time(columns), max(1, path.stat().st_size)
    rows: list[list[str]] = []
    with open_file:
        for record in records:
            rows.append(record)
            if len(rows) == step:
                yield _texts(rows, columns), file.buffer.tell() / size
                rows = []
        if rows:
            yield _texts(rows, columns), 1.0


def _records(path: Path, file: TextIO, delimiter: str) -> Iterator[list[str]]:
    """The header and the rows, without empty lines."""
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    length = 0
    while True:
        try:
            with _table.long_cells():  # not beyond a `yield`: it is a setting of the whole process
                record = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num} cannot be read ({error}).") from None
        except UnicodeError as error:
            raise _undecoded(path, error) from None
        if record is None:
            return
        if not length and record and _table.states_separator(record):
            continue
        if not record:
            if length != 1:
                continue
            record = [""]  # of a single column, an empty cell
        length = length or len(record)
        if len(record) != length:
            raise UserError(f"{path}, line {reader.line_num} has {len(record)} cells, but the header {length}.")
        yield record


def _texts(rows: list[list[str]], columns: list[str]) -> pl.DataFrame:
    cells = zip(columns, zip(*rows, strict=True), strict=True)
    frame = pl.DataFrame([pl.Series(name, own, dtype=pl.String) for name, own in cells])
    return frame.with_columns(pl.all().replace("", None))


def _undecoded(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} cannot be decoded ({error}). --encoding cp1252 reads most files that are not UTF-8.")
