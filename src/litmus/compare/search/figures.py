"""The figures of a search: trials over time, the importance of each key, slices, contours, the Pareto front."""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litmus.compare.search.axes import BETTER, Objective, objectives, places, set_axis
from litmus.compare.search.contours import contours
from litmus.compare.search.front import pareto_front
from litmus.compare.search.importance import DRAWS, Importance, importance
from litmus.compare.search.marks import add_legend, mark_trials, trial_bar
from litmus.page.axes import digits
from litmus.page.canvas import COLORS, GRAY, INK, Figure, draw_figure, set_up_matplotlib, shorten, whole_ticks
from litmus.record.search import FAILED, FINISHED, RUNNING, Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PER_PAGE = 9  # slices
ROW = 0.3  # inches of a bar
MOST_KEYS = 20  # bars


def draw_search(search: Search, prefix: str) -> list[Figure]:
    """Draws every figure that makes sense for a search; none while no trial has finished.

    Args:
        search: what to draw.
        prefix: of the figures' names.
    """
    set_up_matplotlib()
    drawn = objectives(search)
    if not drawn:
        return []
    figures = [_history(search, drawn, f"{prefix}trials")]
    if len(drawn) > 1:
        figures.append(pareto_front(search, drawn, f"{prefix}pareto-front"))
    for objective in drawn:
        figures += _of_objective(search, objective, prefix)
    return figures


def _of_objective(search: Search, objective: Objective, prefix: str) -> list[Figure]:
    found = importance(search, objective.number)
    keys = list(found.shares) if isinstance(found, Importance) else list(search.space)
    pages = [keys[i : i + PER_PAGE] for i in range(0, len(keys), PER_PAGE)]
    names = [f"-{i + 1}" if len(pages) > 1 else "" for i in range(len(pages))]
    figures = [
        _slices(search, objective, page, f"{prefix}slices{objective.suffix}{name}")
        for page, name in zip(pages, names, strict=True)
    ]
    if isinstance(found, Importance):
        figures.insert(0, _importance(found, objective, f"{prefix}importance{objective.suffix}"))
    if (drawn := contours(search, objective, keys, f"{prefix}contours{objective.suffix}")) is not None:
        figures.append(drawn)
    return figures


def not_drawn(search: Search) -> list[str]:
    """Sentences on what a search's figures leave out: trials without a value, and an importance that is not known."""
    missing = [found for each in objectives(search) if isinstance(found := importance(search, each.number), str)]
    states = [(state, sum(trial.state == state for trial in search.trials)) for state in (FAILED, RUNNING)]
    without = " and ".join(f"{count} {state}" for state, count in states if count)
    return [*dict.fromkeys(missing), *([f"Not in the figures, for want of a value: {without}."] if without else [])]


def _history(search: Search, drawn: Sequence[Objective], name: str) -> Figure:
    numbers = {trial.number: float(trial.number) for trial in search.trials}

    def draw(canvas: "Canvas") -> None:
        grid = canvas.subplots(len(drawn), 1, squeeze=False, sharex=True)
        for axes, objective in zip(grid[:, 0], drawn, strict=True):
            _best_so_far(axes, search, objective)
            mark_trials(axes, search, objective, numbers)
            axes.set_ylabel(objective.label)
            axes.grid(alpha=0.18, linewidth=0.5, axis="y")
        last = grid[-1, 0]
        last.set(xlabel="trial", xlim=(-0.8, max(numbers) + 0.8))
        whole_ticks(last.xaxis)
        add_legend(canvas)

    caption = "Trials over time: the objective of each, and the best so far."
    if len(drawn) > 1:
        caption = "Trials over time: the objectives of each, and for each objective the best so far; stars: the front."
    return draw_figure(name, caption, (7.2, 1.3 + 1.9 * len(drawn)), draw)


def _best_so_far(axes: "Axes", search: Search, objective: Objective) -> None:
    pick = min if objective.direction == "minimize" else max
    finished = [(t.number, t.values[objective.number]) for t in search.trials if t.state == FINISHED]
    values = [(number, value) for number, value in finished if value is not None]
    best = list(itertools.accumulate((value for _, value in values), pick))
    x = [number for number, _ in values] + [search.trials[-1].number]
    axes.step(x, [*best, best[-1]], where="post", color=COLORS[1], linewidth=1.2, label="best so far")


def _importance(found: Importance, objective: Objective, name: str) -> Figure:
    shares = list(found.shares.items())[:MOST_KEYS]
    chance = min(found.by_chance, 1.0)

    def draw(canvas: "Canvas") -> None:
        axes = canvas.add_subplot()
        colors = [COLORS[0] if share > chance else GRAY for _, share in shares]
        axes.barh([shorten(key) for key, _ in shares], [share for _, share in shares], color=colors, height=0.62)
        for i, (_, share) in enumerate(shares):
            axes.annotate(digits(share), (share, i), (4, 0), textcoords="offset points", va="center", fontsize=8)
        axes.axvline(chance, color=INK, linewidth=1, linestyle="--")
        axes.invert_yaxis()
        axes.set(xlim=(0, 1.08), xlabel=f"importance for {objective.metric}")

    few = f" The {len(shares)} most important of {len(found.shares)} keys." if len(shares) < len(found.shares) else ""
    caption = (
        f"Importance of each key for {objective.metric} (PED-ANOVA): how far the best {found.num_best} of "
        f"{found.num_trials} trials lie elsewhere on its axis than all trials, as a share of all keys. Dashed: what a "
        f"key of random numbers reached at most, in {DRAWS} draws; a gray bar may be chance. It sees one key at a "
        f"time, only where trials were run, and with few trials it is rough.{few}"
    )
    return draw_figure(name, caption, (6.4, 1.0 + ROW * len(shares)), draw)


def _slices(search: Search, objective: Objective, keys: Sequence[str], name: str) -> Figure:
    across = 2 if len(keys) == 4 else min(3, len(keys))
    down = math.ceil(len(keys) / across)

    def draw(canvas: "Canvas") -> None:
        grid = canvas.subplots(down, across, squeeze=False, sharey=True)
        for axes, key in zip(grid.flat, keys, strict=False):
            mark_trials(axes, search, objective, places(search, key))
            set_axis(axes, search.space[key], key)
            axes.grid(alpha=0.18, linewidth=0.5, axis="y")
        for axes in list(grid.flat)[len(keys) :]:
            axes.set_visible(False)
        for left in grid[:, 0]:
            left.set_ylabel(objective.label)
        trial_bar(canvas, list(grid.flat), len(search.trials))
        add_legend(canvas)

    caption = (
        f"Slices: {objective.metric} ({BETTER[objective.direction]}) by each searched key, a mark for each trial, "
        "darker where later. The other keys differ from mark to mark, and a sampler tries more where it was good."
    )
    return draw_figure(name, caption, (2.6 * across + 0.8 if across > 1 else 4.8, 2.3 * down + 0.5), draw)
