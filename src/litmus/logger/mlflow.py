"""A run in an MLflow store: a database file, or a server."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lightning.pytorch.loggers import MLFlowLogger

from litmus import console
from litmus.config.tags import WHEN_BEST
from litmus.config.types import Section
from litmus.config.validate import checked, shown
from litmus.errors import UserError, first_line
from litmus.logger._base import RunLogger, name_of
from litmus.record.folder import RunDir

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)

NAME = "mlflow"  # in the run's file of ids
FILE = "sqlite:///"
LONGEST = 250  # characters of a parameter that Lightning sends
ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"  # an error code, as those below
NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # the second of a text that is no id
STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "pruned": "KILLED"}  # of all other endings, FAILED
# Nothing is sent that nobody asked for; a server that does not answer is given up in seconds, and not in minutes.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class MLflow(MLFlowLogger, RunLogger):
    """Metrics, what decides what a run learns as parameters, and how the run ended.

    A resumed run goes on in the run that its folder names, where the store still has it. MLflow cannot change a
    parameter: one that is resumed with another value has a tag of that name.

    A store that fails does not end a training: that is said.

    Args:
        run: the folder.
        step: not used: MLflow shows the newer of two points at a step.
        tracking_uri: of the store.
        experiment: in which the run is shown; made, where there is none.
    """

    @checked
    def __init__(self, run: RunDir, step: int, *, tracking_uri: str, experiment: str) -> None:
        for key, value in ENVIRONMENT.items():
            os.environ.setdefault(key, value)
        import mlflow  # the settings first

        said = logging.getLogger(mlflow.__name__)  # it writes to the screen; here it goes where all libraries' goes
        said.handlers, said.propagate = [], True
        said.setLevel(logging.WARNING)
        self._folder, self._uri, self._is_known = run, tracking_uri, False
        path = Path(tracking_uri.removeprefix(FILE)).absolute() if tracking_uri.startswith(FILE) else None
        tracking_uri = f"{FILE}{path}" if path else tracking_uri  # MLflow keeps connections, by this text
        with console.doing("opening the MLflow store"), _reaching(tracking_uri):
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
            known = _still_there(tracking_uri, run.read_tracking().get(NAME))
            super().__init__(experiment, name_of(run), tracking_uri, run_id=known)

    @property
    def experiment(self) -> "MlflowClient":
        """The store, in which the run is there from the first time on."""
        if not self._is_known:
            with _reaching(self._uri):
                client = self._with_run()
            self._is_known = True
            self._folder.write_tracking(NAME, str(self.run_id))
            return client
        return super().experiment

    def _with_run(self) -> "MlflowClient":
        from mlflow.exceptions import MlflowException

        try:
            return super().experiment
        except MlflowException as error:
            if error.error_code != ALREADY_THERE:
                raise
            return super().experiment  # another job of a sweep made the experiment in between

    def log_hyperparams(self, params: Section) -> None:  # type: ignore[override]
        texts = {key: shown(value)[:LONGEST] for key, value in params.items()}
        before = self.experiment.get_run(self.run_id).data.params
        super().log_hyperparams({key: text for key, text in texts.items() if key not in before})
        for key, text in texts.items():
            if before.get(key, text) != text:
                self.experiment.set_tag(self.run_id, key, text)
        self.experiment.update_run(self.run_id, status="RUNNING")

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        with _going_on():
            super().log_metrics(metrics, step)

    def finalize(self, status: str = "success") -> None:
        """Nothing: Lightning calls it after the training, and again after the test."""

    def on_result(self, run: RunDir, result: Section) -> None:
        if not self._is_known:
            return
        with _going_on():
            best = {f"{WHEN_BEST}{name}": value for name, value in result["metrics"].items() if value is not None}
            super().log_metrics({name: value for name, value in best.items() if "test/" not in name}, result["steps"])
            self.experiment.set_tag(self.run_id, "status", result["status"])
            self.experiment.set_terminated(self.run_id, STATUS.get(result["status"], "FAILED"))


@contextmanager
def _reaching(uri: str) -> Iterator[None]:
    """In the body, a store that cannot be used is a mistake of whoever named it.

    Raises:
        UserError: with the first line of what MLflow, its database or its connection say.
    """
    try:
        yield
    except Exception as error:
        log.info("MLflow", exc_info=True)
        raise UserError(f"logger.mlflow.tracking_uri={uri} cannot be used: {first_line(error).rstrip('.')}.") from None


@contextmanager
def _going_on() -> Iterator[None]:
    """In the body, a store that fails is said, and no more."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        log.warning("MLflow's store has not all of this run: %s", first_line(error))


def _still_there(uri: str, run_id: str | None) -> str | None:
    """The run's id, if the store has it; MLflow's own deletion of a run leaves it there, but for nobody to write to."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        is_there = run_id is not None and MlflowClient(uri).get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
        is_there = False
    return run_id if is_there else None
