"""Means, their confidence intervals, and whether two settings differ, from few seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.95  # of confidence intervals
ALPHA = 0.05  # significance level
BEST = "best"
SAME = "not significant"
WORSE = "worse"
BETTER = "better on common seeds"
ONE_SEED = "one common seed: not tested"
NO_SEED = "no common seed: not tested"
NO_SPREAD = "constant difference: not tested"
ROUNDING = 1e-9  # a standard deviation of differences below this fraction of the values counts as zero


@dataclass(frozen=True)
class Summary:
    """A metric over the seeds of one setting.

    Attributes:
        n: number of seeds.
        mean: their mean.
        std: their sample standard deviation (with n - 1); None for one seed.
        half_width: of the 95% confidence interval of the mean, by Student's t with n - 1 degrees of freedom; None for
            one seed.
    """

    n: int
    mean: float
    std: float | None
    half_width: float | None


@dataclass(frozen=True)
class Verdict:
    """How a setting compares with the best one.

    Attributes:
        words: one of BEST, SAME, WORSE, BETTER, ONE_SEED, NO_SEED, NO_SPREAD.
        p: p-value of the paired t-test, adjusted by Holm for the number of tests; None without a test.
        difference: mean of (this setting - the best) over the common seeds; None without any.
        num_common: number of seeds that both have.
    """

    words: str
    p: float | None
    difference: float | None
    num_common: int


def summarize(values: Sequence[float]) -> Summary:
    """Mean and confidence interval of at least one value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Summary(n, mean, None, None)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Summary(n, mean, std, t_quantile(n - 1) * std / math.sqrt(n))


def t_quantile(degrees: int) -> float:
    """The quantile of Student's t that bounds a two-sided interval of confidence LEVEL.

    Args:
        degrees: of freedom.
    """
    from scipy.special import stdtrit  # not scipy.stats, whose import takes most of a second

    return float(stdtrit(degrees, (1 + LEVEL) / 2))


def compare_with_best(values: Sequence[Mapping[int, float]], mode: str) -> list[Verdict]:
    """Tests every setting against the first, which is the best: two-sided t-tests of differences, paired by seed.

    The first was selected as the best of many, so its mean is slightly optimistic, and errors lean towards "worse".
    Holm's adjustment bounds the family-wise error rate of tests that were chosen beforehand by 5%. Differences that are
    the same on every seed have no variance to test with: if they are zero, the settings are equal (p = 1); otherwise
    there is no test.

    Args:
        values: for each setting the metric by seed.
        mode: "min" or "max": which values of the metric are better.
    """
    best, *others = values
    pairs = [[(other[seed], best[seed]) for seed in sorted(other.keys() & best.keys())] for other in others]
    raw = [paired_t_test(pair) for pair in pairs]
    adjusted = iter(holm([p for p in raw if p is not None]))
    tested = [_verdict(pair, None if p is None else next(adjusted), mode) for pair, p in zip(pairs, raw, strict=True)]
    return [Verdict(BEST, None, None, len(best)), *tested]


def paired_t_test(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The p-value of a two-sided paired t-test, equal to `scipy.stats.ttest_rel(a, b).pvalue`.

    Returns:
        None for fewer than two pairs, or for differences that are constant and not zero.
    """
    differences = [a - b for a, b in pairs]
    if len(differences) < 2:
        return None
    from scipy.special import stdtr  # imported where there is something to test: it takes a while

    summary = summarize(differences)
    assert summary.std is not None
    negligible = ROUNDING * max(abs(value) for pair in pairs for value in pair)
    if summary.std <= negligible:
        return 1.0 if abs(summary.mean) <= negligible else None
    statistic = abs(summary.mean) / (summary.std / math.sqrt(summary.n))
    return float(2 * stdtr(summary.n - 1, -statistic))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted by Holm (1979): step down from the smallest, times the number of tests that are left."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for step, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[i]))
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
