"""The axes of a search's figures: each key as it was searched, each objective as far as most trials reach."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING

from litmus.page.canvas import shorten, whole_ticks
from litmus.record.search import Choices, Numbers, Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAR = 3.0  # quartile ranges beyond the worse quartile: Tukey's "far out"
SPREAD = 0.22  # of a strip's dots to both sides
WIDE = 30.0  # from this ratio of its ends on, a logarithmic axis is labeled at powers of ten alone
BETTER = {"minimize": "less is better", "maximize": "more is better"}

Searched = Numbers | Choices


@dataclass(frozen=True)
class Objective:
    """One objective of a search.

    Attributes:
        number: which one.
        metric: its name.
        direction: "minimize" or "maximize".
        suffix: of figures' names: which objective, if there are several.
        span: what its axis spans: all values, but for those that are far worse than most.
    """

    number: int
    metric: str
    direction: str
    suffix: str
    span: tuple[float, float]

    @property
    def label(self) -> str:
        """Its name, and which values are better."""
        return f"{shorten(self.metric)}\n({BETTER[self.direction]})"

    @property
    def worst(self) -> float:
        """The end of its axis where what diverged is drawn."""
        return self.span[1] if self.direction == "minimize" else self.span[0]

    def inside(self, value: float | None) -> float:
        """Where a value lies on the axis; at its end if it is beyond, or is none."""
        low, high = self.span
        margin = 0.025 * (high - low)
        return min(max(self.worst if value is None else value, low + margin), high - margin)


def objectives(search: Search) -> list[Objective]:
    """Those of a search that have a value of some trial that finished."""
    pairs = zip(search.metrics, search.directions, strict=True)
    found = []
    for number, (metric, direction) in enumerate(pairs):
        values = [value for trial in search.finished() if (value := trial.values[number]) is not None]
        suffix = f"-{number + 1}" if len(search.metrics) > 1 else ""
        if values:
            found.append(Objective(number, metric, direction, suffix, span(values, direction)))
    return found


def span(values: Sequence[float], direction: str) -> tuple[float, float]:
    """The ends of an axis: all values, but for those that are far worse than most.

    Args:
        values: at least one.
        direction: "minimize" or "maximize".
    """
    low, high = min(values), max(values)
    if len(values) > 3:
        first, _, third = quantiles(values, n=4, method="inclusive")
        if direction == "minimize" and third > first:
            high = min(high, third + FAR * (third - first))
        elif third > first:
            low = max(low, first - FAR * (third - first))
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def places(search: Search, key: str) -> dict[int, float]:
    """Where the trials lie on the axis of a key, by number; among choices somewhere in the strip of theirs.

    A trial that was killed before it had a value is left out.
    """
    searched, found = search.space[key], {}
    for trial in search.trials:
        value = trial.params.get(key)
        if isinstance(searched, Choices):
            if str(value) in searched.choices:
                aside = random.Random(trial.number).uniform(-SPREAD, SPREAD)  # the same in every figure
                found[trial.number] = searched.choices.index(str(value)) + aside
        elif isinstance(value, int | float) and not (searched.log and value <= 0):
            found[trial.number] = float(value)
    return found


def set_axis(axes: "Axes", searched: Searched, key: str, vertical: bool = False) -> None:
    """Gives an axis the scale, the ends and the name of a key.

    Args:
        axes: to draw on.
        searched: how the key was searched.
        key: its name.
        vertical: whether it is the vertical axis.
    """
    axis = axes.yaxis if vertical else axes.xaxis
    set_limits = axes.set_ylim if vertical else axes.set_xlim
    axis.set_label_text(shorten(key))
    if isinstance(searched, Choices):
        count = len(searched.choices)
        axis.set_ticks(range(count), [shorten(choice, 14) for choice in searched.choices])
        if not vertical and max(map(len, searched.choices)) * count > 26:
            axes.tick_params(axis="x", rotation=25)
        set_limits(-0.5, count - 0.5)
    elif searched.log:
        (axes.set_yscale if vertical else axes.set_xscale)("log")
        ratio = searched.high / searched.low
        axis.get_major_locator().set_params(numticks=4)  # type: ignore[call-arg]  # a LogLocator takes it
        axis.set_major_formatter(lambda value, _: f"{value:g}")  # the default one needs `text.parse_math`
        axis.set_minor_formatter(lambda value, _: "" if ratio > WIDE else f"{value:g}")
        room = ratio**0.04 if ratio > 1 else 1.5
        set_limits(searched.low / room, searched.high * room)
    else:
        room = 0.04 * (searched.high - searched.low) or 0.5
        set_limits(searched.low - room, searched.high + room)
        if searched.step is not None and float(searched.low).is_integer() and float(searched.step).is_integer():
            whole_ticks(axis, 5)
        else:
            axis.get_major_locator().set_params(nbins=5)  # type: ignore[call-arg]  # an AutoLocator takes it
