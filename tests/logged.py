"""What each logger of conf/logger holds of a run: `READERS`, by the logger's name."""

import importlib.util
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import CONF

from litmus.config.tags import WORKINGS
from litmus.record.folder import RunDir

Points = dict[str, list[tuple[int, float]]]  # by the metric's name: step and value

LOGGERS = sorted(path.stem for path in (CONF / "logger").glob("*.yaml") if path.stem != "none")
EXTRAS = ("mlflow", "wandb")  # loggers that need packages of an extra
INSTALLED = [name for name in LOGGERS if name not in EXTRAS or importlib.util.find_spec(name)]
ALL = f"logger=[{','.join(INSTALLED)}]"
EACH = [
    pytest.param(name, marks=pytest.mark.skipif(name not in INSTALLED, reason=f"litmus[{name}] is not installed"))
    for name in LOGGERS
]


def of_csv(run: RunDir) -> Points:
    found: Points = {}
    for row in RunDir(run.path / "csv").read_metrics():
        for name, value in row.items():
            if value is not None:
                found.setdefault(name, []).append((row["step"], value))
    return found


def of_tensorboard(run: RunDir) -> Points:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.path), size_guidance={"scalars": 0}).Reload()
    tags = events.Tags()["scalars"]
    named = {name: name.removeprefix(WORKINGS).replace("when_best/test/", "test/") for name in tags}
    return {named[name]: [(event.step, event.value) for event in events.Scalars(name)] for name in tags}


def of_mlflow(run: RunDir) -> Points:
    client, run_id = mlflow_store(), run.read_tracking()["mlflow"]
    names = client.get_run(run_id).data.metrics
    return {name: [(each.step, each.value) for each in client.get_metric_history(run_id, name)] for name in names}


def of_wandb(run: RunDir) -> Points:
    found: Points = {}
    for record in wandb_records(run):
        row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for name, value in row.items():
            found.setdefault(name, []).append((row["trainer/global_step"], value))
    return found


READERS: dict[str, Callable[[RunDir], Points]] = {
    "csv": of_csv,
    "tensorboard": of_tensorboard,
    "mlflow": of_mlflow,
    "wandb": of_wandb,
}


def wandb_records(run: RunDir) -> Iterator:
    """All that wandb's files of a run hold, those of earlier processes first.

    They are logs as LevelDB has them: blocks of 32 KiB, records in pieces with a checksum, a length and a kind.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    for path in sorted((run.path / "wandb").glob("offline-run-*/*.wandb")):
        content, at, whole = path.read_bytes(), 7, b""
        while at + 7 <= len(content):
            left = 32_768 - at % 32_768
            if left < 7:
                at += left
                continue
            _, length, kind = struct.unpack("<IHB", content[at : at + 7])
            whole += content[at + 7 : at + 7 + length]
            at += 7 + length
            if kind in (1, 4):  # a whole record, or the last piece of one
                yield Record.FromString(whole)
                whole = b""


def mlflow_store():
    """The client of the usual store of this folder."""
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{Path('outputs/mlflow.db').absolute()}")


def mlflow_run(run: RunDir):
    """The run in MLflow's store: `info.status`, `data.params`, `data.tags`."""
    return mlflow_store().get_run(run.read_tracking()["mlflow"])


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A database of MLflow's, which takes seconds to make."""
    if "mlflow" not in INSTALLED:
        return None
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}")
    return path
