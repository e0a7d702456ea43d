"""Means and their confidence intervals, from few seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95  # of confidence intervals


@dataclass(frozen=True)
class Summary:
    """A metric over the seeds of one setting.

    Attributes:
        n: number of seeds.
        mean: their mean; NaN for none.
        std: their sample standard deviation (with n - 1); None for fewer than two seeds.
        half_width: of the 95% confidence interval of the mean, by Student's t with n - 1 degrees of freedom; None for
            fewer than two seeds.
    """

    n: int
    mean: float
    std: float | None
    half_width: float | None


def summarize(values: Sequence[float]) -> Summary:
    """Mean and confidence interval."""
    n = len(values)
    mean = math.fsum(values) / n if n else math.nan
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
