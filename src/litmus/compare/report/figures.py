"""The figures of a ranking: curves, main effects, a heat map, parallel coordinates."""

import math
from collections.abc import Sequence
from typing import Any

from litmus.compare.collect import UNFINISHED
from litmus.compare.curves import by_epoch, curve
from litmus.compare.effects import Effect, effects
from litmus.compare.ranking import Ranking, Row
from litmus.compare.report.canvas import COLOURS, DASHES, INK, Figure, drawn, prepare, short
from litmus.compare.report.maps import heat_map, parallel
from litmus.compare.settings import brief, cell, differing, short_key
from litmus.compare.statistics import LEVEL

MOST_CURVES = len(COLOURS)  # settings
MOST_RUNNING = 20  # runs of settings of which none has finished
MOST_AXES = 8  # of parallel coordinates
PER_PAGE = 9  # main effects
MOST_CELLS = 16  # of a side of the heat map
STEEP = 3.0  # times the range of later epochs, from where the first ones are left out of the picture
APART = 0.12  # of an axis, between two values that are written at it
LETTERS = 96  # of a setting below the curves


def figures(ranking: Ranking, prefix: str) -> list[Figure]:
    """Everything that can be drawn of a ranking; what makes no sense for it is left out."""
    prepare()
    found = effects(ranking)
    made = [_curves(ranking, f"{prefix}curves")]
    pages = [found[i : i + PER_PAGE] for i in range(0, len(found), PER_PAGE)]
    for number, page in enumerate(pages):
        many = f"-{number + 1}" if len(pages) > 1 else ""
        made.append(_main_effects(ranking, page, f"{prefix}main-effects{many}"))
    mappable = [effect for effect in found if len(effect.values) <= MOST_CELLS]
    if len(mappable) > 1 and len(ranking.rows) > 2:
        made.append(heat_map(ranking, mappable[0], mappable[1], len(found), f"{prefix}heat-map"))
    if len(found) > 1 and len(ranking.rows) > 2:
        made.append(parallel(ranking, found[:MOST_AXES], len(found), f"{prefix}parallel-coordinates"))
    return [figure for figure in made if figure is not None]


def _curves(ranking: Ranking, name: str) -> Figure | None:
    metric = ranking.metric
    rows, running = ranking.rows[:MOST_CURVES], ranking.running[:MOST_RUNNING]
    beside = [run for row in rows for run in row.left_out if run.status == UNFINISHED and run.rows]
    if not any(by_epoch(run.rows, metric) for run in (*(run for row in rows for run in row.runs), *running)):
        return None
    keys = [key for key in differing([row.settings for row in rows]) if key in ranking.keys]
    said = ["  ".join(f"{short_key(key, keys)}={cell(row.settings, key)}" for key in keys) for row in rows]
    labels = [short(f"{row.rank}  {text or ranking.label(row)}", LETTERS) for row, text in zip(rows, said, strict=True)]
    ncols = 2 if len(rows) > 2 and max(len(label) for label in labels) < LETTERS / 2 else 1
    limits = _limits(ranking, rows)

    def draw(canvas: Any) -> None:
        axes = canvas.add_subplot()
        axes.grid(alpha=0.18, linewidth=0.5)
        for i, row in enumerate(rows):
            _curve(axes, row, metric, i, labels[i], 0.16 if len(rows) < 5 else 0.1)
        for run in running:
            so_far = by_epoch(run.rows, metric)
            axes.plot(list(so_far), list(so_far.values()), color=INK, linewidth=0.7, linestyle=":")
        axes.set(xlabel="epoch", ylabel=metric)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if limits:
            axes.set(xlim=limits[0], ylim=limits[1])
        if rows:
            canvas.legend(loc="outside lower center", ncols=ncols)

    of = f"The best {len(rows)} of {ranking.total} settings" if len(rows) < ranking.total else "Every setting"
    parts = [f"{of}: {metric} by epoch." if rows else f"{metric} by epoch."]
    if rows:
        parts.append(
            "Lines are means over seeds, as far as all of them came; bands reach from the lowest seed to the highest."
        )
    parts += ["Thin dotted lines are runs that have not ended."] if running or beside else []
    parts += ["The first epochs lie outside the picture."] if limits else []
    return drawn(name, " ".join(parts), (7.2, 3.5 + 0.18 * math.ceil(len(rows) / ncols)), draw)


