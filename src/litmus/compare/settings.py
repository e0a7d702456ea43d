"""What decides what a run learns: whether two runs share it, where they differ, and how values are written."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress

import yaml

from litmus.config.keys import NAMED_GROUPS
from litmus.config.validate import shown
from litmus.page.axes import WHOLE, digits

# A run's settings, flat: `"model.dropout"` to 0.5.
Settings = dict[str, object]

CHANGES = "changes"  # the key of what was changed when a run was resumed
LONG = 9  # significant digits of a number, from where it is rounded: nobody types as many
# Keys of data that say how samples are presented to the network, and not which samples there are.
PRESENTATION = ("batch_size", "augment", "mosaic", "flip", "size", "colours", "window")
ABSENT = object()  # a setting that a run does not have, as an FNN has no kernel_size


def canonical(value: object) -> str:
    """Equal for values that mean the same: 1 and 1.0, but not 1 and true."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return json.dumps(value, sort_keys=True, default=str)


def settings_key(settings: Settings) -> str:
    """Equal for settings that mean the same, in whatever order."""
    return "\n".join(f"{key}={canonical(settings[key])}" for key in sorted(settings))


def data_settings(settings: Settings) -> Settings:
    """Those that decide which samples there are: results on other samples are not comparable."""
    return {
        key: value
        for key, value in settings.items()
        if key == "data" or (key.startswith("data.") and key.removeprefix("data.") not in PRESENTATION)
    }


def varying_keys(settings: Sequence[Settings]) -> tuple[str, ...]:
    """The keys whose values differ, the choices of the groups first.

    A key that only some choices have, always with the same value, is left out: the choice implies it.
    """
    found = []
    for key in dict.fromkeys(key for each in settings for key in each):
        values = {canonical(each[key]) for each in settings if key in each}
        everywhere = all(key in each for each in settings)
        group = key.partition(".")[0]
        if len(values) > 1 or not (everywhere or (group in NAMED_GROUPS and group in found)):
            found.append(key)
    return tuple(found)


def typed_value(text: str) -> object:
    """The value of a text: `[64,32]` is a list, and `1e-2`, which YAML takes for text, a number."""
    with suppress(ValueError):
        return float(text)
    with suppress(yaml.YAMLError, ValueError):
        value: object = yaml.safe_load(text)
        return value
    return text


def exact_value(settings: Settings, key: str) -> str:
    """A value as it is typed on the command line; empty if the settings lack the key."""
    value = settings.get(key, ABSENT)
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE:
        return str(int(value))  # dropout=0 and dropout=0.0 are the same
    return "" if value is ABSENT else shown(value)


def short_value(settings: Settings, key: str) -> str:
    """The same, abbreviated."""
    return abbreviate(exact_value(settings, key))


def setting_label(settings: Settings, keys: Sequence[str]) -> str:
    """`optimizer.lr=0.003  model.dropout=0.1`, without the keys that a setting does not have."""
    return "  ".join(f"{key}={text}" for key in keys if (text := short_value(settings, key)))


def abbreviate(text: str) -> str:
    """The text of a value; a number with more digits than one types, such as a search samples, is rounded."""
    if not re.fullmatch(r"-?\d*\.?\d+(e[-+]?\d+)?", text) or text.isdigit():
        return text
    significant = re.sub(r"e.*|\D", "", text).lstrip("0")
    return text if len(significant) < LONG else digits(float(text))


def short_key(key: str, keys: Sequence[str]) -> str:
    """The last part of a key's name, if it is unambiguous among `keys`."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in keys) == 1 else key


def duration(seconds: float) -> str:
    """In the two largest units: `1 h 12 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    for size, name, next_size, next_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {name}" + (f" {rest} {next_name}" if rest else "")
    raise AssertionError("at least a minute has a unit")
