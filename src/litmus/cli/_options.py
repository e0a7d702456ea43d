"""What the value of an option may be, for `type=` of argparse."""

import argparse
from collections.abc import Callable, Mapping, Sequence

from litmus.config.validate import did_you_mean


def count(text: str) -> int:
    """A whole number, at least 1."""
    return int(_number(text, int, 1, None, "a whole number, at least 1"))


def port(text: str) -> int:
    """A port that a server may listen on."""
    return int(_number(text, int, 1, 65535, "a port, from 1 to 65535"))


def free_or_port(text: str) -> int:
    """A port that a server may listen on; 0 for a free one."""
    return int(_number(text, int, 0, 65535, "a port, from 1 to 65535, or 0 for a free one"))


def score(text: str) -> float:
    """A score of a box, in [0, 1)."""
    return _number(text, float, 0, 1 - 1e-9, "a number in [0, 1)")


def level(text: str) -> float:
    """The level of an interval, in (0, 1)."""
    return _number(text, float, 1e-9, 1 - 1e-9, "a number in (0, 1)")


def rate(text: str) -> float:
    """A learning rate."""
    return _number(text, float, 1e-12, 1e6, "a learning rate, from 1e-12 to 1e6")


def steps(text: str) -> int:
    """So many steps that a curve can be read."""
    return int(_number(text, int, 20, None, "a whole number, at least 20"))


def one_of(names: Sequence[str], others: Mapping[str, str] | None = None) -> Callable[[str], str]:
    """One of some names; a mistyped one is answered with the nearest.

    Args:
        names: that are allowed.
        others: what they are called elsewhere, by that.
    """

    def chosen(text: str) -> str:
        if text in names:
            return text
        elsewhere = (others or {}).get(text.lower())
        hint = f" Did you mean {elsewhere}?" if elsewhere else did_you_mean(text, names)
        raise argparse.ArgumentTypeError(f"there is no {text}.{hint} Choose one of: {', '.join(names)}")

    return chosen


def _number(text: str, kind: type[int] | type[float], lowest: float, highest: float | None, allowed: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not lowest <= value or (highest is not None and value > highest):
        raise argparse.ArgumentTypeError(f"{text!r} is not {allowed}")
    return value
