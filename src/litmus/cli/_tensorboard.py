"""TensorBoard, in a process of its own, which answers once it has read all runs: a page that comes before is empty."""

import os
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard import default, program
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub import errors, pywrap_tensorflow
from werkzeug.test import Client

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

SETTLED_S = 0.5  # without another run that is read: the others have no curves yet
POLL_S = 0.1


def main() -> int:
    """Serves until it is stopped; gives the exit status. Its arguments are TensorBoard's."""
    pywrap_tensorflow.PyRecordReader_New = _Reader
    sys.stdin.read()  # until there is something to be read: see `litmus.cli.dashboard`
    board = program.TensorBoard(plugins=default.get_plugins(), server_class=_after_reading)
    board.configure(sys.argv)
    return int(board.main())


class _Reader:
    """Reads event files, in place of TensorBoard's own reader, which computes checksums in Python: half of its time.

    Those of the records' lengths are checked; of what they hold, that it can be parsed. Where TensorFlow is installed,
    its reader is used.

    Args:
        filename: of the event file.
    """

    def __init__(self, filename: bytes, *_: object) -> None:
        self._file = Path(os.fsdecode(filename)).open("rb")  # noqa: SIM115  # it is read as long as it grows
        self._record = b""

    def GetNext(self) -> None:  # noqa: N802  # TensorBoard's name
        """Reads the next record.

        Raises:
            OutOfRangeError: there is none yet.
            DataLossError: it is damaged, or not whole yet; then it is read again.
        """
        begin = self._file.tell()
        header = self._file.read(12)
        if not header:
            raise errors.OutOfRangeError(None, None, "no more records")
        if len(header) == 12:
            length, checksum = struct.unpack("<QI", header)
            if pywrap_tensorflow.masked_crc32c(header[:8]) == checksum:
                data = self._file.read(length + 4)
                if len(data) == length + 4 and _is_whole(data[:-4]):
                    self._record = data[:-4]
                    return
        self._file.seek(begin)
        raise errors.DataLossError(None, None, f"{self._file.name!r} has a damaged record at byte {begin}")

    def record(self) -> bytes:
        """The record that was read."""
        return self._record


def _is_whole(data: bytes) -> bool:
    try:
        Event.FromString(data)
    except DecodeError:
        return False
    return True


def _after_reading(app: "WSGIApplication", flags: object) -> program.TensorBoardServer:
    """TensorBoard's usual server, made when it has curves of all runs, or finds no more of them."""
    client = Client(app)
    waiting_since, before = time.monotonic(), (0, 0)
    while time.monotonic() - waiting_since < SETTLED_S:
        runs = client.get("/data/runs").get_json()
        read = client.get("/data/plugin/scalars/tags").get_json()  # by run
        if runs and set(read) >= set(runs):
            break
        if (len(runs), len(read)) != before:
            waiting_since, before = time.monotonic(), (len(runs), len(read))
        time.sleep(POLL_S)
    client.get("/data/plugins_listing")  # the projector looks for something to show when it is asked for the first time
    return program.create_port_scanning_werkzeug_server(app, flags)


if __name__ == "__main__":
    sys.exit(main())
