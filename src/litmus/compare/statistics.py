"""Means, their intervals, and whether two settings differ, from few seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.95
ALPHA = 0.05
BEST = "best"
SAME = "not distinguishable"
WORSE = "worse"
BETTER = "better on the seeds in common"
ONE_SEED = "one seed: cannot tell"
NO_SEED = "no seed in common: cannot tell"
NO_SPREAD = "the same difference on every seed: cannot tell"
ROUNDING = 1e-9  # differences that vary by less, relative to the values, do not vary


@dataclass(frozen=True)
class Summary:
    """A metric over the seeds of one setting.

    Attributes:
        n: number of seeds.
        mean: their mean.
        deviation: their standard deviation, with n - 1; None for one seed.
        half: half the 95 % interval of the mean, by Student's t with n - 1 degrees of freedom; None for one seed.
    """

    n: int
    mean: float
    deviation: float | None
    half: float | None


@dataclass(frozen=True)
class Verdict:
    """How a setting stands against the best one.

    Attributes:
        words: what can be said.
        p: of the paired t-test, adjusted by Holm for the number of tests; None where there was no test.
        difference: mean of (this setting - the best) over the seeds in common; None without any.
        common: number of seeds in common.
    """

    words: str
    p: float | None
    difference: float | None
    common: int


def summary(values: Sequence[float]) -> Summary:
    """Mean and interval of at least one value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Summary(n, mean, None, None)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Summary(n, mean, deviation, t_quantile(n - 1) * deviation / math.sqrt(n))


def t_quantile(degrees: int) -> float:
    """Of Student's t, what lies between it and its negative is LEVEL of the whole."""
    from scipy.special import stdtrit  # not scipy.stats, whose import takes most of a second

    return float(stdtrit(degrees, (1 + LEVEL) / 2))


def verdicts(values: Sequence[Mapping[int, float]], mode: str) -> list[Verdict]:
    """Every setting against the first, which is the best: two-sided t-tests of differences, paired by seed.

    That the first was chosen as the best of many makes it look a little better than it is, so that "worse" errs to its
    side; Holm's adjustment holds the chance of any wrong "worse" among true equals to 5 % for tests that were fixed
    before. Differences that are the same on every seed have no spread to test with; if they are zero, the two settings
    are equal, and otherwise nothing can be said.

    Args:
        values: for each setting the metric by seed.
        mode: whether the metric should be "min" or "max".
    """
    best, *others = values
    pairs = [[(other[seed], best[seed]) for seed in sorted(other.keys() & best.keys())] for other in others]
    raw = [paired_p(pair) for pair in pairs]
    adjusted = iter(holm([p for p in raw if p is not None]))
    found = [_verdict(pair, None if p is None else next(adjusted), mode) for pair, p in zip(pairs, raw, strict=True)]
    return [Verdict(BEST, None, None, len(best)), *found]


def paired_p(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Of a two-sided paired t-test; None where there is none: below two pairs, or without any spread but zero.

    The same as `scipy.stats.ttest_rel(a, b).pvalue`, which a test sees to.
    """
    differences = [a - b for a, b in pairs]
    if len(differences) < 2:
        return None
    from scipy.special import stdtr  # when there is something to test: it takes a while

    of = summary(differences)
    assert of.deviation is not None
    nothing = ROUNDING * max(abs(value) for pair in pairs for value in pair)
    if of.deviation <= nothing:
        return 1.0 if abs(of.mean) <= nothing else None
    statistic = abs(of.mean) / (of.deviation / math.sqrt(of.n))
    return float(2 * stdtr(of.n - 1, -statistic))


def holm(ps: Sequence[float]) -> list[float]:
    """The p-values adjusted by Holm (1979): step down from the smallest, times the number of tests that are left."""
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for step, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - step) * ps[i]))
        adjusted[i] = highest
    return adjusted


def _verdict(pairs: Sequence[tuple[float, float]], p: float | None, mode: str) -> Verdict:
    n = len(pairs)
    if not n:
        return Verdict(NO_SEED, None, None, 0)
    difference = math.fsum(a - b for a, b in pairs) / n
    if n == 1:
        return Verdict(ONE_SEED, None, difference, 1)
    if p is None:
        return Verdict(NO_SPREAD, None, difference, n)
    if p >= ALPHA:
        return Verdict(SAME, p, difference, n)
    return Verdict(WORSE if (difference < 0) == (mode == "max") else BETTER, p, difference, n)
