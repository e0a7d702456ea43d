"""How far apart the results of equal settings are: the distribution that differences are judged by."""

from collections.abc import Iterator

import numpy as np

from litmus.compare.layout import Fit, Floats, Layout, Numbers, fit

ALPHA = 0.05  # bound of the probability that any of the best settings is called worse
CAUTION = 1.1  # p-values are raised by it where the prior is estimated: from few settings, it is sometimes wrong
SEED = 0  # of the draws: the same results have the same p-values
MOST_DRAWS, LEAST_DRAWS = 50_000, 500
MOST_PAIRED = 256  # settings, each of which is compared with each other
CHUNK = 4_000_000  # numbers that are in memory at a time
EFFORT = 10 * CHUNK  # differences to draw: bounds the time to about a second


class Null:
    """The largest of all differences between equal settings, in standard errors.

    It is drawn at random: for each setting a variance from the prior, normal noise for each of its seeds, and then what
    is done to the results themselves. Where all variances are equal and no seed is missing, the largest difference over
    its standard error is Tukey's studentized range over the square root of 2.

    Args:
        layout: which settings have which seeds.
        prior: degrees of freedom of the variances' distribution.
        most_draws: bounds their number.
    """

    def __init__(self, layout: Layout, prior: float, most_draws: int = MOST_DRAWS) -> None:
        generator = np.random.default_rng(SEED)
        settings, seeds = layout.present.shape
        self.layout = layout
        self.draws = int(np.clip(EFFORT // (settings * max(settings, seeds)), LEAST_DRAWS, most_draws))
        self.caution = 1.0 if settings == 2 else CAUTION
        effects, variances = np.empty((2, self.draws, settings))
        for part in _parts(self.draws, layout.present.size):
            count = part.stop - part.start
            noise = generator.standard_normal((count, settings, seeds)) * layout.present
            if np.isfinite(prior):
                noise *= np.sqrt(prior / generator.chisquare(prior, (count, settings, 1)))
            fitted = fit(layout, noise, np.full(count, prior))
            effects[part], variances[part] = fitted.effects, fitted.variances
        self._fit = Fit(effects, variances, np.full(self.draws, prior))
        self._known: dict[tuple[int, ...], Floats] = {}  # ascending, by settings; by one for those from a reference

    def p_values(self, leads: Floats, settings: Numbers) -> Floats:
        """The probability that the largest difference between these settings is as large as each of `leads`."""
        return self._p_values(self._largest(settings), leads)

    def critical(self, settings: Numbers) -> float:
        """What the largest difference between these settings exceeds with probability ALPHA."""
        return float(np.quantile(self._largest(settings), 1 - ALPHA / self.caution))

    def p_values_from(self, reference: int, differences: Floats) -> Floats:
        """The probability that the largest difference from one setting, of either sign, is so large."""
        return self._p_values(self._largest_from(reference), differences)

    def critical_from(self, reference: int) -> float:
        """What the largest difference from one setting, of either sign, exceeds with probability ALPHA."""
        return float(np.quantile(self._largest_from(reference), 1 - ALPHA / self.caution))

    def _p_values(self, ascending: Floats, values: Floats) -> Floats:
        """The share of the draws that are at least as large, the values themselves counted among the draws."""
        above = 1 + len(ascending) - np.searchsorted(ascending, values)
        return np.minimum(self.caution * above / (1 + len(ascending)), 1.0)

    def _largest(self, settings: Numbers) -> Floats:
        """(draws,) of the differences between these settings, ascending."""
        alike = self._first_alike(settings)
        if alike not in self._known:
            self._known[alike] = np.sort(leads(self.layout, self._fit, np.array(alike)).max(1))
        return self._known[alike]

    def _largest_from(self, reference: int) -> Floats:
        """(draws,) of the differences from one setting, ascending."""
        if (reference,) not in self._known:
            every = np.arange(len(self.layout.seeds))
            found = np.empty(self.draws)
            for part in _parts(self.draws, len(every)):
                some = self._fit[part]
                errors = some.standard_errors(self.layout, every, np.array([reference]))
                found[part] = (np.abs(some.effects - some.effects[:, [reference]]) / errors).max(1)
            self._known[reference,] = np.sort(found)
        return self._known[reference,]

    def _first_alike(self, settings: Numbers) -> tuple[int, ...]:
        """The first settings that have the same seeds as these: their differences are distributed alike."""
        rows = [row.tobytes() for row in self.layout.present]
        places: dict[bytes, list[int]] = {}
        for i in reversed(range(len(rows))):
            places.setdefault(rows[i], []).append(i)
        return tuple(sorted(places[rows[i]].pop() for i in settings))


def leads(layout: Layout, fitted: Fit, settings: Numbers) -> Floats:
    """How far another of these settings exceeds each of them: the largest difference, in its standard errors.

    Returns:
        (tables, settings), at least 0.
    """
    if len(settings) > MOST_PAIRED:
        return np.stack([_leads_of_many(layout, fitted[i : i + 1], settings) for i in range(len(fitted.effects))])
    effects = fitted.effects[:, settings]
    found = np.empty_like(effects)
    for part in _parts(len(effects), len(settings) ** 2):
        differences = effects[part, :, None] - effects[part, None, :]
        found[part] = (differences / fitted[part].standard_errors(layout, settings[:, None], settings[None, :])).max(1)
    return found


def _leads_of_many(layout: Layout, fitted: Fit, settings: Numbers) -> Floats:
    """The same (settings,) of one table, to the digit, in a time that grows with their number and not its square.

    Among settings of one pattern, none leads by more than each that is better and varies no more: few are neither.
    """
    effects, variances = fitted.effects[0], fitted.variances[0]
    found = np.zeros(len(settings))
    patterns = layout.patterns[settings]
    for pattern in np.unique(patterns):
        own = settings[patterns == pattern]
        own = own[np.lexsort((-effects[own], variances[own]))]
        best_before = np.concatenate([[-np.inf], np.maximum.accumulate(effects[own])[:-1]])
        first = own[effects[own] > best_before]
        differences = effects[first, None] - effects[settings]
        errors = fitted.standard_errors(layout, first[:, None], settings[None, :])[0]
        found = np.maximum(found, (differences / errors).max(0))
    return found


def _parts(total: int, size: int) -> Iterator[slice]:
    """Parts of `total` tables, so that `size` numbers for each of a part fit into memory."""
    most = max(1, CHUNK // size)
    return (slice(start, min(start + most, total)) for start in range(0, total, most))
