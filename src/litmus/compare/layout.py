"""The two-way layout of settings and seeds: effects by least squares, and moderated variances.

The metric of a setting on a seed is modelled as the setting's effect + the seed's effect + noise, so that whatever a
seed does to every setting cancels. The variance of the noise is each setting's own, moderated towards that of all: few
seeds say little about a variance, many settings say much. How alike the variances are is estimated (Smyth 2004, "Linear
models and empirical Bayes methods for assessing differential expression", section 3, the prior by maximum likelihood).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Numbers = NDArray[np.intp]

# Degrees of freedom of the prior of the variances: with few they differ widely, with infinitely many they are equal.
PRIORS = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 40.0, np.inf)
MARGIN = 0.5  # of log likelihood: of the priors within one standard error of the likeliest, the most cautious is taken
ROUNDS = 2  # of estimating the seeds' effects and the variances from each other
STEPS = 20  # of expectation maximization; the tenth digit no longer changes
ROUNDING = 1e-10  # of the seeds: below it, an eigenvalue is that of a constant, one for all seeds that settings connect
TINY = float(np.finfo(float).tiny)


class Layout:
    """Which settings were run on which seeds, and what follows for least squares.

    Settings with the same seeds are one pattern: of thousands of settings there are few.

    Attributes:
        present: (settings, seeds), whether there is a value.
        seeds: (settings,) number of seeds.
        degrees: (settings,) of freedom of each setting's variance; a seed that no other setting has gives none.
        patterns: (settings,) the number of each setting's pattern.
        inflation: (patterns, patterns) how much the variance of a difference between two settings exceeds what the
            numbers of seeds give, because the seeds' effects are estimated; 1 without gaps, infinite for settings that
            share no seed, be it through others.
    """

    def __init__(self, present: Bools) -> None:
        self.present = present
        self.seeds = present.sum(1)
        # The settings are eliminated from the normal equations, which leaves those of the seeds.
        self._shares = present / self.seeds[:, None]
        normal = np.diag(present.sum(0)) - self._shares.T @ present
        self._inverse = np.linalg.pinv(normal, rcond=ROUNDING, hermitian=True)
        crossed = self._shares @ self._inverse
        own = 1 / self.seeds + (crossed * self._shares).sum(1)
        leverage = own[:, None] + np.diag(self._inverse)[None, :] - 2 * crossed
        self.degrees = (np.maximum(1 - leverage, 0.0) * present).sum(1)
        self.degrees[self.degrees < 1e-6] = 0.0
        _, firsts, self.patterns = np.unique(present, axis=0, return_index=True, return_inverse=True)
        shares, seeds = self._shares[firsts], self.seeds[firsts]
        gram = shares @ self._inverse @ shares.T
        variance = np.diag(gram)[:, None] + np.diag(gram)[None, :] - 2 * gram  # beyond that of the numbers of seeds
        inflation = 1 + variance / (1 / seeds[:, None] + 1 / seeds[None, :])
        self.inflation = np.where(_connected(present[firsts]), inflation, np.inf)

    def effects(self, values: Floats) -> tuple[Floats, Floats]:
        """Least squares.

        Args:
            values: (tables, settings, seeds), 0 where there is none.

        Returns:
            The effects of the settings (tables, settings) and of the seeds (tables, seeds), up to a constant.
        """
        sums = values.sum(2)
        seeds = (values.sum(1) - sums @ self._shares) @ self._inverse
        return sums / self.seeds - seeds @ self._shares.T, seeds


def _connected(present: Bools) -> Bools:
    """(patterns, patterns), whether two share a seed, directly or through others."""
    numbers = present.astype(float)
    reach = numbers.T @ numbers > 0  # between seeds
    while True:
        further = reach.astype(float) @ reach > 0
        if (further == reach).all():
            return np.asarray(numbers @ reach @ numbers.T > 0)
        reach = further


@dataclass(frozen=True)
class Fit:
    """What was fitted to each of many tables of values of one layout.

    Attributes:
        effects: (tables, settings).
        variances: (tables, settings) of the noise, moderated.
        priors: (tables,) degrees of freedom of the prior.
    """

    effects: Floats
    variances: Floats
    priors: Floats

    def __getitem__(self, part: slice) -> "Fit":
        """The fits to some of the tables."""
        return Fit(self.effects[part], self.variances[part], self.priors[part])

    def standard_errors(self, layout: Layout, settings: Numbers, others: Numbers) -> Floats:
        """Of differences between settings; infinite for what is not comparable.

        Args:
            layout: that was fitted.
            settings: numbers of settings.
            others: those that they are compared with, of a shape that goes with it and has as many axes.

        Returns:
            (tables, ...), of the shape that both make.
        """
        own = self.variances / layout.seeds
        inflation = layout.inflation[layout.patterns[settings], layout.patterns[others]]
        return np.sqrt(np.maximum((own[:, settings] + own[:, others]) * inflation, TINY))


def fit(layout: Layout, values: Floats, priors: Floats | None = None) -> Fit:
    """Fits effects and variances.

    An erratic setting must not blur the seeds' effects, and with them the variances of the others: so these
    are estimated again with each setting weighted by its variance.

    Args:
        layout: which values there are.
        values: (tables, settings, seeds), 0 where there is none.
        priors: (tables,) degrees of freedom; None to estimate them.
    """
    settings, seeds = layout.effects(values)
    without = values - settings[:, :, None]
    for rounds_left in range(ROUNDS, -1, -1):
        squares = ((without - seeds[:, None, :]) ** 2 * layout.present).sum(2)
        prior = estimate_priors(squares, layout.degrees) if priors is None else priors
        variances = moderate(squares, layout.degrees, prior)
        if rounds_left:
            weights = layout.present / np.maximum(variances, TINY)[:, :, None]
            seeds = (weights * without).sum(1) / weights.sum(1)
    return Fit(settings, variances, prior)


def estimate_priors(squares: Floats, degrees: Floats) -> Floats:
    """The prior of each table: the fewest degrees of freedom of PRIORS that are about as likely as any.

    Args:
        squares: (tables, settings) sums of squared residuals.
        degrees: (settings,) of freedom of each of them.

    Returns:
        (tables,) degrees of freedom; infinite for fewer than three settings: in two, the residuals mirror each other.
    """
    if (degrees > 0).sum() < 3:
        return np.full(len(squares), np.inf)
    likelihoods = np.stack([_log_likelihood(squares, degrees, prior) for prior in PRIORS])
    likely = likelihoods >= likelihoods.max(0) - MARGIN
    return np.array(PRIORS)[likely.argmax(0)]


def _log_likelihood(squares: Floats, degrees: Floats, prior: float) -> Floats:
    """(tables,) of the squares; a setting's variance over the common one is distributed as F(degrees, prior)."""
    from scipy.special import gammaln

    known = degrees > 0
    common = _common_variance(squares, degrees, np.full(len(squares), prior))
    ratios, halves = squares[:, known] / common[:, None], degrees[known] / 2
    logs = (halves - 1) * np.log(np.maximum(ratios, TINY)) - gammaln(halves) - np.log(common)[:, None]
    if np.isinf(prior):
        logs += -ratios / 2 - halves * np.log(2)
    else:
        logs += gammaln(halves + prior / 2) - gammaln(prior / 2) - halves * np.log(prior)
        logs -= (halves + prior / 2) * np.log1p(ratios / prior)
    return np.asarray(logs.sum(1))


def _common_variance(squares: Floats, degrees: Floats, priors: Floats) -> Floats:
    """(tables,) the most likely variance that those of the settings are moderated towards."""
    known = degrees > 0
    common = np.maximum(squares.sum(1) / max(float(degrees.sum()), 1.0), TINY)
    finite = np.isfinite(priors)
    some, prior = squares[finite][:, known], priors[finite, None]
    for _ in range(STEPS if some.size else 0):
        precisions = (prior + degrees[known]) / (prior * common[finite, None] + some)
        common[finite] = 1 / precisions.mean(1)
    return common


def moderate(squares: Floats, degrees: Floats, priors: Floats) -> Floats:
    """(tables, settings) the variances, moderated towards the common one as if that had `priors` more residuals."""
    own = squares / np.where(degrees > 0, degrees, 1.0)
    weights = np.ones_like(own)
    finite = np.isfinite(priors)
    weights[finite] = priors[finite, None] / (priors[finite, None] + degrees)
    return weights * _common_variance(squares, degrees, priors)[:, None] + (1 - weights) * own
