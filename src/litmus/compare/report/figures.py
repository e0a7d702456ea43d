"""The figures of a ranking: curves, main effects, a heat map, parallel coordinates."""

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from litmus.compare.collect import UNFINISHED
from litmus.compare.curves import by_epoch, mean_curve
from litmus.compare.effects import Effect, main_effects
from litmus.compare.ranking import Ranking, Row
from litmus.compare.report.maps import heat_map, parallel
from litmus.compare.settings import abbreviate, short_key, short_value, varying_keys
from litmus.compare.statistics import LEVEL
from litmus.page.canvas import COLORS, DASHES, INK, Figure, draw_figure, set_up_matplotlib, shorten, whole_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MOST_CURVES = 8  # settings; their colors and dashes together differ
MOST_RUNNING = 20  # unfinished runs of settings without a row
MOST_AXES = 8  # of parallel coordinates
PER_PAGE = 9  # main effects
MOST_CELLS = 16  # along a side of the heat map
FEWEST = 2  # epochs that are left then: one makes no line
STEEP = 3.0  # the first epochs are cut off if the range of values is so many times that of the later ones
APART = 0.12  # fraction of an axis between two labels
LONGEST = 96  # characters of a label in the curves' legend


def draw_ranking(ranking: Ranking, prefix: str, searched: Collection[str] = ()) -> list[Figure]:
    """Draws every figure that makes sense for a ranking.

    Args:
        ranking: what to draw.
        prefix: of the figures' names.
        searched: keys whose values a sampler chose: a search's own figures show those.
    """
    set_up_matplotlib()
    diverged = [row for row in ranking.rows if row.diverged]
    lost = [row for row in diverged if not row.value.n]
    ranking = ranking.measured()
    effects = [effect for effect in main_effects(ranking) if effect.key not in searched]
    drawn = [_curves(ranking, f"{prefix}curves")]
    pages = [effects[i : i + PER_PAGE] for i in range(0, len(effects), PER_PAGE)]
    for number, page in enumerate(pages):
        many = f"-{number + 1}" if len(pages) > 1 else ""
        drawn.append(_main_effects(ranking, page, len(diverged), f"{prefix}main-effects{many}"))
    mappable = [effect for effect in effects if len(effect.values) <= MOST_CELLS]
    if len(mappable) > 1 and len(ranking.rows) > 2:
        drawn.append(heat_map(ranking, lost, mappable[0], mappable[1], len(effects), f"{prefix}heat-map"))
    if len(effects) > 1 and len(ranking.rows) > 2:
        drawn.append(parallel(ranking, effects[:MOST_AXES], len(effects), f"{prefix}parallel-coordinates"))
    return [figure for figure in drawn if figure is not None]


def _curves(ranking: Ranking, name: str) -> Figure | None:
    metric = ranking.metric
    rows, running = ranking.rows[:MOST_CURVES], ranking.running[:MOST_RUNNING]
    unfinished = [run for row in rows for run in row.excluded if run.status == UNFINISHED and run.rows]
    drawn = (*(run for row in rows for run in row.runs), *running)
    if not any(by_epoch(run.rows, metric) for run in drawn):
        return None
    keys = [key for key in varying_keys([row.settings for row in rows]) if key in ranking.keys]
    texts = ["  ".join(f"{short_key(key, keys)}={short_value(row.settings, key)}" for key in keys) for row in rows]
    names = [text or ranking.label(row) for row, text in zip(rows, texts, strict=True)]
    labels = [shorten(f"{row.rank}  {name}", LONGEST) for row, name in zip(rows, names, strict=True)]
    ncols = 2 if len(rows) > 2 and max(len(label) for label in labels) < LONGEST / 2 else 1
    limits = _limits(ranking, rows)

    def draw(canvas: "Canvas") -> None:
        axes = canvas.add_subplot()
        axes.grid(alpha=0.18, linewidth=0.5)
        for i, row in enumerate(rows):
            _curve(axes, row, metric, i, labels[i], 0.16 if len(rows) < 5 else 0.1)
        for run in running:
            so_far = by_epoch(run.rows, metric)
            axes.plot(list(so_far), list(so_far.values()), color=INK, linewidth=0.7, linestyle=":")
        axes.set(xlabel="epoch", ylabel=metric)
        whole_ticks(axes.xaxis)
        if limits:
            axes.set(xlim=limits[0], ylim=limits[1])
        if rows:
            canvas.legend(loc="outside lower center", ncols=ncols)

    which = f"The best {len(rows)} of {ranking.total} settings" if len(rows) < ranking.total else "Every setting"
    caption = [f"{which}: {metric} by epoch." if rows else f"{metric} by epoch."]
    if rows:
        caption.append(
            "Lines are means over seeds, up to the last epoch that all have; bands range from minimum to maximum."
        )
    caption += ["Thin dotted lines are unfinished runs."] if running or unfinished else []
    caption += ["The first epochs are outside the axes."] if limits else []
    return draw_figure(name, " ".join(caption), (7.2, 3.5 + 0.18 * math.ceil(len(rows) / ncols)), draw)


