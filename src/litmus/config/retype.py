"""The overrides that compose a configuration again: what one would type to run it once more, elsewhere or otherwise.

Nothing is composed here, so nothing of Hydra is imported: the files of the chosen groups are merged in the order of
`conf/train.yaml`, which is all that composing them does once every choice is named.
"""

import re
from collections.abc import Iterator

import yaml

from litmus.config.conf import CONF, targets
from litmus.config.keys import choice
from litmus.config.types import Section
from litmus.config.validate import override
from litmus.errors import UserError

# What is chosen by name, in the order of conf/train.yaml; the other groups by what they are usually.
CHOSEN = ("task", "data", "optimizer", "scheduler", "model", "logger")
ORDER = ("task", "data", "optimizer", "scheduler", "callback", "model", "trainer", "logger")
USUAL = {"callback": "default", "trainer": "auto"}


def overrides_of(config: Section) -> list[str]:
    """The choices of a configuration, and each value of its groups that differs from theirs: all but the seed.

    Args:
        config: a run's, plain values; nothing is taken for granted of it, as a folder may be somebody else's.

    Raises:
        UserError: one of its choices is not among conf's, or a text in it would be an interpolation.
    """
    for group in CHOSEN:
        if (target := config[group]["_target_"]) not in targets()[group]:
            raise UserError(f"{group}._target_={target} is none of the choices of {group}.")
    choices = USUAL | {group: choice(config, group) for group in CHOSEN}
    defaults: Section = {}
    for group in ORDER:
        _merge(defaults, _contents(group, choices[group]))
    wanted = {group: config[group] for group in ORDER if isinstance(config.get(group), dict)}
    typed = [f"{group}={choices[group]}" for group in ("model", *CHOSEN[:-2])]
    typed += [f"logger={choices['logger']}"] * (choices["logger"] != "tensorboard")
    return typed + list(_differences("", defaults, wanted))


def _contents(group: str, name: str) -> Section:
    """A file of the configuration, with the files that it includes, as a part of the whole."""
    text = (CONF / group / f"{name}.yaml").read_text(encoding="utf-8")
    package = re.match(r"# @package (\S+)", text)
    where = package[1] if package else group
    own = yaml.safe_load(text) or {}
    whole: Section = {}
    for included in own.pop("defaults", []):
        if isinstance(included, str):  # others choose, and every choice is named
            _merge(whole, _contents(group, included))
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


def _differences(path: str, defaults: Section, wanted: Section) -> Iterator[str]:
    for key, value in wanted.items():
        name, default = f"{path}{key}", defaults.get(key)
        if isinstance(value, dict) and isinstance(default, dict):
            yield from _differences(f"{name}.", default, value)
        elif key not in defaults or not _same(default, value):
            yield f"{'' if key in defaults else '++'}{name}={_typed(value)}"


def _same(default: object, value: object) -> bool:
    if isinstance(default, str) and isinstance(value, float):
        return bool(re.fullmatch(r"[\d.]+e-?\d+", default)) and float(default) == value  # YAML 1.1 reads 3e-3 as text
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
