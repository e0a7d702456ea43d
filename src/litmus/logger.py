"""Where metrics go: one function per choice of `logger=`, each taking the run's folder."""

from collections.abc import Mapping
from pathlib import Path

from lightning.pytorch.loggers import Logger, TensorBoardLogger

from litmus.config.validate import checked


class _EventsOnly(TensorBoardLogger):
    """TensorBoard events right in the run's folder, and nothing else: config.yaml holds the rest."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        super().log_metrics({name: value for name, value in metrics.items() if name != "epoch"}, step)

    def save(self) -> None:
        self.experiment.flush()


@checked
def tensorboard(folder: Path, step: int) -> Logger:
    """TensorBoard's event files.

    Args:
        folder: of the run.
        step: at which the run begins or goes on: what an earlier process logged from there on is not shown.
    """
    return _EventsOnly(folder, name="", version="", default_hp_metric=False, purge_step=step)


@checked
def none(folder: Path, step: int) -> None:
    """Nothing; metrics.csv and result.json are written all the same."""
