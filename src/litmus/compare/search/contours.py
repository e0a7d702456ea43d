"""Two searched keys at a time: where on their plane the objective is good."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from litmus.compare.search.axes import BETTER, Objective, places, set_axis
from litmus.page.canvas import INK, Figure, draw_figure
from litmus.record.search import FINISHED, Numbers, Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Floats = npt.NDArray[np.float64]

MOST_KEYS = 3  # the most important numbers; each pair of them is a panel
LEAST_TRIALS = 30  # for a surface; with fewer, most of it would be made up
WIDTH = 0.12  # of the window in which trials are averaged: its standard deviation, as a fraction of an axis
NEAR = 0.5  # least sum of weights: no surface is drawn where no trial is near
CELLS = 60  # along each axis
LEVELS = 10


def contours(search: Search, objective: Objective, keys: Sequence[str], name: str) -> Figure | None:
    """Draws the pairs of the most important keys that are numbers; None if there are not two.

    Args:
        search: the search.
        objective: what is drawn.
        keys: the searched ones, the most important first.
        name: of the figure.
    """
    pairs = list(itertools.combinations([key for key in keys if isinstance(search.space[key], Numbers)][:MOST_KEYS], 2))
    finished = [trial for trial in search.finished() if trial.state == FINISHED]
    if not pairs or len(finished) < 3:
        return None
    values = np.array([trial.values[objective.number] for trial in finished], float)
    shown = np.clip(values, *objective.span)  # one far worse than the others would take all the colors
    ends = (float(shown.min()), float(shown.max()) if shown.max() > shown.min() else float(shown.min()) + 1)
    smooth = len(finished) >= LEAST_TRIALS

    def draw(canvas: "Canvas") -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        scale = Normalize(*ends)
        colors = "cividis_r" if objective.direction == "minimize" else "cividis"
        grid = canvas.subplots(1, len(pairs), squeeze=False)
        for axes, pair in zip(grid[0], pairs, strict=True):
            at = [places(search, key) for key in pair]
            x, y = (np.array([on_axis[trial.number] for trial in finished]) for on_axis in at)
            if smooth:
                _surface(axes, search, pair, (x, y, shown), *ends, colors)
            size = 7 if smooth else 34
            axes.scatter(x, y, size, shown, cmap=colors, norm=scale, edgecolors=INK, linewidths=0.5)
            best = [i for i, trial in enumerate(finished) if trial in search.front()]
            axes.scatter(x[best], y[best], 90, "none", "*", edgecolors=INK, linewidths=1.2)
            set_axis(axes, search.space[pair[0]], pair[0])
            set_axis(axes, search.space[pair[1]], pair[1], vertical=True)
        bar = canvas.colorbar(ScalarMappable(scale, colors), ax=list(grid[0]), label=objective.label, pad=0.02)
        bar.outline.set_visible(False)

    which = "the most important keys that are numbers, two at a time" if len(pairs) > 1 else "two keys"
    how = (
        f"a mean of the trials around each place (weights: a normal distribution of {WIDTH:.0%} of each axis); "
        "empty where no trial is near. Dots are finished trials"
        if smooth
        else f"each finished trial in the color of its value. For a surface, {len(finished)} trials are too few: it "
        f"takes {LEAST_TRIALS}"
    )
    caption = (
        f"Contours of {objective.metric} ({BETTER[objective.direction]}, brighter is better) over {which}: {how}; "
        "stars: the best."
    )
    return draw_figure(name, caption, (3.1 * len(pairs) + 1.3 if len(pairs) > 1 else 5.4, 3.0), draw)


def _surface(
    axes: "Axes",
    search: Search,
    pair: tuple[str, str],
    trials: tuple[Floats, Floats, Floats],
    low: float,
    high: float,
    colors: str,
) -> None:
    x, y, values = trials
    across, down = (_Scale(search.space[key]) for key in pair)
    ticks = np.linspace(0, 1, CELLS)
    grid_x, grid_y = np.meshgrid(ticks, ticks)
    surface = local_mean(np.stack([across.to_unit(x), down.to_unit(y)]), values, np.stack([grid_x, grid_y]))
    if np.isfinite(surface).any():
        levels = np.linspace(low, high, LEVELS + 1)
        at = (across.from_unit(ticks), down.from_unit(ticks))
        axes.contourf(*at, np.ma.masked_invalid(surface), levels, cmap=colors, vmin=low, vmax=high)


def local_mean(points: Floats, values: Floats, grid: Floats) -> Floats:
    """The mean of the values around each place of a grid, weighted by nearness (Nadaraya and Watson 1964).

    Args:
        points: places of the values in a unit square (2, n).
        values: (n,).
        grid: places (2, rows, columns).

    Returns:
        (rows, columns), NaN where no point is near.
    """
    squared = ((grid[:, :, :, None] - points[:, None, None, :]) ** 2).sum(axis=0)  # (rows, columns, n)
    weights = np.exp(-squared / (2 * WIDTH**2))
    total = weights.sum(axis=-1)
    means = (weights * values).sum(axis=-1) / np.maximum(total, 1e-12)
    return np.where(total >= NEAR, means, np.nan)


class _Scale:
    """An axis from 0 to 1, even on the scale on which the key was searched."""

    def __init__(self, searched: object) -> None:
        assert isinstance(searched, Numbers)
        self.log = searched.log
        ends = np.array([searched.low, searched.high], float)
        self.low, self.high = np.log(ends) if self.log else ends

    def to_unit(self, values: Floats) -> Floats:
        return ((np.log(values) if self.log else values) - self.low) / ((self.high - self.low) or 1.0)

    def from_unit(self, fractions: Floats) -> Floats:
        values = self.low + fractions * (self.high - self.low)
        return np.exp(values) if self.log else values
