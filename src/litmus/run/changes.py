"""What was changed when a run was resumed: its checkpoints hold what they were trained with, so no kill loses it."""

import lightning.pytorch as lightning
import torch

from litmus.config.keys import choice, identity
from litmus.config.types import Section
from litmus.record.checkpoint import Checkpoint, history_entries
from litmus.run.environment import git, versions
from litmus.scheduler import FOLLOWING_LENGTH

LENGTHS = {"trainer.max_epochs", "trainer.max_steps", "trainer.max_time"}
ENVIRONMENT = "environment."  # how the names begin of what is no key of the configuration


class History(lightning.Callback):
    """Keeps in every checkpoint what trained it.

    Args:
        trained_with: see `trained_with`.
        changes: see `changes_since`.
    """

    def __init__(self, trained_with: Section, changes: list[Section]) -> None:
        self.entries = history_entries(trained_with, changes)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: Section
    ) -> None:
        checkpoint.update(self.entries)


def trained_with(config: Section) -> Section:
    """What decides the digits of a training, flat: keys of the resolved configuration, and `environment.`"""
    code = git() or {}
    surroundings = {"threads": torch.get_num_threads(), "commit": code.get("commit"), "diff": code.get("diff")}
    return identity(config) | {f"{ENVIRONMENT}{name}": value for name, value in {**surroundings, **versions()}.items()}


def follows_length(config: Section) -> bool:
    """Whether a training of more epochs differs from its first step on.

    Detectors count: versions of YOLO with two heads move the weight from one to the other over the training.
    """
    return choice(config, "scheduler") in FOLLOWING_LENGTH or choice(config, "task") == "detection"


def changes_since(checkpoint: Checkpoint, earlier: Section, config: Section) -> list[Section]:
    """The history of a run that is resumed: from which step on what was different.

    A longer training alone is no change where they only go on.

    Args:
        checkpoint: from which it is resumed.
        earlier: the run's configuration so far, for checkpoints that do not say what they were trained with.
        config: with which it is resumed, resolved.

    Returns:
        Of each change `step`, `key`, `from` and `to`, the earliest first.
    """
    before, now = checkpoint.trained_with or identity(earlier), trained_with(config)
    # A key that only one version of litmus has is no change; a callback that is switched off has none.
    keys = [key for key in {**before, **now} if (key in before and key in now) or key.startswith("callback.")]
    if not follows_length(config):
        keys = [key for key in keys if key not in LENGTHS]
    new = [
        {"step": checkpoint.step, "key": key, "from": before.get(key), "to": now.get(key)}
        for key in keys
        if before.get(key) != now.get(key)
    ]
    return [*checkpoint.changes, *new]
