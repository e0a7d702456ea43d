"""The main effect of each swept key: how the metric moves with its values, over everything else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from litmus.compare.ranking import Ranking, Row
from litmus.compare.settings import ABSENT, exact
from litmus.compare.statistics import Summary, summary

FEW = 12  # values up to which a key has a mean for each; of a random search every value is another
WIDE, CROWDED = 10.0, 0.3  # an axis is logarithmic where values span so many times the smallest, and crowd near it
MOST_TICKS = 5


@dataclass(frozen=True)
class Effect:
    """One key.

    Attributes:
        key: its name.
        values: what it was set to, sorted if they are numbers.
        texts: the same as one types them.
        means: of the settings with each value.
        points: for every setting the number of its value, and its metric.
        others: keys that changed only together with this one, so that their effects cannot be told apart.
    """

    key: str
    values: tuple[object, ...]
    texts: tuple[str, ...]
    means: tuple[Summary, ...]
    points: tuple[tuple[int, float], ...]
    others: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        return all(is_number(value) for value in self.values)

    @property
    def scattered(self) -> bool:
        """Whether there are too many values for a mean of each."""
        return self.numeric and len(self.values) > FEW

    @property
    def size(self) -> float:
        """From the smallest mean to the largest; of scattered values, by thirds of them."""
        means = [of.mean for of in self.means]
        if self.scattered:
            third = math.ceil(len(means) / 3)
            means = [
                math.fsum(part) / len(part) for part in (means[:third], means[third:-third], means[-third:]) if part
            ]
        return max(means) - min(means)

    def positions(self) -> tuple[list[float], bool]:
        """Where the values lie on an axis, and whether it is logarithmic."""
        if not self.numeric:
            return [float(i) for i in range(len(self.values))], False
        numbers = [float(value) for value in self.values]  # type: ignore[arg-type]  # they are numbers
        low, high, middle = numbers[0], numbers[-1], numbers[(len(numbers) - 1) // 2]
        return numbers, low > 0 and high / low >= WIDE and middle - low < CROWDED * (high - low)

    @cached_property
    def heights(self) -> dict[str, float]:
        """Where each value lies on an axis from 0 to 1."""
        positions, log = self.positions()
        if log:
            positions = [math.log(position) for position in positions]
        low, high = positions[0], positions[-1]
        shares = [(position - low) / (high - low) if high > low else 0.5 for position in positions]
        return dict(zip(self.texts, shares, strict=True))

    def ticks(self) -> Sequence[str]:
        """The values to write at an axis."""
        if len(self.texts) <= MOST_TICKS or not self.numeric:
            return self.texts[:FEW]
        return self.texts[0], self.texts[-1]


def effects(ranking: Ranking) -> list[Effect]:
    """The effects of the keys that differ, the largest first; keys that change together are one.

    Values that a search drew are all different: those of two keys do not change together for it.
    """
    together: dict[tuple[object, ...], list[str]] = {}
    for key in ranking.keys:
        texts = [value_text(row, key) for row in ranking.rows]
        places = tuple(texts.index(text) for text in texts)
        drawn = len(texts) > 2 and len(set(texts)) == len(texts)
        together.setdefault((key,) if drawn else places, []).append(key)
    found = [replace(_effect(ranking, key), others=tuple(others)) for key, *others in together.values()]
    return sorted(found, key=lambda effect: -effect.size)


def _effect(ranking: Ranking, key: str) -> Effect:
    values = {value_text(row, key): row.settings.get(key, ABSENT) for row in ranking.rows}
    numeric = all(is_number(value) for value in values.values())
    texts = sorted(values, key=lambda text: float(values[text])) if numeric else list(values)
    number = {text: i for i, text in enumerate(texts)}
    points = [(number[value_text(row, key)], row.value.mean) for row in ranking.rows]
    by_value: list[list[float]] = [[] for _ in texts]
    for i, mean in points:
        by_value[i].append(mean)
    means = tuple(summary(each) for each in by_value)
    return Effect(key, tuple(values[text] for text in texts), tuple(texts), means, tuple(points))


def value_text(row: Row, key: str) -> str:
    """A setting as an axis knows it."""
    return exact(row.settings, key) or "–"


def is_number(value: object) -> bool:
    """Whether it has a place on an axis of numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
