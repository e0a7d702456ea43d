"""What of a configuration is not its choices' default, and the overrides that compose it again.

Nothing is composed here, so nothing of Hydra is imported: the files of the chosen groups are merged in the order of
`conf/train.yaml`, which is all that composing them does once every choice is named.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from litmus.config.conf import CONF, file, refusal, targets
from litmus.config.instantiate import from_text
from litmus.config.keys import USUAL_LOGGERS, choice, logger_names, logger_override
from litmus.config.types import Section
from litmus.config.validate import override
from litmus.errors import UserError

# What is chosen by name, in the order of conf/train.yaml; the other groups by what they are usually.
CHOSEN = ("task", "data", "optimizer", "scheduler", "model")
ORDER = ("task", "data", "optimizer", "scheduler", "callback", "model", "trainer", "logger")
USUAL = {"callback": "default", "trainer": "auto"}
DECIDED = (None, "auto")  # defaults for which a run finds a value


class Difference(NamedTuple):
    """A value that is not the default.

    Attributes:
        key: as one types it.
        value: of the run.
        default: of the run's choices.
        known: whether the choices have the key at all.
    """

    key: str
    value: object
    default: object
    known: bool


def differing(config: Section, requested: Section) -> list[Difference]:
    """What somebody chose: each value that is not the default of the run's choices, the seed among them.

    What a run decided itself, such as `trainer.precision` for `auto`, and what follows from the environment is left
    out, and so are groups whose choice is none of litmus' own, whose defaults nobody knows.

    Args:
        config: a run's, resolved.
        requested: the same before anything followed from data and device.
    """
    own = {group: choice(config, group) for group in CHOSEN if str(config[group]["_target_"]) in targets()[group]}
    defaults = _defaults(USUAL | own, [])
    wanted = {name: config[name] for name in ("seed", *USUAL, *own) if name in config}
    return [
        each
        for each in _differences("", defaults, wanted)
        if not (each.default in DECIDED and _at(requested, each.key) == each.default)
        and not str(each.default).startswith("${")
        and not each.key.endswith("._target_")
    ]


def _at(config: Section, key: str) -> object:
    found: object = config
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def overrides_of(config: Section) -> list[str]:
    """The choices of a configuration, and each value of its groups that differs from theirs: all but the seed.

    Args:
        config: a run's, plain values; nothing is taken for granted of it, as a folder may be somebody else's.

    Raises:
        UserError: one of its choices is not among conf's, or a text in it would be an interpolation.
    """
    for group in CHOSEN:
        if (target := config[group]["_target_"]) not in targets()[group]:
            raise UserError(refusal(target, group))
    choices, loggers = USUAL | {group: choice(config, group) for group in CHOSEN}, logger_names(config)
    wanted = {group: config[group] for group in ORDER if isinstance(config.get(group), dict)}
    typed = [f"{group}={choices[group]}" for group in ("model", *CHOSEN[:-1])]
    typed += [logger_override(loggers)] * (loggers != USUAL_LOGGERS)
    found = _differences("", _defaults(choices, loggers), wanted)
    return typed + [f"{'' if each.known else '++'}{each.key}={_typed(each.value)}" for each in found]


def _defaults(choices: Mapping[str, str], loggers: Sequence[str]) -> Section:
    """The configuration of these choices alone, without the groups that are not among them."""
    train = from_text((CONF / "train.yaml").read_text(encoding="utf-8"))
    defaults: Section = {"seed": train["seed"]}
    for group in ORDER:
        if group in choices:
            _merge(defaults, contents(group, choices[group]))
    for name in loggers:
        _merge(defaults, contents("logger", name))
    return defaults


def contents(group: str, name: str) -> Section:
    """A file of the configuration, with the files that it includes, as a part of the whole."""
    text = file(group, name).read_text(encoding="utf-8")
    package = re.match(r"# @package (\S+)", text)
    where = package[1] if package else group
    own = from_text(text)
    whole: Section = {}
    for included in own.pop("defaults", []):
        if isinstance(included, str):  # others choose, and every choice is named
            _merge(whole, contents(group, included))
    for part in reversed([] if where == "_global_" else where.split(".")):
        own = {part: own}
    _merge(whole, own)
    return whole


def _merge(into: Section, other: Section) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _differences(path: str, defaults: Section, wanted: Section) -> Iterator[Difference]:
    for key, value in wanted.items():
        name, default = f"{path}{key}", defaults.get(key)
        if isinstance(value, dict) and isinstance(default, dict):
            yield from _differences(f"{name}.", default, value)
        elif key not in defaults or not _same(default, value):
            yield Difference(name, value, default, key in defaults)


def _same(default: object, value: object) -> bool:
    if isinstance(default, str) and default.startswith("${oc.env:") and value is None:
        return True  # it was not set
    return default == value and isinstance(default, bool) == isinstance(value, bool)


def _typed(value: object) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_typed(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_typed, value))}]"
    if isinstance(value, str):
        if "${" in value:
            raise UserError(f"{value} would be an interpolation.")
        return override("", value).removeprefix("=")
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
