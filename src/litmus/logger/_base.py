"""What a run asks of its loggers besides what Lightning does."""

from lightning.pytorch.loggers import Logger

from litmus.config.types import Section
from litmus.record.folder import RunDir


class RunLogger(Logger):
    """A logger of `conf/logger/`, in the one process that logs.

    It is built with the run's folder, and the step at which the run begins or goes on.
    """

    def on_result(self, run: RunDir, result: Section) -> None:
        """Called once, when the run has ended and `result` stands in its `result.json`."""


def name_of(run: RunDir) -> str:
    """The run's name where it stands beside others: `cnn-mnist/2026-11-28_06-29-12-345_lr-0.01`."""
    return "/".join(run.path.resolve().parts[-2:])
