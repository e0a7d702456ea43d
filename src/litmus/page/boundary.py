"""What a network makes of each place of a plane, as colors, or of a line, as a curve; and the samples there."""

import math

import numpy as np
from numpy.typing import NDArray

from litmus.config.boundaries import Boundaries
from litmus.page.axes import axis
from litmus.page.charts import Frame, frame
from litmus.page.drawing import COLORS, Drawing, Pixels, Point, rgb

SIDE = 300.0  # of the plane, in pixels; a curve is as high, and wider
TINT = 0.45  # of a class's color where it is certain; the rest is white
WHITE = 255.0
Floats = NDArray[np.float64]


def boundary(shown: Boundaries, number: int) -> Drawing:
    """One epoch of a network.

    Args:
        shown: all of them.
        number: which one, from 0.
    """
    return _plane(shown, number) if len(shown.names) == 2 else _curve(shown, number)


def _plane(shown: Boundaries, number: int) -> Drawing:
    x, y = (
        axis([], name, low=float(low), high=float(high))
        for name, low, high in zip(shown.names, shown.low, shown.high, strict=True)
    )
    legend = [(name, color, False) for name, color in zip(shown.classes, COLORS, strict=False)]
    chart = frame(_label(shown, number), x, y, legend, height=SIDE + 66, width=SIDE + 60)
    drawing = chart.drawing
    drawing.image(chart.left, chart.top, chart.width, chart.height, _colored(shown, number))
    for unit in shown.units[number]:
        if len(ends := _within(shown, unit)) == 2:
            drawing.line([chart.at(*point) for point in ends], "soft", 1, dashed=True)
    for place, color in enumerate(COLORS[: len(shown.classes)]):
        points = [chart.at(*point) for point in shown.inputs[shown.targets == place]]
        drawing.dots(points, 3.2, "#ffffff")
        drawing.dots(points, 2.3, color)
    _name(chart, shown, number)
    return drawing


def _curve(shown: Boundaries, number: int) -> Drawing:
    (name,), values = shown.names, shown.outputs[number, :, 0].astype(np.float64)
    x = axis([], name, low=float(shown.low[0]), high=float(shown.high[0]))
    y = axis([*shown.targets, *shown.outputs[-1, :, 0].astype(np.float64)], shown.target)
    chart = frame(_label(shown, number), x, y, height=SIDE, width=1.5 * SIDE, above=14)
    chart.drawing.dots([chart.at(a, b) for a, b in zip(shown.inputs[:, 0], shown.targets, strict=True)], 2, "soft", 0.5)
    places = np.linspace(shown.low[0], shown.high[0], len(values))
    if np.isfinite(values).all():
        chart.drawing.line([chart.at(a, b) for a, b in zip(places, values, strict=True)], COLORS[1], 2.2)
    _name(chart, shown, number)
    return chart.drawing


def _name(chart: Frame, shown: Boundaries, number: int) -> None:
    chart.drawing.text(chart.left + chart.width, chart.top - 6, _epoch(shown, number), "soft", 11.5, "end")


def _epoch(shown: Boundaries, number: int) -> str:
    """What one is called."""
    epoch = int(shown.epochs[number])
    return f"epoch {epoch:,}" if epoch else "untrained"


def _label(shown: Boundaries, number: int) -> str:
    what = "classes" if shown.classes else shown.target
    return f"{what} that the network predicts by {' and '.join(shown.names)}, {_epoch(shown, number)}"


def _colored(shown: Boundaries, number: int) -> Pixels:
    """The grid as pixels, the first row at the top: tints of the classes' colors, mixed by their probabilities.

    White is where the network changes its mind: a neighbor is of another class.
    """
    colors = np.array([rgb(name) for name in COLORS[: len(shown.classes)]])
    tints = WHITE + TINT * (colors - WHITE)
    mixed = shown.outputs[number].astype(np.float64) / 255 @ tints
    classes = shown.outputs[number].argmax(axis=1).reshape(shown.side, shown.side)
    changes = np.zeros(classes.shape, dtype=np.bool_)
    changes[:-1] |= classes[:-1] != classes[1:]
    changes[:, :-1] |= classes[:, :-1] != classes[:, 1:]
    mixed[changes.ravel()] = WHITE
    return mixed.reshape(shown.side, shown.side, 3)[::-1].round().clip(0, 255).astype(np.uint8)


def _within(shown: Boundaries, unit: Floats) -> list[Point]:
    """The ends of the line on which a unit's sum is 0, within the plane; none where it is elsewhere."""
    a, b, c = (float(own) for own in unit)
    (x0, y0), (x1, y1) = shown.low, shown.high
    found: list[Point] = []
    if b:
        found += [(x, -(a * x + c) / b) for x in (x0, x1) if y0 <= -(a * x + c) / b <= y1]
    if a:
        found += [(-(b * y + c) / a, y) for y in (y0, y1) if x0 < -(b * y + c) / a < x1]
    return found[:2] if all(map(math.isfinite, (a, b, c))) else []
