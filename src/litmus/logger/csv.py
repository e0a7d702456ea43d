"""Lightning's CSV files, in the run's folder `csv`."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import CSVLogger

from litmus.config.types import Section
from litmus.config.validate import checked
from litmus.logger._base import RunLogger
from litmus.record.configuration import to_yaml
from litmus.record.files import write_text
from litmus.record.folder import RunDir

FOLDER = "csv"


class CSV(CSVLogger, RunLogger):
    """`csv/metrics.csv` with a row for each step that is logged, and `csv/hparams.yaml`, as other programs read them.

    The run's own `metrics.csv` has a row per epoch, and nothing of the test.
    """

    @checked
    def __init__(self, run: RunDir, step: int) -> None:
        super().__init__(run.path, name="", version=FOLDER)
        self._writer = _Writer(RunDir(run.path / FOLDER), step)

    @property
    def experiment(self) -> "_Writer":
        return self._writer

    def log_hyperparams(self, params: Section) -> None:  # type: ignore[override]
        write_text(self._writer.folder.path / "hparams.yaml", to_yaml(params))

    def finalize(self, status: str) -> None:
        self.save()


class _Writer:
    """Writes the whole file. Lightning's own removes that of an earlier process, and a kill leaves half a row.

    Args:
        folder: of the file.
        step: at which the run begins or goes on: rows of an earlier process from there on are dropped.
    """

    def __init__(self, folder: RunDir, step: int) -> None:
        self.folder = folder
        self.metrics = [row for row in folder.whole_metrics() if _step_of(row) < step]

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.metrics.append({"step": step, **{name: float(value) for name, value in metrics.items()}})

    def save(self) -> None:
        if self.metrics:
            self.folder.write_metrics(self.metrics)


def _step_of(row: Mapping[str, Any]) -> float:
    step = row.get("step")
    return float("inf") if step is None else step
