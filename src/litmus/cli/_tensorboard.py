"""TensorBoard, in a process of its own, which tells of runs once it has read them: a page would stay empty before."""

import functools
import gzip
import os
import struct
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard import default, program
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT
from tensorboard.compat.tensorflow_stub import errors, pywrap_tensorflow
from tensorboard.plugins.core import core_plugin
from tensorboard.util import tensor_util
from werkzeug.test import Client

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_make_tensor_proto = tensor_util.make_tensor_proto
DATA = "/data/"  # in the path of whatever the page asks of runs


def main() -> int:
    """Serves until it is stopped; gives the exit status. Its arguments are TensorBoard's."""
    pywrap_tensorflow.PyRecordReader_New = _Reader
    tensor_util.make_tensor_proto = _to_tensor
    core_plugin._gzip = functools.partial(gzip.compress, compresslevel=0)  # nothing travels farther than this machine
    plugin_event_multiplexer.EventMultiplexer = _Multiplexer
    board = program.TensorBoard(plugins=default.get_plugins(), server_class=_serve_at_once)
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


def _to_tensor(values: object, *more: object, **named: object) -> TensorProto:
    """As TensorBoard's `make_tensor_proto`, in a third of its time for what most events hold.

    Args:
        values: a number or an array (float32) are taken here, all else by TensorBoard.
        more: TensorBoard's.
        named: TensorBoard's.
    """
    if isinstance(values, float):
        return TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(), float_val=[values])
    if isinstance(values, np.ndarray) and values.dtype == np.float32:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in values.shape])
        return TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=values.tobytes())
    return _make_tensor_proto(values, *more, **named)


def _is_whole(data: bytes) -> bool:
    try:
        Event.FromString(data)
    except DecodeError:
        return False
    return True


class _Multiplexer(EventMultiplexer):  # type: ignore[misc]  # it has no types
    """Begins once there is something to be read, and says when it has read all runs that there were."""

    is_read: ClassVar = threading.Event()

    def AddRunsFromDirectory(self, path: str, name: str | None = None) -> EventMultiplexer:  # noqa: N802  # TensorBoard's name
        sys.stdin.read()  # until `litmus.cli.dashboard` closes it; ends at once from then on
        return super().AddRunsFromDirectory(path, name)

    def Reload(self) -> EventMultiplexer:  # noqa: N802  # TensorBoard's name
        try:
            return super().Reload()
        finally:
            self.is_read.set()


def _serve_at_once(app: "WSGIApplication", flags: object) -> program.TensorBoardServer:
    """TensorBoard's usual server, whose page may load while runs are read: what it asks of them is answered then."""
    is_ready = threading.Event()

    def get_ready() -> None:
        _Multiplexer.is_read.wait()
        try:  # only when asked for the first time, the projector looks whether it has something
            Client(app).get("/data/plugins_listing")
        finally:
            is_ready.set()

    def held(environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        if DATA in environ["PATH_INFO"]:
            is_ready.wait()
        return app(environ, start_response)

    threading.Thread(target=get_ready, daemon=True).start()
    return program.create_port_scanning_werkzeug_server(held, flags)


if __name__ == "__main__":
    sys.exit(main())
