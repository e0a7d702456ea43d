"""Error and power of methods that say which settings are worse than the best, on simulated sweeps.

A method is worth its verdicts if it rarely calls a setting worse that is as good as any: in at most 5 % of sweeps, be
there 2 settings or 200, 2 seeds or 20, and whatever the noise. Among those, the more it finds the better.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy import stats
from scipy.special import stdtr

from bench._common import markdown
from litmus.compare.layout import Floats, Layout, fit
from litmus.compare.null import ALPHA, Null
from litmus.compare.verdicts import step_down
from litmus.config.machine import num_cores

SWEEPS = 2000  # of a cell
FEWER_SWEEPS = 200  # where there are differences, and for methods that resample every sweep
RESAMPLES = 199  # of the bootstrap and of permutations
DRAWS = 2000  # of litmus' null distribution, which elsewhere has more
MOST_RESAMPLED = 1000  # values in a table, for those methods
GAP = 4.0  # of the better settings, in standard errors of a setting's mean
SIZES = (
    *((2, 2), (2, 3), (2, 20), (3, 3), (5, 5), (10, 2), (10, 3), (10, 10), (30, 2), (30, 5)),
    *((100, 3), (200, 2), (200, 20)),
)
WANTED = 1.5  # times the earlier power at equal error, where there are so many seeds and more than two settings
WANTED_SEEDS = 3


@dataclass(frozen=True)
class Noise:
    """A kind of noise of standard deviation 1, and which values are missing.

    Attributes:
        draw: from a generator and a shape (sweeps, settings, seeds).
        gaps: whether half of the settings have only half of the seeds, at least two.
    """

    draw: Callable[[np.random.Generator, tuple[int, int, int]], Floats]
    gaps: bool = False


def _correlated(generator: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    sweeps, _, seeds = shape
    return generator.standard_normal(shape) + 2 * generator.standard_normal((sweeps, 1, seeds))


def _unequal(generator: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    return generator.standard_normal(shape) * np.exp(0.7 * generator.standard_normal((*shape[:2], 1)))


NOISES = {
    "normal": Noise(lambda generator, shape: generator.standard_normal(shape)),
    "skewed to worse": Noise(lambda generator, shape: 1 - generator.exponential(size=shape)),
    "skewed to better": Noise(lambda generator, shape: generator.exponential(size=shape) - 1),
    "heavy tails": Noise(lambda generator, shape: generator.standard_t(3, shape) / 3**0.5),
    "correlated seeds": Noise(_correlated),
    "unequal numbers": Noise(lambda generator, shape: generator.standard_normal(shape), gaps=True),
    "heavy, unequal numbers": Noise(lambda generator, shape: generator.standard_t(3, shape) / 3**0.5, gaps=True),
    "unequal variances": Noise(_unequal),
}

# A method gives for each setting of each sweep the p-value of being worse: (sweeps, settings), for values of
# (sweeps, settings, seeds), larger ones being better.
Method = Callable[[Floats, np.random.Generator], Floats]


def paired_t_with_holm(values: Floats, _: np.random.Generator) -> Floats:
    """What `litmus compare` did before: paired t-tests against the observed best, adjusted by Holm."""
    sweeps, settings, seeds = values.shape
    best = values.mean(2).argmax(1)[:, None]
    differences = np.take_along_axis(values, best[:, :, None], 1) - values
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = differences.mean(2) / (differences.std(2, ddof=1) / seeds**0.5)
    p = 2 * stdtr(seeds - 1, -np.abs(statistic))
    np.put_along_axis(p, best, np.inf, 1)
    order = p.argsort(1)
    left = np.maximum(settings - 1 - np.arange(settings), 1)
    stepped = np.maximum.accumulate(np.minimum(np.take_along_axis(p, order, 1) * left, 1.0), 1)
    adjusted = np.empty((sweeps, settings))
    np.put_along_axis(adjusted, order, stepped, 1)
    np.put_along_axis(adjusted, best, 1.0, 1)
    return adjusted


def studentized_range(values: Floats, _: np.random.Generator) -> Floats:
    """Tukey's test in a blocked two-way analysis, one variance for all."""
    _, settings, seeds = values.shape
    degrees = (settings - 1) * (seeds - 1)
    grid = np.linspace(0, 20, 201)
    tail = stats.studentized_range.sf(grid, settings, degrees)
    return np.asarray(np.interp(_ranges(values), grid, tail))


