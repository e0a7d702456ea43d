"""Reading a table as columns: CSV, TSV, JSON, Parquet and Excel, by polars; no Python object for each cell."""

import io
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from litmus.config.validate import list_override
from litmus.data import _numbers, _parquet, _table
from litmus.data._classes import list_some
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.encoding import encoding_of

log = logging.getLogger(__name__)

# What people and programs write for a missing value, in lower case: pandas' list, SAS's, and infinities.
MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-", ".", "-nan", "<na>", "#na", "nil", "inf", "-inf")
LONGEST_MISSING = max(map(len, MISSING))
SHOWS_THOUSANDS = f"{_numbers.DECIMAL_COMMA}|{_numbers.POINTS_BETWEEN_THOUSANDS}"  # by a number
MOST = 0.9  # fraction of a column's cells that must be numbers for their commas to be points


class Read(NamedTuple):
    """A table that was read.

    Attributes:
        frame: its rows.
        thousands: the columns of numbers in which 1.500 is fifteen hundred; also those without such a number.
    """

    frame: pl.DataFrame
    thousands: frozenset[str] = frozenset()


Numbers = Callable[[pl.DataFrame], Read]  # of the text of a CSV whose cells no commas separate


def read_table(
    path: Path,
    wanted: Sequence[str],
    *,
    encoding: str,
    separator: str,
    texts: Collection[str] = (),
    codes: Collection[str] = (),
    thousands: Collection[str] | None = None,
) -> Read:
    """The table's rows, of columns of four kinds: Float64, Boolean, Datetime without a time zone, and String.

    Text is stripped; what stands for a missing value is null. Columns of text that are all numbers are Float64. A
    column without a name is called `column_3`, and a second one of the same name `name_2`. Empty rows are left out.

    Args:
        path: of the file, whose extension gives the format, as for `_table.read`; .xlsx and .xls are Excel's.
        wanted: columns that it should have, by which the separator of a CSV is found.
        encoding: as for `_table.read`.
        separator: as for `_table.read`.
        texts: columns whose text stays text.
        codes: columns whose text stays text, too, where it has zeros at the beginning, as 001 has.
        thousands: the columns in which the point of 1.500 stands between thousands, in a CSV whose cells no commas
            separate; None where the cells are to say so.

    Raises:
        UserError: the file does not exist, or cannot be read.
    """
    _table.check_exists(path)
    suffix = path.suffix.lower()
    if suffix == _table.PARQUET:
        read = Read(_from_ipc(path))
    elif suffix in _table.EXCEL:
        read = Read(read_excel(path))
    elif suffix in _table.JSON_LINES:
        read = Read(_read_json(path, encoding))
    else:
        read = _read_csv(path, wanted, encoding, separator, partial(_read_numbers, texts, codes, thousands))
    frame = tidied_frame(read.frame, texts, codes)
    if not frame.height:
        raise UserError(f"{path} has no rows.")
    return Read(frame, read.thousands)


def tidied_frame(frame: pl.DataFrame, texts: Collection[str] = (), codes: Collection[str] = ()) -> pl.DataFrame:
    """A table of columns of any types as `read_table` gives it: numbers where all text is numbers, no empty rows."""
    frame = pl.DataFrame([_tidied_or_numbers(column, texts, codes) for column in frame], orient="col")
    if frame.width and (blank := frame.select(pl.all_horizontal(pl.all().is_null())).to_series()).any():
        return frame.filter(~blank)  # a copy
    return frame


def as_names(column: pl.Series) -> pl.Series:
    """The cells as text, as `_targets.name_of` gives it: whole numbers without a point."""
    if column.dtype == pl.Float64:
        whole = column.is_not_null() & (column == column.round()) & (column.abs() < 2**53)
        names = column.cast(pl.Int64, strict=False).cast(pl.String)
        return names.zip_with(whole.fill_null(False), column.cast(pl.String)).alias(column.name)
    return column.cast(pl.String)


def _from_ipc(path: Path) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(_parquet.read_ipc(path)))


