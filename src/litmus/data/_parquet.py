"""Reads Parquet in a process of its own: a damaged file can end the process that reads it, whatever that catches.

`python -m litmus.data._parquet` is that process. Its argument is JSON; its output is marshal's, where floats are exact.
"""

import json
import marshal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from litmus.errors import UserError

MOST_ROWS = 100_000_000  # a small file may repeat one value that often
Form = Literal["names", "cells", "arrow"]
WRONG, ABSENT = 3, 4  # exit statuses


def read_columns(path: Path) -> list[str]:
    """The names of the file's columns.

    Raises:
        UserError: it is not a Parquet file, is damaged, or the package that reads it is not installed.
    """
    names: list[str] = marshal.loads(_output(path, "names"))
    return names


def read_cells(path: Path, columns: Sequence[str]) -> dict[str, list[object]]:
    """The file's cells, by column: text, numbers, booleans, lists, None; what else there is, as text.

    Args:
        path: of the file.
        columns: to read, which it must have; all, if empty.

    Raises:
        UserError: as `read_columns`; or there are more than `MOST_ROWS` rows.
    """
    cells: dict[str, list[object]] = marshal.loads(_output(path, "cells", columns))
    return cells


def read_ipc(path: Path) -> bytes:
    """The file's columns as Arrow's IPC format, which polars reads without a Python object for each cell.

    Raises:
        UserError: as `read_cells`.
    """
    return _output(path, "arrow")


def _output(path: Path, form: Form, columns: Sequence[str] = ()) -> bytes:
    # -P: a module that lies in the current folder is not to be taken for one of Python's.
    command = [sys.executable, "-P", "-m", __name__, json.dumps([str(path), form, [*columns]])]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 0:
        return done.stdout
    if done.returncode == ABSENT:
        raise UserError("Reading Parquet requires the package polars: pip install 'litmus[text]'.")
    said = done.stderr.decode(errors="replace").strip() if done.returncode == WRONG else ""
    raise UserError(f"{path} is not a Parquet file, or is damaged{said and f' ({said})'}.")


def _answer(path: str, form: Form, columns: list[str]) -> int:
    """Writes the names of the columns, or their cells; gives the exit status."""
    try:
        import polars
    except ModuleNotFoundError:
        return ABSENT
    try:
        if form == "names":
            marshal.dump(list(polars.read_parquet_schema(path)), sys.stdout.buffer)
            return 0
        num_rows = int(polars.scan_parquet(path).select(polars.len()).collect().item())
        if num_rows > MOST_ROWS:
            print(f"{num_rows:,} rows, of which {MOST_ROWS:,} can be read", file=sys.stderr)
            return WRONG
        frame = polars.read_parquet(path, columns=columns or None)
        if form == "arrow":
            frame.write_ipc(sys.stdout.buffer)
            return 0
        cells = {column.name: [_plain(cell) for cell in column.to_list()] for column in frame}
    except (polars.exceptions.PolarsError, OSError) as error:
        print(str(error).partition("\n")[0], file=sys.stderr)
        return WRONG
    marshal.dump(cells, sys.stdout.buffer)
    return 0


def _plain(cell: object) -> object:
    if cell is None or isinstance(cell, str | int | float | bool):
        return cell
    return [] if isinstance(cell, list | dict) else str(cell)  # a list is not text, whatever it holds


if __name__ == "__main__":
    sys.exit(_answer(*json.loads(sys.argv[1])))
