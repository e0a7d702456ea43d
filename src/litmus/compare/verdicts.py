"""Which settings may be the best, and by how much the others are worse.

Every pair of settings is compared at once, so that it does not matter which looks best. A setting that another exceeds
by more than equal settings would differ (`null`) is worse; those that are left are compared again without it, until
none falls behind, as in a model confidence set (Hansen, Lunde and Nason 2011). docs/benchmarks.md has the error and the
power of this and of other methods ("Verdicts").
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from litmus.compare.layout import Fit, Floats, Layout, fit
from litmus.compare.null import ALPHA, Null, leads

BEST = "best"
SAME = "not significant"
WORSE = "worse"
REFERENCE = "reference"  # that `--against` names
BETTER = "better"  # than that one
DIVERGED = "diverged"  # on some seed: not compared
ONE_SEED = "one seed: not tested"
NO_SEED = "no common seed: not tested"
NO_SPREAD = "constant difference: not tested"
ROUNDING = 1e-9  # a standard deviation below this fraction of the values counts as zero
POWER_QUANTILE = 0.8416  # of the normal distribution, for a power of 80 %
MOST_SEEDS = 1000  # that are ever recommended


@dataclass(frozen=True)
class Verdict:
    """How a setting compares with the reference.

    Attributes:
        words: one of the constants above.
        p: how probable it is among equal settings that any other exceeds it by so much; with `--against`, that any
            differs so much from the reference. None without a test.
        difference: this setting's effect minus the reference's; None without a test.
        half_width: of the interval of the difference; all intervals of a ranking hold together in 95 % of cases.
        effect_size: the difference in standard deviations between seeds.
        seeds: with so many seeds of both, such a difference is found with probability 80 %; None if no 1,000 would do.
        num_common: number of seeds that both have.
    """

    words: str
    p: float | None = None
    difference: float | None = None
    half_width: float | None = None
    effect_size: float | None = None
    seeds: int | None = None
    num_common: int = 0


@dataclass(frozen=True)
class Verdicts:
    """The verdict on each setting, and which of them is the reference."""

    reference: int
    each: list[Verdict]


def compare_with_best(values: Sequence[Mapping[int, float]], mode: str) -> Verdicts:
    """Compares all settings with each other, and reports how each compares with the best.

    The best is, of the settings that none exceeds, and of those with the most seeds among them, the one with the best
    mean. So one lucky seed makes no best setting.

    Args:
        values: for each setting the metric by seed, at least one value.
        mode: "min" or "max": which values of the metric are better.
    """
    table = _Table(values, mode)
    p = table.step_down()
    may_be_best = [i for i in range(len(values)) if p.get(i, 1.0) >= ALPHA]
    best = max(may_be_best, key=lambda i: (len(values[i]), table.means[i]))
    return Verdicts(best, table.verdicts(best, BEST, p))


def compare_with_reference(values: Sequence[Mapping[int, float]], mode: str, reference: int) -> Verdicts:
    """Compares every setting with one of them, as Dunnett's test does, two-sided.

    Args:
        values: for each setting the metric by seed, at least one value.
        mode: "min" or "max": which values of the metric are better.
        reference: the number of that one.
    """
    table = _Table(values, mode)
    return Verdicts(reference, table.verdicts(reference, REFERENCE, table.differences_from(reference)))


def step_down(layout: Layout, fitted: Fit, null: Null) -> Floats:
    """The p-value of each setting for being exceeded, in the last set of settings that it was in.

    Args:
        layout: which settings have which seeds.
        fitted: to one table of values, larger ones being better.
        null: for that layout and the prior of that fit.
    """
    p = np.ones(len(layout.seeds))
    left, least = np.arange(len(p)), 0.0
    while len(left) > 1:
        p[left] = np.maximum(null.p_values(leads(layout, fitted, left)[0], left), least)  # no smaller than before
        worse = p[left] < ALPHA
        if not worse.any():
            break
        least = float(p[left][worse].max())
        left = left[~worse]
    return p


class _Table:
    """The values, turned so that larger ones are better, and what is fitted to the settings with several seeds."""

    def __init__(self, values: Sequence[Mapping[int, float]], mode: str) -> None:
        self.values = values
        self.sign = 1.0 if mode == "max" else -1.0
        self.means = [self.sign * math.fsum(by_seed.values()) / len(by_seed) for by_seed in values]
        self.tested = [i for i, by_seed in enumerate(values) if len(by_seed) > 1]
        self.places = {i: place for place, i in enumerate(self.tested)}
        self.has_spread = False
        if len(self.tested) < 2:
            return
        seeds = sorted({seed for i in self.tested for seed in values[i]})
        present = np.array([[seed in values[i] for seed in seeds] for i in self.tested])
        numbers = np.array([[self.sign * values[i].get(seed, 0.0) for seed in seeds] for i in self.tested])
        self.layout = Layout(present)
        self.fit = fit(self.layout, numbers[None])
        self.every = np.arange(len(self.tested))
        self.negligible = ROUNDING * float(np.abs(numbers).max())
        self.has_spread = float(np.sqrt(self.fit.variances.max())) > self.negligible

    @functools.cached_property
    def null(self) -> Null:
        return Null(self.layout, float(self.fit.priors[0]))

    @functools.cached_property
    def critical(self) -> float:
        """What the largest difference between any two is by chance."""
        return self.null.critical(self.every)

    def step_down(self) -> dict[int, float]:
        """For each tested setting the p-value of being exceeded, in the last set of settings that it was in."""
        p = step_down(self.layout, self.fit, self.null) if self.has_spread else np.ones(len(self.tested))
        return dict(zip(self.tested, p.tolist(), strict=True))

    def differences_from(self, reference: int) -> dict[int, float]:
        """For each tested setting the p-value of its difference from the reference."""
        if reference not in self.places or not self.has_spread:
            return dict.fromkeys(self.tested, 1.0)
        place = self.places[reference]
        effects = self.fit.effects[0]
        p = self.null.p_values_from(place, np.abs(effects - effects[place]) / self._errors(place))
        return dict(zip(self.tested, p.tolist(), strict=True))

    def verdicts(self, reference: int, words: str, p: Mapping[int, float]) -> list[Verdict]:
        """One for each setting.

        Args:
            reference: what to compare with.
            words: the verdict on that.
            p: the p-value of each tested setting.
        """
        found = []
        for i, by_seed in enumerate(self.values):
            verdict = Verdict(words if i == reference else ONE_SEED)
            if i != reference and i in p and reference in p:
                verdict = self._verdict(i, reference, p[i], words)
            found.append(replace(verdict, num_common=len(by_seed.keys() & self.values[reference].keys())))
        return found

    @functools.cache  # noqa: B019  # a table lives as long as its verdicts are made
    def _errors(self, place: int) -> Floats:
        """(tested,) the standard errors of their differences from one of them."""
        return self.fit.standard_errors(self.layout, self.every, np.array([place]))[0]

    def _verdict(self, i: int, reference: int, p: float, words: str) -> Verdict:
        own, other = self.places[i], self.places[reference]
        error = float(self._errors(other)[own])
        if not math.isfinite(error):
            return Verdict(WORSE, p) if p < ALPHA else Verdict(NO_SEED)
        gain = float(self.fit.effects[0, own] - self.fit.effects[0, other])
        same = abs(gain) <= self.negligible
        difference = 0.0 if same else self.sign * gain
        if not self.has_spread:
            return Verdict(SAME if same else NO_SPREAD, 1.0 if same else None, difference)
        critical = self.critical if words == BEST else self.null.critical_from(other)
        variance = float(self.fit.variances[0, own] + self.fit.variances[0, other])
        seeds = variance * ((critical + POWER_QUANTILE) / gain) ** 2 if not same else math.inf
        changed = WORSE if gain < 0 or words == BEST else BETTER
        return Verdict(
            SAME if p >= ALPHA else changed,
            p,
            difference,
            critical * error,
            difference / math.sqrt(variance / 2),
            math.ceil(seeds) if seeds < MOST_SEEDS else None,
        )