def multiple_comparisons_with_the_best(values: Floats, generator: np.random.Generator) -> Floats:
    """Hsu's: each setting against the best of the others, by one-sided Dunnett quantiles drawn at random."""
    _, settings, seeds = values.shape
    draws = generator.standard_normal((20_000, settings))
    degrees = (settings - 1) * (seeds - 1)
    spread = np.sqrt(generator.chisquare(degrees, 20_000) / degrees)
    largest = np.sort((draws[:, 1:].max(1) - draws[:, 0]) / spread)
    return 1 - np.searchsorted(largest, _ranges(values)) / len(largest)


def model_confidence_set(values: Floats, generator: np.random.Generator) -> Floats:
    """Hansen, Lunde and Nason's: the bootstrap over seeds of the largest deviation from the mean setting."""
    return np.stack([_confidence_set(each, generator) for each in values])


def _confidence_set(values: Floats, generator: np.random.Generator) -> Floats:
    settings, seeds = values.shape
    picked = values[:, generator.integers(seeds, size=(RESAMPLES, seeds))].mean(2)  # (settings, resamples)
    means, p, left, least = values.mean(1), np.ones(settings), np.arange(settings), 0.0
    while len(left) > 1:
        deviations = means[left].mean() - means[left]
        noise = (picked[left].mean(0) - picked[left]) - deviations[:, None]
        errors = np.maximum(noise.std(1), 1e-12)
        largest = (noise / errors[:, None]).max(0)
        worst = int((deviations / errors).argmax())
        least = max(least, float((largest >= (deviations / errors)[worst]).mean()))
        if least >= ALPHA:
            break
        p[left[worst]] = least
        left = np.delete(left, worst)
    return p


def permuted_range(values: Floats, generator: np.random.Generator) -> Floats:
    """Max-t: the studentized range among permutations of the settings within each seed."""
    _, settings, seeds = values.shape
    p = np.empty(values.shape[:2])
    for sweep, each in enumerate(values):
        orders = generator.random((RESAMPLES, settings, seeds)).argsort(1)
        largest = np.sort(_ranges(np.take_along_axis(each[None], orders, 1)).max(1))
        p[sweep] = (1 + RESAMPLES - np.searchsorted(largest, _ranges(each[None])[0] - 1e-9)) / (1 + RESAMPLES)
    return p


def _ranges(values: Floats) -> Floats:
    """How far each setting lies below the best, in standard errors of a mean, one variance for all."""
    _, settings, seeds = values.shape
    means = values.mean(2)
    residuals = values - means[:, :, None] - values.mean(1, keepdims=True) + values.mean((1, 2), keepdims=True)
    variances = (residuals**2).sum((1, 2)) / ((settings - 1) * (seeds - 1))
    return np.asarray((means.max(1, keepdims=True) - means) / np.sqrt(variances / seeds)[:, None])