def _limits(ranking: Ranking, rows: Sequence[Row]) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Of both axes, where the first fifth of the epochs would leave no room to tell the others apart."""
    curves = [curve([run.rows for run in row.runs], ranking.metric) for row in rows]
    longest = max((of.epochs for of in curves), key=len, default=[])
    begin = math.ceil(len(longest) / 5)
    every = [value for of in curves for value in (*of.low, *of.high)]
    later = [value for of in curves for value in (*of.low[begin:], *of.high[begin:])]
    if not later or max(every) - min(every) < STEEP * (max(later) - min(later)) or max(later) == min(later):
        return None
    room = 0.06 * (max(later) - min(later))
    return (longest[begin] - 0.2, longest[-1] + 0.2), (min(later) - room, max(later) + room)


def _curve(axes: Any, row: Row, metric: str, place: int, label: str, alpha: float) -> None:
    colour, dash = COLOURS[place], DASHES[place % len(DASHES)]
    of = curve([run.rows for run in row.runs], metric)
    alone = "o" if len(of.epochs) == 1 else None
    axes.plot(of.epochs, of.mean, color=colour, linestyle=dash, marker=alone, linewidth=1.6, label=label)
    if len(row.runs) > 1:
        axes.fill_between(of.epochs, of.low, of.high, color=colour, alpha=alpha, linewidth=0)
    for run in row.left_out:
        if run.status == UNFINISHED:
            so_far = by_epoch(run.rows, metric)
            axes.plot(list(so_far), list(so_far.values()), color=colour, linewidth=0.7, linestyle=":")


def _main_effects(ranking: Ranking, found: Sequence[Effect], name: str) -> Figure:
    across = 2 if len(found) == 4 else min(3, len(found))
    down = math.ceil(len(found) / across)

    def draw(canvas: Any) -> None:
        grid = canvas.subplots(down, across, squeeze=False, sharey=True)
        for axes, effect in zip(grid.flat, found, strict=False):
            _effect(axes, effect)
        for axes in list(grid.flat)[len(found) :]:
            axes.set_visible(False)
        values = [value for effect in found for _, value in effect.points]
        room = 0.15 * (max(values) - min(values)) or abs(values[0]) or 1.0
        for left in grid[:, 0]:
            left.set_ylabel(ranking.metric)
            left.set_ylim(min(values) - room, max(values) + room)  # an interval of two settings may be endless

    together = "".join(f" {', '.join(effect.others)} changed with {effect.key}." for effect in found if effect.others)
    caption = (
        f"Main effects on {ranking.metric}: dots are settings, the line the mean of those with that value, bars its "
        f"{LEVEL:.0%} interval over them, cut at the edges. Where not every combination was tried, other keys differ "
        f"between the values, too.{together}"
    )
    return drawn(name, caption, (2.5 * across if across > 1 else 4.2, 2.3 * down + 0.2), draw)


def _apart(effect: Effect) -> set[int]:
    """The values that can be written at an axis without running into each other: both ends, and what fits between."""
    places = [effect.heights[text] for text in effect.texts] if effect.numeric else []
    if not places:
        return set(range(len(effect.texts)))
    kept = [0]
    for i, place in enumerate(places):
        if place - places[kept[-1]] >= APART and places[-1] - place >= APART:
            kept.append(i)
    return {*kept, len(places) - 1}


def _effect(axes: Any, effect: Effect) -> None:
    positions, log = effect.positions()
    axes.scatter(
        [positions[i] for i, _ in effect.points], [v for _, v in effect.points], s=7, alpha=0.5, color=COLOURS[0]
    )
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")  # the usual one needs mathematical text
        axes.xaxis.set_minor_formatter("")
    if not effect.scattered:
        halves = [of.half or 0.0 for of in effect.means]
        means = [of.mean for of in effect.means]
        line = "-" if effect.numeric else ""
        axes.errorbar(
            positions, means, halves, fmt=f"o{line}", color=COLOURS[1], markersize=4, linewidth=1.3, capsize=2
        )
        if not log or len(positions) <= 6:
            apart = _apart(effect)
            texts = [short(brief(text), 14) if i in apart else "" for i, text in enumerate(effect.texts)]
            axes.set_xticks(positions, texts)
            axes.minorticks_off()
        if max(len(brief(text)) for text in effect.texts) * len(positions) > 26:
            axes.tick_params(axis="x", rotation=35)
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
    if len(positions) > 1 and not effect.numeric:
        axes.set_xlim(-0.5, len(positions) - 0.5)
    axes.set_title(short(effect.key))
    axes.grid(alpha=0.18, linewidth=0.5, axis="y")
