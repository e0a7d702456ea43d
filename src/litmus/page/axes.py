"""Axes of charts: from values to places, linear or logarithmic, with ticks that a person would choose."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

STEPS = (1, 2, 2.5, 5, 10)  # of ticks, times a power of ten
PADDING = 0.04  # of the range, beyond the values at both ends
WHOLE = 1e6  # whole numbers below are written with all digits
DECADES = 1.5  # beyond so many, positive values whose axis may be logarithmic get one


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        low: the value at its beginning.
        high: the value at its end.
        label: what the values are.
        ticks: values that are marked, and what stands beside them.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    label: str
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value is, as a fraction of the axis; those beyond its ends are at them."""
        return min(1.0, max(0.0, self.fraction(value)))

    def fraction(self, value: float) -> float:
        """The same, below 0 or above 1 beyond the ends; what has no logarithm is at the beginning."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(value if value > 0 else low)
        return (at - low) / (high - low)


def axis(
    values: Iterable[float],
    label: str = "",
    *,
    log: bool = False,
    whole: bool = False,
    low: float | None = None,
    high: float | None = None,
    most: int = 6,
) -> Axis:
    """An axis over values.

    Args:
        values: to be shown; those that are not finite do not count.
        label: what they are.
        log: whether the axis is logarithmic where the values ask for it: all positive, over more than 1.5 decades.
        whole: whether only whole numbers are marked.
        low: the beginning, if the values do not decide.
        high: the end.
        most: about how many ticks there may be.
    """
    finite = [float(value) for value in values if math.isfinite(value)] or [0.0, 1.0]
    first, last = min(finite), max(finite)
    if log and first > 0 and math.log10(last / first) > DECADES:
        return _logarithmic(first, last, label, most)
    if first == last == 0:
        last = 1.0  # nothing but zeros is at the beginning
    margin = PADDING * (last - first) or abs(first) * 0.1
    begin = first - margin if low is None else low
    end = last + margin if high is None else high
    if not end > begin:
        end = begin + 1.0
    step = _step((end - begin) / most)
    step = max(1.0, float(math.ceil(step))) if whole else step
    start = math.ceil(begin / step - 1e-9)
    marks = [number * step for number in range(start, math.floor(end / step + 1e-9) + 1)]
    return Axis(begin, end, label, [(mark, number_text(mark, step)) for mark in marks])


def named_axis(names: Sequence[str], label: str = "") -> Axis:
    """An axis of names, each in the middle of its room: the first has the value 0."""
    return Axis(-0.5, len(names) - 0.5, label, list(enumerate(names)))


def clipped(polygon: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What of a polygon is in the unit square: cut at one edge after the other (Sutherland and Hodgman 1974)."""
    found = list(polygon)
    for axis, edge, inward in ((0, 0.0, 1), (0, 1.0, -1), (1, 0.0, 1), (1, 1.0, -1)):
        found = list(_cut(found, axis, edge, inward))
    return found


def _cut(polygon: Sequence[tuple[float, float]], axis: int, edge: float, inward: int) -> Iterator[tuple[float, float]]:
    """The corners on the inner side of an edge, and where the outline crosses it."""
    for before, corner in zip([*polygon[-1:], *polygon[:-1]], polygon, strict=True):
        depth_before, depth = (inward * (point[axis] - edge) for point in (before, corner))
        if (depth_before < 0) != (depth < 0):
            share = depth_before / (depth_before - depth)
            yield before[0] + share * (corner[0] - before[0]), before[1] + share * (corner[1] - before[1])
        if depth >= 0:
            yield corner


def number_text(value: float, step: float = 0.0) -> str:
    """A number in as few digits as tell it from those a step away; three digits without a step."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    if step and abs(step) >= 1e-4 and abs(value) < 1e6:
        decimals = max(0, -math.floor(math.log10(abs(step)) + 1e-9))
        decimals += 0 if math.isclose(round(step, decimals), step) else 1
        return f"{value:.{decimals}f}"
    digits = 3 if not step else max(3, math.ceil(math.log10(abs(value) / abs(step))) + 1)
    short = f"{value:.{digits}g}"
    return short.replace("e-0", "e-").replace("e+0", "e")


def digits(value: float) -> str:
    """A number with three significant digits, a whole one with all: `0.0123`, `12.3`, `1230`, `1995`, `1.23e-05`."""
    if abs(value) < WHOLE and float(value).is_integer():
        return str(int(value))
    return f"{float(f'{value:.3g}'):g}"


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in STEPS if step * power >= least * (1 - 1e-9))


def _logarithmic(first: float, last: float, label: str, most: int) -> Axis:
    low, high = math.log10(first), math.log10(last)
    margin = PADDING * (high - low)
    begin, end = 10 ** (low - margin), 10 ** (high + margin)
    every = max(1, math.ceil((high - low) / most))
    powers = range(math.floor(low) - 1, math.ceil(high) + 2)
    factors = (1, 2, 5) if high - low < 2.5 else (1,)
    marks = [factor * 10.0**power for power in powers if power % every == 0 for factor in factors]
    return Axis(begin, end, label, [(m, number_text(m)) for m in marks if begin <= m <= end], log=True)
