"""Every key of a configuration: whether it identifies a run, may change on resume, is shown, and is compared.

`KEYS` is the one table; the functions below read it.
"""

import functools
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from litmus.config.conf import choice_of, targets
from litmus.config.plugins import owner
from litmus.config.types import Section, Seed
from litmus.config.validate import class_attributes
from litmus.errors import UserError

GROUPS = ("model", "data", "task", "optimizer", "scheduler", "trainer")  # of which every run has one choice
SHOWN_GROUPS = ("model", "data", "task", "optimizer", "scheduler", "trainer")
NAMED_GROUPS = ("model", "data", "task", "optimizer", "scheduler")  # whose choice is compared by its name


USUAL_LOGGERS = ["tensorboard"]


class Key(NamedTuple):
    """What holds for the keys that fit a pattern.

    Attributes:
        pattern: as the shell's.
        identifies: a run with another value is another run: a sweep's job does not resume it.
        resumable: the value may be changed when a run is resumed.
        shown: it is shown before the training.
        compared: it may tell two rows of a comparison, or of TensorBoard's table, apart.
    """

    pattern: str
    identifies: bool
    resumable: bool
    shown: bool
    compared: bool


# The first pattern that fits decides. `data.path` and `data.source` are compared: other files are other data.
KEYS = (
    #   pattern                  identifies resumable shown  compared
    Key("logger.*",              False,     True,     False, False),
    Key("trainer._target_",      True,      True,     False, False),
    Key("*._target_",            True,      False,    False, False),
    Key("seed",                  True,      False,    True,  True),
    Key("resume",                False,     False,    False, False),
    Key("reproduce",             False,     False,    False, False),
    Key("environment.*",         False,     False,    False, False),
    Key("sweep.*",               False,     False,    False, False),
    Key("data.dir",              False,     True,     True,  False),
    Key("data.period",           False,     True,     True,  False),
    Key("data.source",           True,      True,     True,  True),
    Key("data.eval_batch_size",  True,      False,    True,  False),
    Key("task.baselines",        False,     True,     True,  False),
    Key("trainer.accelerator",   True,      True,     True,  False),
    Key("trainer.detect_anomaly", True,     True,     True,  False),
    Key("trainer.num_nodes",     True,      True,     False, True),
    Key("trainer.strategy",      True,      True,     False, True),
    Key("trainer.val_check_interval", True, False, True, True),
    Key("trainer.*",             True,      True,     True,  True),
    Key("callback",              True,      True,     False, True),
    Key("*",                     True,      False,    True,  True),
)  # fmt: skip


def settings(
    *,
    model: Section,
    data: Section,
    task: Section,
    optimizer: Section,
    scheduler: Section,
    trainer: Section,
    callback: Section,
    logger: Section,
    seed: Seed,
    resume: str | None,
    reproduce: str | None,
) -> None:
    """The keys of a configuration, at the top level; `litmus.config.validate` reads them here."""


@functools.cache
def key_of(key: str) -> Key:
    """What holds for a key, such as `optimizer.lr`; for a group, such as `trainer`, what holds for the keys in it."""
    if key.startswith("callback."):
        _, name, *inner = key.split(".")
        identifies = affects_training(name)
        return Key("callback.*", identifies, True, False, identifies and inner != ["_target_"])
    # A section that is switched off is a key without keys below it.
    return next(each for each in KEYS if fnmatchcase(key, each.pattern) or each.pattern == f"{key}.*")


def affects_training(callback: str) -> bool:
    """Whether a callback changes what is learned, as its class says; one that is not here is taken to.

    Args:
        callback: its name, such as "early_stopping".

    Raises:
        UserError: the callback's class does not say.
    """
    target = next((each for each in sorted(targets()["callback"]) if choice_of(each) == callback), None)
    if target is None:
        return True
    found = class_attributes(target, ("affects_training",))
    if not found:
        raise UserError(f"{target}: the callback's class does not set affects_training to True or False.")
    return bool(found["affects_training"])


@functools.cache
def _needed_callbacks() -> tuple[str, ...]:
    """Those that no run may be without, as their classes say: litmus' own, as a plugin's has not been everywhere."""
    own = [target for target in targets()["callback"] if not owner(target)]
    found = {choice_of(target): class_attributes(target, ("needed",)) for target in own}
    return tuple(sorted(name for name, attributes in found.items() if attributes.get("needed")))


def callback_mistakes(callbacks: Section, choice: str) -> list[str]:
    """What a run needs and its configuration leaves out, as sentences.

    Args:
        callbacks: the section of the configuration.
        choice: of the group; `default` has them all.
    """
    missing = [name for name in _needed_callbacks() if callbacks.get(name) is None]
    if missing and choice != "default":
        keys = ", ".join(f"callback.{key}" for key, _ in flat(callbacks) if not key.endswith("_target_"))
        return [
            f"callback={choice} would replace all callbacks, {' and '.join(missing)} among them, which a run needs. "
            + (f"Set its keys instead: {keys}." if keys else "Leave it out.")
        ]
    return [f"callback.{name}=null is not allowed: a run needs it to be resumed and tested." for name in missing]


def flat(section: Section, path: str = "") -> Iterator[tuple[str, object]]:
    """Every key with its value, as one types it: `("model.dropout", 0.5)`."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def choice(config: Section, group: str) -> str:
    """The name that one types after `group=`: cnn for litmus.model.cnn.CNN, adam for litmus.optimizer.adam."""
    return choice_of(str(config[group]["_target_"]))


def logger_names(config: Section) -> list[str]:
    """The names of a run's loggers, as one types them after `logger=`.

    Raises:
        UserError: one of them is none of litmus' own.
    """
    chosen = {key: str(section["_target_"]) for key, section in config["logger"].items() if section is not None}
    for key, target in chosen.items():
        if target not in targets()["logger"]:
            raise UserError(f"logger.{key}._target_={target} is none of the choices of logger. It is not called.")
    return [choice(config["logger"], key) for key in chosen]


def logger_override(names: Sequence[str]) -> str:
    """The choice of these loggers, as one types it."""
    together = ",".join(names) or "none"
    return f"logger=[{together}]" if len(names) > 1 else f"logger={together}"


def identity(config: Section) -> Section:
    """What makes a run the one it is, flat: equal for two configurations that are the same run."""
    return {key: value for key, value in flat(config) if key_of(key).identifies}


def hyperparameters(config: Section, sections: tuple[str, ...] | None = None) -> Section:
    """What decides what a run learns, flat, by the names one types, the choices of the groups first.

    Args:
        config: a run's configuration, plain values.
        sections: the keys at the top level to look at; all of them, if None.
    """
    named = {group: choice(config, group) for group in NAMED_GROUPS if sections is None or group in sections}
    order = sorted(config, key=lambda key: NAMED_GROUPS.index(key) if key in NAMED_GROUPS else len(NAMED_GROUPS))
    within = {key: config[key] for key in order if sections is None or key in sections}
    return named | {key: value for key, value in flat(within) if key_of(key).compared}
