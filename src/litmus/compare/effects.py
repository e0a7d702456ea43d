"""The main effect of each swept key: how the metric changes with its values, averaged over the other keys."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeGuard

from litmus.compare.ranking import Ranking, Row
from litmus.compare.settings import ABSENT, exact_value
from litmus.compare.statistics import Summary, summarize

FEW = 12  # values up to which each has a mean of its own; in a random search every value is different
# An axis is logarithmic if the largest value is so many times the smallest, and the median lies in this first fraction.
WIDE, CROWDED = 10.0, 0.3
MOST_TICKS = 5


@dataclass(frozen=True)
class Effect:
    """One key.

    Attributes:
        key: its name.
        values: those it was set to, sorted if they are numbers.
        texts: the same as they are typed on the command line.
        means: of the metric over the settings with each value.
        points: for every setting the index of its value, and its metric.
        confounded: keys that changed only together with this one, so that their effects cannot be separated.
    """

    key: str
    values: tuple[object, ...]
    texts: tuple[str, ...]
    means: tuple[Summary, ...]
    points: tuple[tuple[int, float], ...]
    confounded: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        return all(is_number(value) for value in self.values)

    @property
    def scattered(self) -> bool:
        """Whether there are too many values for a mean each."""
        return self.numeric and len(self.values) > FEW

    @property
    def size(self) -> float:
        """The range of the means; of scattered values, of the means of each third of them."""
        means = [summary.mean for summary in self.means]
        if self.scattered:
            third = math.ceil(len(means) / 3)
            thirds = (means[:third], means[third:-third], means[-third:])
            means = [math.fsum(each) / len(each) for each in thirds if each]
        return max(means) - min(means)

    def positions(self) -> tuple[list[float], bool]:
        """Where the values lie on an axis, and whether the axis is logarithmic."""
        if not self.numeric:
            return [float(i) for i in range(len(self.values))], False
        numbers = [float(value) for value in self.values if is_number(value)]
        low, high, middle = numbers[0], numbers[-1], numbers[(len(numbers) - 1) // 2]
        return numbers, low > 0 and high / low >= WIDE and middle - low < CROWDED * (high - low)

    @cached_property
    def heights(self) -> dict[str, float]:
        """Where each value lies on an axis from 0 to 1."""
        positions, log = self.positions()
        if log:
            positions = [math.log(position) for position in positions]
        low, high = positions[0], positions[-1]
        fractions = [(position - low) / (high - low) if high > low else 0.5 for position in positions]
        return dict(zip(self.texts, fractions, strict=True))

    def ticks(self) -> Sequence[str]:
        """The values to label an axis with."""
        if len(self.texts) <= MOST_TICKS or not self.numeric:
            return self.texts[:FEW]
        return self.texts[0], self.texts[-1]


def main_effects(ranking: Ranking) -> list[Effect]:
    """The effects of the keys that differ, the largest first; confounded keys share one.

    Keys whose every value is different, as a search samples them, are not confounded for that.
    """
    together: dict[tuple[object, ...], list[str]] = {}
    for key in ranking.keys:
        texts = [value_text(row, key) for row in ranking.rows]
        first = {text: place for place, text in reversed([*enumerate(texts)])}
        places = tuple(first[text] for text in texts)
        sampled = len(texts) > 2 and len(set(texts)) == len(texts)
        together.setdefault((key,) if sampled else places, []).append(key)
    found = [replace(_effect(ranking, key), confounded=tuple(others)) for key, *others in together.values()]
    return sorted(found, key=lambda effect: -effect.size)


def _effect(ranking: Ranking, key: str) -> Effect:
    values = {value_text(row, key): row.settings.get(key, ABSENT) for row in ranking.rows}
    numbers = {text: float(value) for text, value in values.items() if is_number(value)}
    texts = sorted(values, key=numbers.__getitem__) if len(numbers) == len(values) else list(values)
    number = {text: i for i, text in enumerate(texts)}
    points = [(number[value_text(row, key)], row.value.mean) for row in ranking.rows]
    by_value: list[list[float]] = [[] for _ in texts]
    for i, mean in points:
        by_value[i].append(mean)
    means = tuple(summarize(each) for each in by_value)
    return Effect(key, tuple(values[text] for text in texts), tuple(texts), means, tuple(points))


def value_text(row: Row, key: str) -> str:
    """The value of a row's setting as the text that an `Effect` has for it."""
    return exact_value(row.settings, key) or "–"


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value has a place on an axis of numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
