"""How many epochs a training has: those of `trainer.max_epochs`, or as many parts of each as are validated."""

from litmus.config.types import Section


def epochs_per_pass(trainer: Section) -> int:
    """How many epochs make a pass over the training data.

    An epoch ends with a validation, and with what follows one: a row of metrics, a checkpoint, early stopping. So
    `trainer.val_check_interval` cuts a pass into several.

    Args:
        trainer: the section of the configuration, resolved: the interval is a fraction.
    """
    interval: float | None = trainer["val_check_interval"]
    return 1 if interval is None else max(1, round(1 / interval))


def num_epochs(trainer: Section) -> int:
    """Of a whole training. `trainer.max_epochs` counts passes."""
    passes: int = trainer["max_epochs"]
    return passes * epochs_per_pass(trainer)


def passes_for(epochs: int, trainer: Section) -> int:
    """The `trainer.max_epochs` of so many epochs at least."""
    return -(-epochs // epochs_per_pass(trainer))
