"""TensorBoard's event files."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto.summary_pb2 import Summary

from litmus.config.tags import tag
from litmus.config.types import Section
from litmus.config.validate import checked
from litmus.logger._base import RunLogger
from litmus.record.folder import RunDir


class TensorBoard(TensorBoardLogger, RunLogger):
    """TensorBoard events right in the run's folder, and nothing else: config.yaml holds the rest.

    What only TensorBoard shows, the row of hyperparameters included, is written by `litmus.callback.dashboard`.

    Args:
        run: the folder.
        step: at which the run begins or goes on: what an earlier process logged from there on is not shown.
    """

    @checked
    def __init__(self, run: RunDir, step: int) -> None:
        _wait_for_a_later_name(run.path)
        super().__init__(run.path, name="", version="", default_hp_metric=False, purge_step=step)

    def log_hyperparams(self, params: Section) -> None:  # type: ignore[override]
        """Nothing: see `litmus.callback.dashboard`."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Writes all as one event, which TensorBoard reads sooner than one event of each."""
        points = [
            Summary.Value(tag=tag(name), simple_value=value) for name, value in metrics.items() if name != "epoch"
        ]
        # torch's own: Lightning closes the writer after the training, and this opens it again.
        self.experiment._get_file_writer().add_summary(Summary(value=points), step)

    def save(self) -> None:
        self.experiment.flush()


def _wait_for_a_later_name(folder: Path) -> None:
    """Waits for the next second, where an earlier process' events would be read after those of this one.

    TensorBoard reads event files in the order of their names, which begin with the second and then the process. A job
    that fails at once is tried again within the same second.
    """
    second, process = int(time.time()), f"{socket.gethostname()}.{os.getpid()}."
    ours = f"events.out.tfevents.{second:010d}.{process}"
    same_second = [path.name for path in folder.glob(f"events.out.tfevents.{second:010d}.*")]
    if any(name > ours for name in same_second if not name.startswith(ours)):
        time.sleep(max(0.0, second + 1 - time.time()))
