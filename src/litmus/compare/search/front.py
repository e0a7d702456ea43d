"""The Pareto front of a search with several objectives: the trials that no other exceeds in all of them."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litmus.compare.search.axes import BETTER, Objective
from litmus.compare.search.marks import add_legend, dots, mark
from litmus.page.canvas import COLORS, Figure, draw_figure
from litmus.record.search import Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MOST_NAMED = 12  # trials of the front with their numbers
MOST_PAIRS = 6


def pareto_front(search: Search, drawn: Sequence[Objective], name: str) -> Figure:
    """Draws the finished trials by each two of the objectives.

    Args:
        search: the search.
        drawn: its objectives, two at least.
        name: of the figure.
    """
    pairs = list(itertools.combinations(drawn, 2))[:MOST_PAIRS]
    across = min(3, len(pairs))
    down = -(-len(pairs) // across)

    def draw(canvas: "Canvas") -> None:
        grid = canvas.subplots(down, across, squeeze=False)
        for axes, pair in zip(grid.flat, pairs, strict=False):
            _panel(axes, search, *pair, is_whole=len(drawn) == 2)
        for axes in list(grid.flat)[len(pairs) :]:
            axes.set_visible(False)
        add_legend(canvas)

    front = len(search.front())
    directions = ", ".join(f"{each.metric} ({BETTER[each.direction]})" for each in drawn)
    edge = "The line bounds what they exceed." if len(drawn) == 2 else "With more than two objectives it is no line."
    caption = (
        f"Pareto front of {directions}: no other of {len(search.finished())} finished trials is better than these "
        f"{front} in one objective without being worse in another; with their numbers. {edge}"
    )
    return draw_figure(name, caption, (3.3 * across if across > 1 else 5.4, 3.2 * down + 0.3), draw)


def _panel(axes: "Axes", search: Search, first: Objective, second: Objective, is_whole: bool) -> None:
    front = search.front()
    rest = [trial for trial in search.finished() if trial not in front]

    def points(trials: Sequence[object]) -> list[tuple[float, float]]:
        pairs = [(t.values[first.number], t.values[second.number]) for t in search.trials if t in trials]
        return [(first.inside(x), second.inside(y)) for x, y in pairs]

    if rest:
        dots(axes, points(rest), [trial.number for trial in rest], len(search.trials))
    if front:
        mark(axes, "best", points(front))
    if is_whole and front:
        x, y = zip(*sorted(points(front)), strict=True)
        # A corner is a value that no trial has reached: the worse of both neighbors.
        axes.step(
            x,
            y,
            where="post" if first.direction == "minimize" else "pre",
            color=COLORS[1],
            linewidth=1.2,
            label="front",
        )
    for trial, at in zip([t for t in search.trials if t in front], points(front), strict=True):
        if len(front) <= MOST_NAMED:
            axes.annotate(str(trial.number), at, (5, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel=first.label.replace("\n", " "), ylabel=second.label, xlim=first.span, ylim=second.span)
    axes.grid(alpha=0.18, linewidth=0.5)
