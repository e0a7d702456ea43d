"""How the trials of a search are marked in its figures: by state, the finished ones also by their number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litmus.compare.search.axes import Objective
from litmus.page.canvas import COLORS, INK, whole_ticks
from litmus.record.search import DIVERGED, FINISHED, PRUNED, Search, Trial

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure as Canvas

LIGHT, DARK = "#8b95a0", COLORS[0]  # the first trial and the last, visible on light and on dark pages


@dataclass(frozen=True)
class Mark:
    """A mark.

    Attributes:
        shape: matplotlib's letter for it.
        size: in square points.
        face: its color inside.
        edge: the color of its line.
        layer: those of a higher one lie on top.
    """

    shape: str
    size: float
    face: str
    edge: str
    layer: int = 3


MARKS = {
    PRUNED: Mark("o", 16, "none", COLORS[4]),
    DIVERGED: Mark("x", 22, COLORS[1], COLORS[1]),
    "far worse": Mark("D", 14, "none", DARK),
    "best": Mark("*", 90, COLORS[1], INK, layer=4),
}
MEANING = {
    FINISHED: "finished",
    PRUNED: "pruned (its last value)",
    DIVERGED: "diverged (at the edge)",
    "far worse": "far worse (at the edge)",
    "best": "best",
}


def mark_trials(axes: "Axes", search: Search, objective: Objective, places: Mapping[int, float]) -> None:
    """Draws a mark for each trial, at its place on the horizontal axis and its value on the vertical one.

    Args:
        axes: to draw on.
        search: the search.
        objective: of the vertical axis.
        places: by the number of the trial; those without one are not drawn.
    """
    best = [trial.number for trial in search.front()]
    kinds: dict[str, list[Trial]] = {}
    for trial in search.trials:
        if trial.number in places:
            kinds.setdefault("best" if trial.number in best else _kind(objective, trial), []).append(trial)
    for kind, trials in kinds.items():
        points = [(places[trial.number], objective.inside(trial.values[objective.number])) for trial in trials]
        if kind == FINISHED:
            dots(axes, points, [trial.number for trial in trials], len(search.trials))
        elif kind in MARKS:
            mark(axes, kind, points)
    axes.set_ylim(*objective.span)


def _kind(objective: Objective, trial: Trial) -> str:
    value = trial.values[objective.number]
    is_far = trial.state == FINISHED and value is not None and objective.inside(value) != value
    return "far worse" if is_far else trial.state


def mark(axes: "Axes", kind: str, points: Sequence[tuple[float, float]]) -> None:
    """Draws marks of one of MARKS."""
    how = MARKS[kind]
    x, y = zip(*points, strict=True)
    drawn = axes.scatter(x, y, how.size, marker=how.shape, linewidths=0.9, label=MEANING[kind], zorder=how.layer)
    drawn.set(facecolor=how.face, edgecolor=how.edge)


def dots(axes: "Axes", points: Sequence[tuple[float, float]], numbers: Sequence[int], total: int) -> "PathCollection":
    """Draws the dots of finished trials, colored by their numbers.

    Args:
        axes: to draw on.
        points: x and y of each.
        numbers: of the trials.
        total: number of trials.
    """
    x, y = zip(*points, strict=True)
    return axes.scatter(
        x, y, 16, numbers, cmap=trial_colors(), vmin=0, vmax=max(total - 1, 1), linewidths=0, label=MEANING[FINISHED]
    )


def trial_colors() -> "Colormap":
    """The colors of the trials, from the first to the last."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("trials", [LIGHT, DARK])


def trial_bar(canvas: "Canvas", axes: "Sequence[Axes]", total: int) -> None:
    """A bar that says which color is which trial."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    shown = ScalarMappable(Normalize(0, max(total - 1, 1)), trial_colors())
    bar = canvas.colorbar(shown, ax=list(axes), label="trial", aspect=40, pad=0.02)
    bar.outline.set_visible(False)
    whole_ticks(bar.ax.yaxis, 4)


def add_legend(canvas: "Canvas") -> None:
    """Says once for the whole figure what each mark is."""
    entries: dict[str, Artist] = {}
    for axes in canvas.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    marks = list(entries.values())
    canvas.legend(handles=marks, labels=list(entries), loc="outside lower center", ncols=min(4, len(marks)))
