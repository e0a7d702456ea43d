"""Which files are tables, by their names; answers before polars is imported."""

from pathlib import Path

from litmus.data import _table

SUFFIXES = (".csv", ".tsv", ".tab", _table.PARQUET, *_table.EXCEL, *_table.JSON_LINES)


def is_table(path: Path) -> bool:
    """Whether a file of that name is a table."""
    return path.suffix.lower() in SUFFIXES


def check_table(path: Path) -> None:
    """Checks that there is a table that can be read.

    Raises:
        UserError: there is none; a file of nearly that name is mentioned.
    """
    _table.check_exists(path)
