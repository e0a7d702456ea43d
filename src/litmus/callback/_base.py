"""What every callback of the configuration says of itself, and may do besides Lightning's hooks."""

from typing import ClassVar, cast

import lightning.pytorch as lightning

from litmus.config import protocols
from litmus.config.types import Section
from litmus.record.folder import RunDir


class Callback(lightning.Callback):
    """A callback of `conf/callback/`.

    Attributes:
        affects_training: whether a run with it learns something else than one without: then its keys identify the run,
            and are compared. `litmus.config.keys` reads it from the source text.
        needed: whether no run may be without it, as it could not be resumed or tested.
    """

    affects_training: ClassVar[bool]
    needed: ClassVar[bool] = False

    def on_result(self, run: RunDir, result: Section) -> None:
        """Called once, when the run has ended and `result` stands in its `result.json`."""


def task_of(module: lightning.LightningModule) -> protocols.Task:
    """The task behind the module that Lightning's hooks are given."""
    return cast(protocols.Task, module)


def data_of(trainer: lightning.Trainer) -> protocols.Data:
    """The dataset that is trained on."""
    return cast(protocols.Data, trainer.datamodule)  # type: ignore[attr-defined]  # Lightning's types leave it out
