"""Means and intervals, against scipy."""

import random

import pytest
from scipy import stats

from litmus.compare import statistics


def test_intervals_are_scipy_s() -> None:
    generator = random.Random(0)
    for n in (2, 3, 5, 10):
        values = [generator.gauss(0.9, 0.02) for _ in range(n)]
        of = statistics.summarize(values)
        low, high = stats.t.interval(0.95, n - 1, of.mean, stats.sem(values))
        assert (of.mean - of.half_width, of.mean + of.half_width) == pytest.approx((low, high))
