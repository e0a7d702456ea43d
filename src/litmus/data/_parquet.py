"""Reads Parquet in a process of its own: a damaged file can end the process that reads it, whatever that catches.

`python -m litmus.data._parquet` is that process. Its argument is JSON; its output is marshal's, where floats are exact.
"""

import io
import json
import marshal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from litmus.errors import UserError

MOST_ROWS = 100_000_000  # a small file may repeat one value that often
HEAD = struct.Struct("<Qd")  # of a batch: its bytes, and the fraction of the rows that was given by then
Form = Literal["names", "cells", "arrow", "batches"]
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


def read_batches(path: Path, num_rows: int) -> Iterator[tuple[bytes, float]]:
    """The file's rows, some at a time, in Arrow's IPC format; and which fraction of the rows was given by then.

    Args:
        path: of the file.
        num_rows: at a time.

    Raises:
        UserError: as `read_cells`.
    """
    with subprocess.Popen(
        _command(path, "batches", [str(num_rows)]), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            while len(head := process.stdout.read(HEAD.size)) == HEAD.size:
                size, fraction = HEAD.unpack(head)
                yield process.stdout.read(size), fraction
            said = process.stderr.read()
            status = process.wait()
        finally:
            process.kill()  # where no more batches are asked for
    if status:
        raise _mistake(path, status, said)


def _output(path: Path, form: Form, columns: Sequence[str] = ()) -> bytes:
    done = subprocess.run(_command(path, form, columns), capture_output=True, check=False)
    if done.returncode == 0:
        return done.stdout
    raise _mistake(path, done.returncode, done.stderr)


def _command(path: Path, form: Form, columns: Sequence[str]) -> list[str]:
    # -P: a module that lies in the current folder is not to be taken for one of Python's.
    return [sys.executable, "-P", "-m", __name__, json.dumps([str(path), form, [*columns]])]


def _mistake(path: Path, status: int, said: bytes) -> UserError:
    if status == ABSENT:
        return UserError("Reading Parquet requires the package polars: pip install 'litmus[text]'.")
    why = said.decode(errors="replace").strip() if status == WRONG else ""
    return UserError(f"{path} is not a Parquet file, or is damaged{why and f' ({why})'}.")


def _answer(path: str, form: Form, columns: list[str]) -> int:
    """Writes the names of the columns, or their cells; gives the exit status. Of batches, `columns` is their size."""
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
        if form == "batches":
            for start in range(0, num_rows, int(columns[0])):
                batch = polars.scan_parquet(path).slice(start, int(columns[0])).collect()
                content = io.BytesIO()
                batch.write_ipc(content)
                sys.stdout.buffer.write(HEAD.pack(content.tell(), (start + batch.height) / num_rows))
                sys.stdout.buffer.write(content.getbuffer())
            return 0
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
    if isinstance(cell, list):
        return [_plain(each) for each in cell]
    return {} if isinstance(cell, dict) else str(cell)  # a struct is not text, whatever it holds


if __name__ == "__main__":
    sys.exit(_answer(*json.loads(sys.argv[1])))
