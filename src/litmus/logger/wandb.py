"""A run in Weights & Biases: in its folder `wandb`, or on the server."""

import logging
import os
import uuid
from typing import TYPE_CHECKING, Literal

from lightning.pytorch.loggers import WandbLogger

from litmus import console
from litmus.config.tags import WHEN_BEST
from litmus.config.types import Section
from litmus.config.validate import checked
from litmus.errors import UserError, first_line
from litmus.logger._base import RunLogger, name_of
from litmus.record.folder import RunDir

if TYPE_CHECKING:
    from wandb import Run

log = logging.getLogger(__name__)

NAME = "wandb"  # in the run's file of ids
STEP = "trainer/global_step"  # as Lightning calls it
# Nothing is sent that nobody asked for: its own crashes would be, offline, too. A server that does not answer is given
# up in seconds, and not in minutes.
ENVIRONMENT = {"WANDB_ERROR_REPORTING": "false", "WANDB_INIT_TIMEOUT": "20"}
EXIT_CODE = {"finished": 0, "pruned": 0, "interrupted": 255}  # of all other endings, 1; 255 is wandb's own for Ctrl-C


class WandB(WandbLogger, RunLogger):
    """Metrics, what decides what a run learns as its configuration, and how the run ended.

    A resumed run goes on under its id: on the server as the same run; offline, each process writes a folder, and
    `wandb sync` joins them. What a killed process had said last may be lost: wandb keeps it in memory for a while.

    Args:
        run: the folder.
        step: not used: points are drawn over the step that each has.
        mode: whether anything is sent.
        project: in which the run is shown.
    """

    @checked
    def __init__(self, run: RunDir, step: int, *, mode: Literal["offline", "online"], project: str) -> None:
        super().__init__(name=name_of(run), save_dir=run.path, project=project)
        self._folder, self._mode = run, mode
        self._run: Run | None = None

    @property
    def experiment(self) -> "Run":
        """Wandb's run, which begins at the first time; Lightning's own way prints a warning."""
        if self._run is None:
            run_id = self._folder.read_tracking().get(NAME, uuid.uuid4().hex[:8])
            with console.doing("starting wandb"):
                self._run = self._begun(run_id)
            self._folder.write_tracking(NAME, run_id)
        return self._run

    def _begun(self, run_id: str) -> "Run":
        for key, value in ENVIRONMENT.items():
            os.environ.setdefault(key, value)
        import wandb  # the settings first

        try:
            run = wandb.init(
                dir=self.save_dir,
                id=run_id,
                name=name_of(self._folder),
                project=self.name,
                mode=self._mode,
                resume="allow",
                reinit="return_previous",  # the run's own, where a training goes back to its last epoch
                settings=wandb.Settings(silent=True, console="off"),
            )
        except wandb.Error as error:
            log.info("wandb", exc_info=True)
            raise UserError(f"logger=wandb cannot begin a run: {first_line(error).rstrip('.')}.") from None
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP, step_sync=True)
        return run

    def finalize(self, status: str) -> None:
        """Nothing: Lightning calls it after the training, and again after the test."""

    def on_result(self, run: RunDir, result: Section) -> None:
        if self._run is None:
            return
        best = {f"{WHEN_BEST}{name}": value for name, value in result["metrics"].items() if "test/" not in name}
        self._run.summary.update({**best, "status": result["status"]})
        self._run.finish(exit_code=EXIT_CODE.get(result["status"], 1))
