"""What one types to train a run's setting again."""

import shlex

from litmus.config.command import train_command
from litmus.config.retype import overrides_of
from litmus.errors import UserError
from litmus.record.folder import RunDir


def words_of(run: RunDir) -> list[str] | None:
    """What one types to train the run's setting again; None where it cannot be typed.

    As it was typed; of a sweep's job, what differs from the defaults.
    """
    commands = (run.read_environment() or {}).get("commands") or [""]
    typed = shlex.split(str(commands[0]))[2:]
    if typed and not any(word.startswith(("-", "reproduce=")) for word in typed):
        return [word for word in typed if not word.startswith(("resume=", "hydra."))]
    try:
        config = run.read_config()
        return overrides_of(run.read_requested() or config)
    except (UserError, KeyError, TypeError, AttributeError):  # of an earlier version, or changed by hand
        return None


def command_with(run: RunDir, overrides: str) -> str:
    """The command that trains the run's setting with other values; those alone where the setting cannot be typed."""
    keys = {word.partition("=")[0] for word in overrides.split()}
    kept = [word for word in words_of(run) or () if word.partition("=")[0] not in keys]
    return train_command(*kept, *overrides.split())