def read_excel(path: Path) -> pl.DataFrame:
    """The first sheet of an Excel workbook; others are named in a warning.

    Raises:
        UserError: it cannot be read.
    """
    _table.check_reads_excel()
    import fastexcel

    try:
        sheets = fastexcel.read_excel(path).sheet_names
        if len(sheets) > 1:
            log.warning("%s: only its first sheet, %s, is read, not %s.", path, sheets[0], ", ".join(sheets[1:]))
        return pl.read_excel(path, engine="calamine", infer_schema_length=None)
    except Exception as error:  # the engine's errors have no base of their own
        raise UserError(f"{path} cannot be read as an Excel workbook: {str(error).partition(chr(10))[0]}.") from None


def read_rows(path: Path, wanted: Sequence[str]) -> _table.Table:
    """The wanted columns of an Excel workbook, row by row, as `_table.read` gives those of other files.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    _table.check_exists(path)
    frame = read_excel(path)
    _table.require(wanted, frame.columns, path)
    return _table.Table(path, list(enumerate(frame.select(wanted).iter_rows(named=True), start=2)))  # after the header


def _read_csv(path: Path, wanted: Sequence[str], encoding: str, separator: str, numbers: Numbers) -> Read:
    try:
        codec = encoding_of(path, encoding)
        with path.open(encoding=codec, errors="surrogateescape", newline="") as file:
            delimiter = _table.separator_of(file, wanted, path, separator)
        utf8 = codec in ("utf-8", "utf-8-sig")
        source = path if utf8 else io.BytesIO(path.read_bytes().decode(codec).encode())
        frame = pl.read_csv(source, separator=delimiter, has_header=False, infer_schema=False)
        if frame.width and frame[:, -1].null_count() and _has_short_lines(source, delimiter, frame.width):
            return _read_carefully(path, encoding, separator, numbers)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {local.reason(error)}.") from None
    except (pl.exceptions.PolarsError, UnicodeError, LookupError):
        return _read_carefully(path, encoding, separator, numbers)
    rows = map(frame.row, range(frame.height))
    filled = (any(cell is not None for cell in row) and not _table.states_separator(row) for row in rows)
    first = next((number for number, is_header in enumerate(filled) if is_header), None)
    if first is None:
        raise UserError(f"{path} is empty.")
    frame.columns = _table.header(frame.row(first))
    frame = frame.slice(first + 1)
    return Read(frame) if delimiter == "," else numbers(frame)


def _has_short_lines(source: Path | io.BytesIO, delimiter: str, width: int) -> bool:
    """Whether lines may lack cells at their end, which polars takes for missing ones; not, where quotes hide it."""
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source.getvalue()) as file:
        separator = delimiter.encode()
        return any(line.count(separator) < width - 1 and b'"' not in line and line.strip() for line in file)


def _read_numbers(
    texts: Collection[str], codes: Collection[str], thousands: Collection[str] | None, frame: pl.DataFrame
) -> Read:
    """The text of a CSV whose cells no commas separate, with decimal points; arguments as of `read_table`."""
    columns = [own for own in frame if own.name not in texts]
    pointed = {own.name: with_points(own, decimal_comma=True) for own in columns}
    numeric = [own for own in columns if _is_numeric(pointed[own.name])]
    if thousands is None:
        thousands = _thousands([own for own in numeric if own.name not in codes])
    for own in numeric:
        if own.name in thousands:
            if own.str.contains(r"\.\d{3}\s*$").any():
                pointed[own.name] = with_points(own, decimal_comma=True, thousands=True)
        elif pointed[own.name] is not own:  # a cell has a comma, or two points
            _warn_of_mixture(own)
    return Read(frame.with_columns([pointed[own.name].alias(own.name) for own in numeric]), frozenset(thousands))


def _is_numeric(pointed: pl.Series) -> bool:
    """Whether most cells are numbers."""
    present = tidied(pointed).drop_nulls()
    return len(present) > 0 and len(present.cast(pl.Float64, strict=False).drop_nulls()) >= MOST * len(present)


def _thousands(numeric: Sequence[pl.Series]) -> frozenset[str]:
    """The columns in which points stand between thousands: where a file shows that, all without decimal points.

    A decimal comma in them shows it, or a number with two points. So do whole numbers of three digits beside points, if
    none has four, and no column decimal points: sums have both, and measurements seldom.
    """
    fitting = [own for own in numeric if not any(map(_has_decimal_points, (own.head(_table.BEGINNING), own)))]
    separated = {own.name: _separated(own) for own in fitting}
    either = {own.name: _first(separated[own.name], _numbers.POINT_OR_THOUSAND) for own in fitting}
    shown = next((cell for own in fitting if (cell := _first(separated[own.name], SHOWS_THOUSANDS))), None)
    if shown is None:
        beside = [own.str.strip_chars() for own in fitting if either[own.name]]
        whole = {own.name: cell for own in beside if (cell := _first(own, r"^[-+]?[1-9]\d{2,}$"))}
        if not whole:
            return frozenset()
        longer = any(_first(own, r"^[-+]?[1-9]\d{3,}$") for own in beside if own.name in whole)
        if longer or len(fitting) < len(numeric):
            for name, cell in whole.items():
                _warn_of_decimal_point(name, cell, str(either[name]))
            return frozenset()
        shown = next(iter(whole.values()))
    names = [own.name for own in fitting if either[own.name] and not _first(separated[own.name], r"\.\d{3}[.,]\d")]
    if names:
        log.warning(
            "Points stand between thousands, as the file has numbers such as %s: %s in column %s is read as %s%s. If "
            "that is wrong, data.thousands should name the columns of which it is right, or none: data.thousands=[].",
            shown,
            either[names[0]],
            names[0],
            str(either[names[0]]).replace(".", ""),
            f", and so are the points in {list_some(names[1:])}" if len(names) > 1 else "",
        )
    return frozenset(own.name for own in fitting)


def _has_decimal_points(cells: pl.Series) -> bool:
    """Whether a cell has a point that cannot stand between thousands."""
    pointed = _separated(cells)
    pointed = pointed.filter(pointed.str.contains(_numbers.DECIMAL_POINT))
    return not pointed.str.contains(_numbers.POINT_OR_THOUSAND).all()


def _separated(column: pl.Series) -> pl.Series:
    """The cells with a point or a comma."""
    return column.filter(column.str.contains(r"[.,]")).str.strip_chars()


def _first(cells: pl.Series, pattern: str) -> str | None:
    """The first cell that has a pattern."""
    found = cells.filter(cells.str.contains(pattern))
    return str(found[0]) if len(found) else None


def _warn_of_decimal_point(name: str, beside: str, cell: str) -> None:
    log.warning(
        "Column %s has numbers such as %s, and such as %s, whose point is read as a decimal one. %s makes it %s.",
        name,
        beside,
        cell,
        list_override("data.thousands", [name]),
        cell.replace(".", ""),
    )


def _warn_of_mixture(column: pl.Series) -> None:
    """Of a column with decimal points, and with others that may be none."""
    separated = _separated(column)
    shown = _first(separated, SHOWS_THOUSANDS)
    if shown is not None and (cell := _first(separated, _numbers.POINT_OR_THOUSAND)) is not None:
        _warn_of_decimal_point(column.name, shown, cell)


def _read_carefully(path: Path, encoding: str, separator: str, numbers: Numbers = Read) -> Read:
    """Row by row, which takes longer, but names the lines that are wrong, and leaves them out."""
    table = _table.read(path, (), encoding=encoding, separator=separator, lists=None)
    table.warn_of_problems()
    columns = list(dict.fromkeys(name for _, cells in table.rows for name in cells))
    frame = from_rows([cells for _, cells in table.rows], columns)
    return Read(frame) if table.delimiter in (",", None) else numbers(frame)


def _read_json(path: Path, encoding: str) -> pl.DataFrame:
    if not _table.is_json_array(path):
        try:
            return pl.read_ndjson(path, infer_schema_length=None)
        except pl.exceptions.PolarsError:
            return _read_carefully(path, encoding, "auto").frame
    rows = _table.read_json_array(path)
    return from_rows(rows, list(dict.fromkeys(name for row in rows for name in row)))


def from_rows(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> pl.DataFrame:
    """Rows as columns; a cell that a row lacks is missing, lists and the like become JSON."""
    cells = {name: [_json_cell(row.get(name)) for row in rows] for name in columns}
    return pl.DataFrame([pl.Series(name, own, strict=False) for name, own in cells.items()])


def _json_cell(cell: object) -> object:
    return _as_json(cell) if isinstance(cell, list | dict) else cell


def _as_json(cell: object) -> str:
    return json.dumps(cell, ensure_ascii=False, default=str)


def with_points(text: pl.Series, decimal_comma: bool = False, thousands: bool = False) -> pl.Series:
    """Text with points for decimal commas, and without separators of thousands: `_numbers.with_point` of each cell.

    Args:
        text: of cells.
        decimal_comma: as there.
        thousands: whether the point of 1.500 stands between thousands.
    """
    if not text.str.contains(r",\d|\.\d+\.|\.\d{3}" if thousands else r",\d|\.\d+\.").any():
        return text
    stripped = text.str.strip_chars()
    grouped = stripped.str.contains(_numbers.COMMAS_BETWEEN_THOUSANDS)
    if not decimal_comma:
        grouped |= stripped.str.contains(_numbers.EITHER)
    comma = stripped.str.contains(_numbers.DECIMAL_COMMA) | stripped.str.contains(_numbers.POINTS_BETWEEN_THOUSANDS)
    if thousands:
        comma |= stripped.str.contains(_numbers.POINT_OR_THOUSAND)
    pointed = stripped.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return stripped.str.replace_all(",", "", literal=True).zip_with(grouped, pointed.zip_with(comma, stripped))


def tidied(column: pl.Series) -> pl.Series:
    """A column as one of the four kinds, by its type alone; lists and the like as JSON."""
    kind = column.dtype
    if kind == pl.Boolean:
        return column
    if kind.is_numeric():
        column = column.cast(pl.Float64)
        return pl.select(pl.when(column.is_finite()).then(column).alias(column.name)).to_series()
    if kind == pl.Datetime or kind == pl.Date:
        if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return column.cast(pl.Datetime("us"))
    if kind == pl.Duration:
        return column.dt.total_seconds(fractional=True).alias(column.name)
    if kind in (pl.Null, pl.Categorical, pl.Enum, pl.Time):
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        as_text = _as_json if column.dtype.is_nested() else str
        return pl.Series(column.name, [None if cell is None else as_text(cell) for cell in column.to_list()], pl.String)
    stripped = column.str.strip_chars()
    if (stripped.str.len_bytes() > LONGEST_MISSING).all():  # without a copy of a long column
        return stripped
    missing = stripped.str.to_lowercase().is_in(MISSING)
    return pl.select(pl.when(~missing).then(stripped).alias(column.name)).to_series()


def _tidied_or_numbers(column: pl.Series, texts: Collection[str], codes: Collection[str]) -> pl.Series:
    """A column as one of the four kinds, by its cells; of numbers alone, without copies of their text."""
    if column.name in texts:
        return tidied(column)
    if column.name in codes and _has_zeros(own := tidied(column)):
        return own
    if column.dtype == pl.String and column.null_count() < len(column):
        numbers = column.cast(pl.Float64, strict=False)
        if numbers.null_count() == column.null_count() and numbers.is_finite().all():
            return numbers
    return _with_numbers(tidied(column))


def _has_zeros(column: pl.Series) -> bool:
    return column.dtype == pl.String and bool(column.str.contains(r"^0\d").any())


def _with_numbers(text: pl.Series) -> pl.Series:
    """Numbers for text, where every cell is one."""
    if text.dtype != pl.String:
        return text
    numbers = with_points(text).cast(pl.Float64, strict=False)
    numbers = pl.select(pl.when(numbers.is_finite()).then(numbers).alias(text.name)).to_series()
    if numbers.null_count() != text.null_count() or text.null_count() == len(text):
        return text
    _warn_of_commas(text)
    return numbers


def _warn_of_commas(text: pl.Series) -> None:
    """Of numbers among whose commas some are decimal ones, while others may be."""
    either = text.str.contains(_numbers.EITHER)
    decimal = text.filter(text.str.contains(r"^[-+]?\d*,\d+$") & ~either)
    if len(decimal) and either.any():
        log.warning(
            "Column %s has numbers such as %s, whose comma is read as one between thousands, and others such as %s, "
            "whose comma is a decimal one. If all are, separate the file's cells by semicolons.",
            text.name,
            text.filter(either)[0],
            decimal[0],
        )
