"""The critical-difference diagram: mean ranks over datasets, and bars over what cannot be told apart (Demsar 2006)."""

import math
from typing import TYPE_CHECKING

from litmus.compare.datasets import OverDatasets
from litmus.page.canvas import COLORS, INK, Figure, draw_figure, set_up_matplotlib, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

NAME = "critical-difference"
MOST_SETTINGS = 30
LINE = 0.22  # inches between two labels, or two bars
LONGEST = 44  # characters of a label


def critical_difference(over: OverDatasets) -> Figure:
    """Draws the diagram: the best settings on the left, their labels on both sides."""
    set_up_matplotlib()
    ranks, labels = over.ranks[:MOST_SETTINGS], over.labels[:MOST_SETTINGS]
    bars = [(first, min(last, len(ranks) - 1)) for first, last in over.groups() if first < len(ranks)]
    left = math.ceil(len(ranks) / 2)
    height = LINE * (left + len(bars) + 4)

    def draw(canvas: "Canvas") -> None:
        axes = canvas.add_subplot()
        low, high = 1, math.ceil(max(ranks))
        axes.set(xlim=(low - 0.05, high + 0.05), ylim=(-(left + 0.6 * len(bars) + 0.6), 2.6))
        axes.set_axis_off()
        axes.plot([low, high], [0, 0], color=INK, linewidth=0.8)
        for number in range(low, high + 1):
            axes.plot([number, number], [0, 0.2], color=INK, linewidth=0.8)
            axes.text(number, 0.3, str(number), ha="center", va="bottom", fontsize=8)
        axes.plot([low, min(low + over.critical, high)], [1.7, 1.7], color=INK, linewidth=1.5)
        axes.text(low, 1.8, f"critical difference {over.critical:.2f}", va="bottom", fontsize=8)
        for place, (first, last) in enumerate(bars, start=1):
            ends = [ranks[first] - 0.02, ranks[last] + 0.02]
            axes.plot(ends, [-0.6 * place] * 2, color=COLORS[1], linewidth=3, solid_capstyle="butt")
        for i, (rank, label) in enumerate(zip(ranks, labels, strict=True)):
            on_left = i < left
            depth = -(0.6 * len(bars) + 1 + (i if on_left else len(ranks) - 1 - i))
            _arm(axes, rank, depth, low if on_left else high, f"{shorten(label, LONGEST)}  {rank:.2f}", on_left)

    which = f"the best {len(ranks)} of {len(over.ranks)} settings" if len(ranks) < len(over.ranks) else "every setting"
    bars_are = "Bars join settings that cannot be told apart (Nemenyi's test at 5 %)." if bars else ""
    caption = (
        f"Mean ranks of {which} over {len(over.datasets)} datasets ({', '.join(over.datasets)}), the best on the left; "
        f"Friedman's p {over.p:.2g}. {bars_are}"
    )
    return draw_figure(NAME, caption.strip(), (7.6, max(1.8, height)), draw)


def _arm(axes: "Axes", rank: float, depth: float, end: float, label: str, on_left: bool) -> None:
    axes.plot([rank, rank, end], [0, depth, depth], color=INK, linewidth=0.7, clip_on=False)
    axes.annotate(
        label,
        (end, depth),
        (-4 if on_left else 4, 0),
        textcoords="offset points",
        ha="right" if on_left else "left",
        va="center",
        fontsize=8,
    )
