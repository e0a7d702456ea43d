"""TensorBoard's event files, written without torch or TensorFlow: records are framed as in its `record_writer.h`.

TensorBoard's own functions for summaries of hyperparameters import TensorFlow; those here need its messages alone.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.api_pb2 import HParamInfo, MetricInfo

PREFIX = "events.out.tfevents."  # how the files' names begin; TensorBoard reads them in the order of their names
ROW = ".row"  # the end of the name of a run's file that holds its row of the HParams tab


def event_file(events: "Sequence[Event]") -> bytes:
    """What a file with these events holds."""
    return b"".join(_record(event.SerializeToString()) for event in events)


def row(values: Mapping[str, str | float | bool]) -> "list[Summary]":
    """A run's row in the HParams tab, and that the run has ended."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    start = plugin_data_pb2.SessionStartInfo()
    for name, value in values.items():
        kind = "bool_value" if isinstance(value, bool) else "string_value" if isinstance(value, str) else "number_value"
        setattr(start.hparams[name], kind, value)
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS)
    return [
        _of_hparams(metadata.SESSION_START_INFO_TAG, session_start_info=start),
        _of_hparams(metadata.SESSION_END_INFO_TAG, session_end_info=end),
    ]


def scalars(points: Mapping[str, float]) -> "Summary":
    """A point of each of these curves, by name, in one event."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in points.items()])


def image(tag: str, png: bytes, width: float, height: float) -> "Summary":
    """A picture.

    Args:
        tag: its name.
        png: the file's content.
        width: in pixels.
        height: in pixels.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary

    own = Summary.Image(height=round(height), width=round(width), colorspace=3, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=tag, image=own)])


def experiment(hparams: "Sequence[HParamInfo]", metrics: "Sequence[MetricInfo]") -> "Summary":
    """The columns of the HParams tab."""
    from tensorboard.plugins.hparams import api_pb2, metadata

    own = api_pb2.Experiment(hparam_infos=hparams, metric_infos=metrics)
    return _of_hparams(metadata.EXPERIMENT_TAG, experiment=own)


def _of_hparams(tag: str, **content: object) -> "Summary":
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    described = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**content))
    return Summary(value=[Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)])


def _record(data: bytes) -> bytes:
    # TensorBoard's stub of TensorFlow's checksum, undocumented: its public writer would import TensorFlow if installed.
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    def checksum(part: bytes) -> bytes:
        return struct.pack("<I", masked_crc32c(part))

    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)
