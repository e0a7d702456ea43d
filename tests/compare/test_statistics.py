"""Intervals, tests and verdicts, against scipy and worked examples."""

import random

import pytest
from scipy import stats

from litmus.compare import statistics


def test_intervals_and_tests_are_scipy_s() -> None:
    generator = random.Random(0)
    for n in (2, 3, 5, 10):
        a, b = ([generator.gauss(0.9, 0.02) for _ in range(n)] for _ in range(2))
        of = statistics.summarize(a)
        low, high = stats.t.interval(0.95, n - 1, of.mean, stats.sem(a))
        assert (of.mean - of.half_width, of.mean + of.half_width) == pytest.approx((low, high))
        assert statistics.paired_t_test(list(zip(a, b, strict=True))) == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_holm_on_a_worked_example() -> None:
    # 4 * 0.005; 3 * 0.01; 2 * 0.03; the last is no smaller than the one before.
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.5]) == [1.0, 1.0]
    assert statistics.holm([]) == []


def verdict(best: list[float], other: list[float], mode: str = "max") -> statistics.Verdict:
    return statistics.compare_with_best([dict(enumerate(best)), dict(enumerate(other))], mode)[1]


def test_verdicts() -> None:
    assert verdict([0.95, 0.96, 0.97], [0.90, 0.911, 0.919]).words == statistics.WORSE
    assert verdict([0.95, 0.96, 0.97], [0.90, 0.911, 0.919], "min").words == statistics.BETTER
    assert verdict([0.95, 0.96, 0.97], [0.96, 0.95, 0.968]).words == "not significant"
    assert verdict([0.95], [0.90]).words == "one common seed: not tested"
    assert verdict([0.9, 0.8], []).words == "no common seed: not tested"


def test_differences_without_any_spread() -> None:
    equal = verdict([0.9, 0.8, 0.7], [0.9, 0.8, 0.7])
    assert (equal.words, equal.p) == ("not significant", 1.0)
    shifted = verdict([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])  # by 0.1, but for rounding
    assert (shifted.words, shifted.p) == ("constant difference: not tested", None)
    assert verdict([0.0, 0.0], [0.0, 0.0]).p == 1.0


def test_pairs_are_by_seed_not_by_order() -> None:
    best, other = {0: 0.9, 1: 0.95, 2: 0.92, 7: 0.99}, {2: 0.90, 0: 0.87, 1: 0.94}
    found = statistics.compare_with_best([best, other], "max")[1]
    assert found.num_common == 3
    assert found.p == pytest.approx(stats.ttest_rel([0.87, 0.94, 0.90], [0.9, 0.95, 0.92]).pvalue)