class Ours:
    """What `litmus compare` does now."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.nulls: dict[float, Null] = {}  # by the prior: a cell's sweeps share them

    def __call__(self, values: Floats, _: np.random.Generator) -> Floats:
        fitted = fit(self.layout, values * self.layout.present)
        for prior in set(fitted.priors.tolist()) - set(self.nulls):
            self.nulls[prior] = Null(self.layout, prior, DRAWS)
        found = [
            step_down(self.layout, fitted[i : i + 1], self.nulls[prior])
            for i, prior in enumerate(fitted.priors.tolist())
        ]
        return np.stack(found)


BEFORE = "paired t, Holm (before)"
OTHERS: dict[str, Method] = {
    BEFORE: paired_t_with_holm,
    "studentized range": studentized_range,
    "Hsu's MCB": multiple_comparisons_with_the_best,
    "confidence set": model_confidence_set,
    "permuted range": permuted_range,
}
RESAMPLING = ("confidence set", "permuted range")
OURS = "litmus"


Rates = dict[str, float]  # by method


@dataclass(frozen=True)
class Cell:
    """What the methods made of simulated sweeps of one size and noise; all at a level of 5 %, but for `at_equal_error`.

    Attributes:
        errors: shares of sweeps of equal settings in which any was called worse.
        errors_among_best: shares of sweeps with an equally good half in which one of that half was called worse.
        power: shares of the worse settings that were found, where one is better than all others.
        at_equal_error: for that scene and for the one with the better half, the power at the level at which the method
            errs in 5 % of sweeps of equal settings.
    """

    errors: Rates
    errors_among_best: Rates
    power: Rates
    at_equal_error: tuple[Rates, Rates]


def simulate(size: tuple[int, int], name: str) -> Cell:
    """All methods on the same sweeps; where there are gaps, only the one that takes them."""
    settings, seeds = size
    noise = NOISES[name]
    generator = np.random.default_rng([settings, seeds, list(NOISES).index(name)])
    present = np.ones(size, dtype=bool)
    if noise.gaps:
        present[1::2, max(2, seeds // 2) :] = False
    methods: dict[str, Method] = {OURS: Ours(Layout(present))} | ({} if noise.gaps else OTHERS)
    if settings * seeds > MOST_RESAMPLED:
        methods = {method: run for method, run in methods.items() if method not in RESAMPLING}

    def judged(num_better: int, sweeps: int) -> dict[str, Floats]:
        values = noise.draw(generator, (sweeps, settings, seeds))
        values[:, :num_better] += GAP / seeds**0.5
        some = values[:FEWER_SWEEPS]
        return {method: run(some if method in RESAMPLING else values, generator) for method, run in methods.items()}

    half = max(1, settings // 2)
    equal, one_better, half_better = judged(0, SWEEPS), judged(1, FEWER_SWEEPS), judged(half, FEWER_SWEEPS)
    levels = {method: np.quantile(p.min(1), ALPHA) for method, p in equal.items()}
    return Cell(
        errors={method: float((p < ALPHA).any(1).mean()) for method, p in equal.items()},
        errors_among_best={method: float((p[:, :half] < ALPHA).any(1).mean()) for method, p in half_better.items()},
        power={method: float((p[:, 1:] < ALPHA).mean()) for method, p in one_better.items()},
        at_equal_error=(
            {method: float((p[:, 1:] <= levels[method]).mean()) for method, p in one_better.items()},
            {method: float((p[:, half:] <= levels[method]).mean()) for method, p in half_better.items()},
        ),
    )


def measure() -> str:
    pairs = [(size, noise) for size in SIZES for noise in NOISES]
    with ProcessPoolExecutor(num_cores()) as pool:
        found = pool.map(simulate, *zip(*pairs, strict=True))
        cells = dict(zip(pairs, track(found, "verdicts", len(pairs), console=Console(stderr=True)), strict=True))
    return "\n".join([*_errors(cells), *_own_errors(cells), *_power(cells)])


Cells = dict[tuple[tuple[int, int], str], Cell]


def _errors(cells: Cells) -> Iterator[str]:
    yield "## Verdicts: how often a setting is called worse that is as good as any\n"
    rows = []
    for method in (*OTHERS, OURS):
        worst = []
        for noise in NOISES:
            found = [
                (cell.errors[method], size)
                for (size, kind), cell in cells.items()
                if kind == noise and method in cell.errors
            ]
            error, (settings, seeds) = max(found, default=(float("nan"), (0, 0)))
            worst.append(f"{error:.1%} ({settings} x {seeds})" if found else "")
        rows.append((method, *worst))
    yield markdown(("method", *NOISES), rows)
    yield (
        f"The largest error of {len(SIZES)} sizes, from {_size(SIZES[0])} to {_size(SIZES[-1])} (settings x seeds), "
        "where all settings are equal: the share of sweeps in which any is called worse, at a level of 5 %. "
        f"{SWEEPS:,} sweeps a cell, {FEWER_SWEEPS} for the methods that resample (up to {MOST_RESAMPLED:,} values): "
        f"a true error of 5 % is measured to within {1.96 * (0.05 * 0.95 / SWEEPS) ** 0.5:.1%} in 95 % of cells. With "
        "unequal numbers, every second setting has half of the seeds, at least two; unequal variances are lognormal, "
        "with a sigma of 0.7 of the standard deviations.\n"
    )


def _own_errors(cells: Cells) -> Iterator[str]:
    yield f"The error of `{OURS}` in each cell, and where half of the settings are equally good and the others worse:\n"
    rows = [
        (
            _size(size),
            *(f"{cells[size, n].errors[OURS]:.1%}, {cells[size, n].errors_among_best[OURS]:.1%}" for n in NOISES),
        )
        for size in SIZES
    ]
    yield markdown(("settings x seeds", *NOISES), rows)


def _power(cells: Cells) -> Iterator[str]:
    yield "## Verdicts: how many of the worse settings are found\n"
    rows = []
    compared = [noise for noise in NOISES if not NOISES[noise].gaps]
    for size in SIZES:
        for scene, words in enumerate(("one is better", "half are better")):
            row = []
            for noise in compared:
                rates = cells[size, noise].at_equal_error[scene]
                ratio = f"{rates[OURS] / rates[BEFORE]:.1f}" if rates[BEFORE] else "-"
                row.append(f"{rates[BEFORE]:.1%} → {rates[OURS]:.1%} ({ratio})")
            rows.append((_size(size), words, *row))
    yield markdown(("settings x seeds", "scene", *compared), rows)
    yield (
        f"Power at equal error, before → `{OURS}` (ratio): each method at the level at which it errs in 5 % of sweeps "
        f"of equal settings. The better settings lead by {GAP:g} standard errors of a mean, "
        f"{GAP:g} / √seeds standard deviations. Of two settings, blocked by seed, the method is the paired t-test.\n"
    )
    yield _missed(cells, compared)
    rows = [
        (
            _size(size),
            *(
                f"{rate:.1%}" if (rate := cells[size, "normal"].power.get(method)) is not None else ""
                for method in (*OTHERS, OURS)
            ),
        )
        for size in SIZES
    ]
    yield markdown(("settings x seeds", *OTHERS, OURS), rows)
    yield "Power at a level of 5 %, normal noise, one setting better; whatever the error.\n"


def _missed(cells: Cells, compared: list[str]) -> str:
    """In how many cells the power is as much higher as was asked for, and which are the others."""
    ratios = {}
    for (size, noise), cell in cells.items():
        for rates, scene in zip(cell.at_equal_error, ("one is better", "half are better"), strict=True):
            possible = size[0] > 2 and size[1] >= WANTED_SEEDS and noise in compared and rates[BEFORE] < 1 / WANTED
            if possible:
                ratios[f"{_size(size)}, {noise}, {scene}"] = rates[OURS] / max(rates[BEFORE], 1e-9)
    missed = {where: ratio for where, ratio in ratios.items() if ratio < WANTED}
    listed = "; ".join(f"{where} ({ratio:.2f})" for where, ratio in missed.items())
    but = f"; these do not: {listed}" if missed else ""
    return (
        f"Asked for: {WANTED:g} times the earlier power where there are {WANTED_SEEDS} or more seeds. With two "
        f"settings that cannot be, nor where the earlier method finds more than {1 / WANTED:.0%}. Of the "
        f"{len(ratios)} other cells, {len(ratios) - len(missed)} reach it{but}.\n"
    )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
