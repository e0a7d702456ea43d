"""Figures of combinations of settings: a heat map of two keys, parallel coordinates of all."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litmus.compare.effects import Effect, value_text
from litmus.compare.ranking import Ranking, Row
from litmus.compare.report.tables import number
from litmus.compare.settings import abbreviate
from litmus.compare.verdicts import DIVERGED
from litmus.page.canvas import INK, PAPER, Figure, draw_figure, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MOST_LINES = 300  # of parallel coordinates
WORST, BEST = (0.50, 0.55, 0.59), (0.84, 0.37, 0.0)  # gray to vermilion, visible on light and on dark pages


def heat_map(ranking: Ranking, lost: Sequence[Row], down: Effect, across: Effect, total: int, name: str) -> Figure:
    """The mean metric by two keys.

    Args:
        ranking: its rows are the settings.
        lost: the settings that diverged before they had a value.
        down: the key of the vertical axis.
        across: the key of the horizontal one.
        total: number of keys that differ.
        name: of the figure.
    """

    def place_of(row: Row) -> tuple[str, str]:
        return value_text(row, down.key), value_text(row, across.key)

    table: dict[tuple[str, str], list[float]] = {}
    for row in ranking.rows:
        table.setdefault(place_of(row), []).append(row.value.mean)
    means = {place: math.fsum(values) / len(values) for place, values in table.items()}
    grid_places = {(a, b) for a in down.texts for b in across.texts}
    diverged = {place_of(row) for row in lost} & (grid_places - set(means))
    middle = (min(means.values()) + max(means.values())) / 2

    def draw(canvas: "Canvas") -> None:
        axes = canvas.add_subplot()
        grid = [[means.get((a, b), math.nan) for b in across.texts] for a in down.texts]
        shown = axes.imshow(grid, cmap="cividis", aspect="auto", origin="lower")
        axes.set_xticks(range(len(across.texts)), [shorten(abbreviate(text), 14) for text in across.texts])
        axes.set_yticks(range(len(down.texts)), [shorten(abbreviate(text), 18) for text in down.texts])
        if max(len(abbreviate(text)) for text in across.texts) * len(across.texts) > 60:
            axes.tick_params(axis="x", rotation=35)
        axes.set(xlabel=shorten(across.key), ylabel=shorten(down.key))
        axes.spines[:].set_visible(False)
        canvas.colorbar(shown, ax=axes, label=ranking.metric).outline.set_visible(False)
        for (a, b), value in means.items() if len(across.texts) <= 8 else ():
            place = (across.texts.index(b), down.texts.index(a))
            color = "#ffffff" if value < middle else "#000000"
            axes.text(*place, number(value), ha="center", va="center", fontsize=8, color=color)
        for a, b in diverged:
            place = (across.texts.index(b), down.texts.index(a))
            axes.text(*place, DIVERGED, ha="center", va="center", fontsize=7, color=INK)

    rest = " Each cell is a mean over all other settings that differ." if total > 2 else ""
    which = "" if total == 2 else f" The two of {total} keys with the largest main effects."
    empty = (
        " Combinations in empty cells have no run that counts." if len(means) + len(diverged) < len(grid_places) else ""
    )
    caption = f"{ranking.metric} by {down.key} and {across.key}.{which}{rest}{empty}"
    return draw_figure(name, caption, (6.4, min(7.0, 1.5 + 0.5 * len(down.texts))), draw)


def parallel(ranking: Ranking, effects: Sequence[Effect], total: int, name: str) -> Figure:
    """A line for each setting, over an axis for each key and one for the metric.

    Args:
        ranking: its rows are the settings.
        effects: the keys.
        total: number of keys that differ.
        name: of the figure.
    """
    rows = ranking.rows[:MOST_LINES]
    low, high = (pick(row.value.mean for row in rows) for pick in (min, max))

    def draw(canvas: "Canvas") -> None:
        from matplotlib.collections import LineCollection

        axes = canvas.add_subplot()
        heights = [(row.value.mean - low) / (high - low) if high > low else 0.5 for row in reversed(rows)]
        goods = heights if ranking.mode == "max" else [1 - height for height in heights]
        lines = [
            [(x, effect.heights[value_text(row, effect.key)]) for x, effect in enumerate(effects)]
            + [(len(effects), height)]
            for row, height in zip(reversed(rows), heights, strict=True)  # the best last, on top
        ]
        colors = [
            (*(a + good * (b - a) for a, b in zip(WORST, BEST, strict=True)), 0.45 + 0.5 * good) for good in goods
        ]
        axes.add_collection(LineCollection(lines, colors=colors, linewidths=[0.6 + 1.4 * good for good in goods]))
        ends = [(0.0, f"{low:.4g}"), (1.0, f"{high:.4g}")] if high > low else [(0.5, f"{low:.4g}")]
        for x, marks in enumerate([*([(e.heights[text], text) for text in e.ticks()] for e in effects), ends]):
            axes.axvline(x, linewidth=0.6, color=INK)
            for height, text in marks:
                _label(axes, x, height, shorten(abbreviate(text), 14))
        names = [shorten(effect.key).replace(".", ".\n", 1) for effect in effects]
        axes.set_xticks(range(len(effects) + 1), [*names, ranking.metric])
        axes.set(xlim=(-0.05, len(effects) + 0.35), ylim=(-0.06, 1.06), yticks=[])
        axes.spines[:].set_visible(False)
        axes.tick_params(axis="x", length=0)

    lines = f"the best {len(rows)} of {ranking.total} settings" if len(rows) < ranking.total else "one line per setting"
    keys = f" The {len(effects)} of {total} keys with the largest main effects." if len(effects) < total else ""
    caption = f"Parallel coordinates: {lines}, redder and wider where better.{keys}"
    return draw_figure(name, caption, (min(9.5, 1.6 + 1.3 * (len(effects) + 1)), 3.6), draw)


def _label(axes: "Axes", x: int, height: float, text: str) -> None:
    box = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.8}  # lines run below it
    axes.annotate(text, (x, height), (4, 0), textcoords="offset points", va="center", fontsize=7, bbox=box, zorder=5)