def _limits(ranking: Ranking, rows: Sequence[Row]) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The limits of both axes without the first fifth of the epochs, if those would flatten the rest; else None."""
    curves = [mean_curve([run.rows for run in row.runs], ranking.metric) for row in rows]
    longest = max((curve.epochs for curve in curves), key=len, default=[])
    begin = math.ceil(len(longest) / 5)
    if len(longest) - begin < FEWEST:
        return None
    every = [value for curve in curves for value in (*curve.low, *curve.high)]
    later = [value for curve in curves for value in (*curve.low[begin:], *curve.high[begin:])]
    if max(every) - min(every) < STEEP * (max(later) - min(later)) or max(later) == min(later):
        return None
    room = 0.06 * (max(later) - min(later))
    return (longest[begin] - 0.2, longest[-1] + 0.2), (min(later) - room, max(later) + room)


def _curve(axes: "Axes", row: Row, metric: str, place: int, label: str, alpha: float) -> None:
    color, dash = COLORS[place % len(COLORS)], DASHES[place % len(DASHES)]
    curve = mean_curve([run.rows for run in row.runs], metric)
    marker = "o" if len(curve.epochs) == 1 else None
    axes.plot(curve.epochs, curve.mean, color=color, linestyle=dash, marker=marker, linewidth=1.6, label=label)
    if len(curve.epochs) == 1:
        axes.vlines(curve.epochs, curve.low, curve.high, color=color, linewidth=1)
    elif len(row.runs) > 1:
        axes.fill_between(curve.epochs, curve.low, curve.high, color=color, alpha=alpha, linewidth=0)
    for run in row.excluded:
        if run.status == UNFINISHED:
            so_far = by_epoch(run.rows, metric)
            axes.plot(list(so_far), list(so_far.values()), color=color, linewidth=0.7, linestyle=":")


def _main_effects(ranking: Ranking, effects: Sequence[Effect], num_diverged: int, name: str) -> Figure:
    across = 2 if len(effects) == 4 else min(3, len(effects))
    down = math.ceil(len(effects) / across)

    def draw(canvas: "Canvas") -> None:
        grid = canvas.subplots(down, across, squeeze=False, sharey=True)
        for axes, effect in zip(grid.flat, effects, strict=False):
            _effect(axes, effect)
        for axes in list(grid.flat)[len(effects) :]:
            axes.set_visible(False)
        values = [value for effect in effects for _, value in effect.points]
        room = 0.15 * (max(values) - min(values)) or 0.05 * abs(values[0]) or 1.0
        for left in grid[:, 0]:
            left.set_ylabel(ranking.metric)
            left.set_ylim(min(values) - room, max(values) + room)  # the interval of two settings may be very wide

    confounded = "".join(
        f" {', '.join(effect.confounded)} changed with {effect.key} (confounded)."
        for effect in effects
        if effect.confounded
    )
    caption = (
        f"Main effects on {ranking.metric}: dots are settings, the line is the mean of those with that value, bars are "
        f"its {LEVEL:.0%} confidence interval over settings, cut at the edges. Where not every combination was run, "
        f"other keys differ between the values, too.{confounded}{_survivors(num_diverged)}"
    )
    return draw_figure(name, caption, (2.5 * across if across > 1 else 4.2, 2.3 * down + 0.2), draw)


def _survivors(num_diverged: int) -> str:
    if not num_diverged:
        return ""
    settings = "1 setting" if num_diverged == 1 else f"{num_diverged} settings"
    return f" {settings} diverged on some seed: means are of the seeds that have a value, which flatters such values."


def labeled_places(effect: Effect) -> set[int]:
    """The indices of values whose labels do not overlap on an axis: both ends, and those that fit between."""
    places = [effect.heights[text] for text in effect.texts] if effect.numeric else []
    if not places:
        return set(range(len(effect.texts)))
    kept = [0]
    for i, place in enumerate(places):
        if place - places[kept[-1]] >= APART and places[-1] - place >= APART:
            kept.append(i)
    return {*kept, len(places) - 1}


def _effect(axes: "Axes", effect: Effect) -> None:
    positions, log = effect.positions()
    axes.scatter(
        [positions[i] for i, _ in effect.points], [v for _, v in effect.points], s=7, alpha=0.5, color=COLORS[0]
    )
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")  # the default one needs `text.parse_math`
        axes.xaxis.set_minor_formatter("")
    if not effect.scattered:
        errors = [summary.half_width or 0.0 for summary in effect.means]
        means = [summary.mean for summary in effect.means]
        line = "-" if effect.numeric else ""
        axes.errorbar(positions, means, errors, fmt=f"o{line}", color=COLORS[1], markersize=4, linewidth=1.3, capsize=2)
        if not log or len(positions) <= 6:
            labeled = labeled_places(effect)
            texts = [shorten(abbreviate(text), 14) if i in labeled else "" for i, text in enumerate(effect.texts)]
            axes.set_xticks(positions, texts)
            axes.minorticks_off()
        if max(len(abbreviate(text)) for text in effect.texts) * len(positions) > 26:
            axes.tick_params(axis="x", rotation=35)
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
    if len(positions) > 1 and not effect.numeric:
        axes.set_xlim(-0.5, len(positions) - 0.5)
    axes.set_title(shorten(effect.key))
    axes.grid(alpha=0.18, linewidth=0.5, axis="y")
