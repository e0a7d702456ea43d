"""The command line that repeats a run: one that was typed, one that was resumed, a sweep's job, a search's trial."""

import re
from collections.abc import Sequence

from litmus.config.command import train_command, words_after
from litmus.config.launch import without_machines
from litmus.config.retype import overrides_of
from litmus.config.types import Section
from litmus.config.validate import override
from litmus.record.configuration import in_new_words
from litmus.record.folder import RunDir

OVERRIDE = re.compile(r"\+{0,2}[\w./@:-]+=[\s\S]*|~[\w./@:-]+(=[\s\S]*)?")
OF_THE_FOLDER = ("resume=", "hydra.", "hydra/")  # how overrides begin that say where a run lies, not what it is


def repeating(run: RunDir, result: Section) -> str | None:
    """The command that trains a run again: as it was, where it can be, else its setting; None where neither can.

    Args:
        run: the folder.
        result: as result.json has it.
    """
    changes = [each for each in result.get("changes") or [] if not each["key"].startswith("environment.")]
    if result.get("status") == "finished" and not changes:
        return train_command(override("reproduce", str(run.path)))
    return command_of(run)


def how_to_resume(run: RunDir) -> str:
    """Says how a run that was stopped goes on."""
    return f"If it was stopped, {train_command(override('resume', str(run.path)))} goes on."


def command_of(run: RunDir) -> str | None:
    """The command that trains a run's setting again, elsewhere; None where it cannot be typed."""
    words = words_of(run)
    return None if words is None else train_command(*words)


def words_of(run: RunDir) -> list[str] | None:
    """What one types after `python train.py` to train a run's setting again; None where it cannot be typed.

    As it was typed, with what was typed later, when the run was resumed; where that is not known, what differs from the
    defaults, and the seed. Not the number of machines: a launcher adds it.
    """
    commands = [typed_words(str(each)) for each in (run.read_environment() or {}).get("commands") or []]
    if commands and commands[0] and not any(word.startswith(("reproduce=", "resume=")) for word in commands[0]):
        own = (word for words in commands for word in words or () if not word.startswith(OF_THE_FOLDER))
        return without_machines({word.partition("=")[0].lstrip("+~"): word for word in own}.values())
    try:
        config = run.read_config()
        return [*without_machines(overrides_of(run.read_requested() or config)), f"seed={int(config['seed'])}"]
    except (ValueError, KeyError, TypeError, AttributeError):  # of an earlier version, or changed by hand
        return None


def typed_words(command: str) -> list[str] | None:
    """The overrides of a command that starts a training; None for another, or one that only describes.

    Up to version 0.1, those of a sweep's jobs did: `a job of a sweep: seed=1`.
    """
    words = words_after(command)
    return in_new_words(words) if words is not None and all(map(OVERRIDE.fullmatch, words)) else None


def command_with(run: RunDir, overrides: str) -> str:
    """The command that trains the run's setting with other values; those alone where the setting cannot be typed."""
    words = words_of(run)
    return overrides if words is None else train_command(*replaced(words, overrides.split()))


def replaced(words: Sequence[str], own: Sequence[str]) -> list[str]:
    """The overrides, with others in place of those of the same keys; of a group, of its choice's keys, too."""
    keys = {word.partition("=")[0] for word in own}
    kept = (word for word in words if not {name := word.partition("=")[0].lstrip("+"), name.partition(".")[0]} & keys)
    return [*kept, *own]
