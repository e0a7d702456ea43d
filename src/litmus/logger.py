"""Where metrics go: one function per choice of `logger=`, each taking the run's folder."""

from pathlib import Path

from lightning.pytorch.loggers import Logger, TensorBoardLogger

from litmus.check import checked


class _EventsOnly(TensorBoardLogger):
    """TensorBoard events right in the run's folder, and nothing else: config.yaml holds the rest."""

    def save(self) -> None:
        self.experiment.flush()


@checked
def tensorboard(folder: Path) -> Logger:
    """TensorBoard's event files."""
    return _EventsOnly(folder, name="", version="", default_hp_metric=False)


@checked
def none(folder: Path) -> None:
    """Nothing; metrics.csv and result.json are written all the same."""
