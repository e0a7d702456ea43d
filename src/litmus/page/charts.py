"""Charts of few kinds, drawn as `Drawing`: lines, dots, bars, heat maps, and images in rows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from litmus.page.axes import Axis, clipped
from litmus.page.drawing import COLORS, Drawing, Pixels, Point, text_width
from litmus.page.names import LONGEST, shorten, shorten_all

WIDTH, HEIGHT = 430.0, 280.0  # a telephone shows letters of an axis at three quarters of their size
SMALL = 11.5  # the size of letters beside an axis
BAR = 15.0  # the height of a bar
FEW = 25  # values of a line, up to which each is marked by a dot
CAP = 4.0  # of an error bar, to both sides
Floats = NDArray[np.float64]
Values = TypeVar("Values", bound=tuple[float, ...])  # of a point


@dataclass(frozen=True)
class Line:
    """A line of a chart; values that are not finite leave a gap.

    Attributes:
        name: in the legend; empty for none.
        x: of its points.
        y: of its points.
        color: of it.
        dashed: whether it is dashed.
        low: of a band around it, beside each point; around a single one it is an error bar.
        high: the same.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    color: str = COLORS[0]
    dashed: bool = False
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass
class Frame:
    """A drawing with the axes of a chart.

    Attributes:
        drawing: to be drawn on.
        x: its horizontal axis.
        y: its vertical axis, which grows upward.
        left: of the chart, in the drawing.
        top: of it.
        width: of it.
        height: of it.
    """

    drawing: Drawing
    x: Axis
    y: Axis
    left: float
    top: float
    width: float
    height: float

    def at(self, x: float, y: float) -> Point:
        """The place of a point; of one outside the axes, the nearest at their edge."""
        return self._in_drawing(self.x.place(x), self.y.place(y))

    def area(self, points: Sequence[Point], color: str, opacity: float) -> None:
        """Fills a polygon, as far as it is within the axes."""
        inside = clipped([(self.x.fraction(x), self.y.fraction(y)) for x, y in points])
        if len(inside) > 2:
            self.drawing.area([self._in_drawing(*point) for point in inside], color, opacity)

    def error_bar(self, x: float, low: float, high: float, color: str) -> None:
        """An upright line between two values, with a cap at both."""
        ends = [self.at(x, low), self.at(x, high)]
        for points in (ends, *([(at - CAP, y), (at + CAP, y)] for at, y in ends)):
            self.drawing.line(points, color, 1.4)

    def _in_drawing(self, x: float, y: float) -> Point:
        """The place of fractions of both axes."""
        return self.left + self.width * x, self.top + self.height * (1 - y)


@dataclass(frozen=True)
class Bars:
    """Values of one kind for each name of a bar chart."""

    name: str
    values: Sequence[float]
    color: str = field(default=COLORS[0])


def frame(
    label: str,
    x: Axis,
    y: Axis,
    legend: Sequence[tuple[str, str, bool]] = (),
    height: float = HEIGHT,
    width: float = WIDTH,
    above: float = 0.0,
) -> Frame:
    """A chart's axes, on which the rest is drawn.

    Args:
        label: what the chart shows, for those who do not see it.
        x: the horizontal axis.
        y: the vertical axis.
        legend: of each line its name, its color, and whether it is dashed.
        height: of the drawing.
        width: of it.
        above: room between legend and chart.
    """
    drawing = Drawing(width, height, label)
    left = 14 + max([text_width(text, SMALL) for _, text in y.ticks], default=0) + (16 if y.label else 0)
    below = 20 + (18 if x.label else 0)
    top = _legend(drawing, legend, left) + 8 + above
    chart = Frame(drawing, x, y, left, top, width - left - 14, height - top - below)
    bottom, right = top + chart.height, left + chart.width
    for value, text in y.ticks:
        _, place = chart.at(x.low, value)
        drawing.line([(left, place), (right, place)], "line", 1)
        drawing.text(left - 6, place + 4, text, "soft", SMALL, "end")
    for value, text in _apart(x.ticks, chart):
        place, _ = chart.at(value, y.low)
        drawing.line([(place, bottom), (place, bottom + 4)], "soft", 1)
        half = text_width(text, SMALL) / 2
        drawing.text(min(max(place, half), width - half), bottom + 16, text, "soft", SMALL, "middle")
    drawing.line([(left, bottom), (right, bottom)], "soft", 1)
    if x.label:
        drawing.text(left + chart.width / 2, height - 4, x.label, "soft", SMALL, "middle")
    if y.label:
        drawing.text(12, top + chart.height / 2, y.label, "soft", SMALL, "middle", upward=True)
    return chart


def lines(
    label: str,
    x: Axis,
    y: Axis,
    drawn: Sequence[Line],
    mark: tuple[float, str] | None = None,
    height: float = HEIGHT,
    width: float = WIDTH,
) -> Drawing:
    """A chart of lines.

    Args:
        label: see `frame`.
        x: see `frame`.
        y: see `frame`.
        drawn: the lines, the last on top.
        mark: where a vertical line stands, and what above it.
        height: of the drawing.
        width: of it.
    """
    legend = [(line.name, line.color, line.dashed) for line in drawn if line.name]
    chart = frame(label, x, y, legend, height, width, above=SMALL if mark and mark[1] else 0.0)
    for line in drawn:
        _band(chart, line)
    for line in drawn:
        for part in _stretches(zip(line.x, line.y, strict=True)):
            points = [chart.at(a, b) for a, b in part]
            chart.drawing.line(points, line.color, 1.8, line.dashed)
            if len(points) == 1 or (len(line.x) <= FEW and not line.dashed):
                chart.drawing.dots(points, 2.4, line.color)
    if mark is not None:
        place, top = chart.at(mark[0], y.high)
        chart.drawing.line([(place, top), (place, top + chart.height)], "soft", 1, dashed=True)
        half = text_width(mark[1], SMALL) / 2
        chart.drawing.text(min(max(place, half), width - half), top - 4, mark[1], "soft", SMALL, "middle")
    return chart.drawing


def _band(chart: Frame, line: Line) -> None:
    for part in _stretches(zip(line.x, line.low, line.high, strict=True) if len(line.low) else ()):
        if len(part) == 1:
            chart.error_bar(*part[0], line.color)
        else:
            lower, upper = [(x, low) for x, low, _ in part], [(x, high) for x, _, high in part]
            chart.area([*lower, *reversed(upper)], line.color, 0.18)


def dots(
    label: str,
    x: Axis,
    y: Axis,
    points: Sequence[Point],
    reference: Sequence[Point] = (),
    band: float = math.nan,
) -> Drawing:
    """A chart of dots, a dashed line for what would be perfect, and a band that reaches so far above and below it."""
    chart = frame(label, x, y, height=380 if reference else HEIGHT)
    if math.isfinite(band):
        ends = [(reference[0], -band), (reference[-1], -band), (reference[-1], band), (reference[0], band)]
        chart.area([(a, b + far) for (a, b), far in ends], COLORS[0], 0.14)
    chart.drawing.line([chart.at(*point) for point in reference], "soft", 1.2, dashed=True)
    opacity = max(0.15, min(0.8, 60 / math.sqrt(len(points) + 1) / 4))
    chart.drawing.dots([chart.at(*point) for point in points], 2.2, COLORS[0], opacity)
    return chart.drawing


def columns(
    label: str,
    x: Axis,
    y: Axis,
    edges: Sequence[float],
    heights: Sequence[float],
    reference: Sequence[Point] = (),
    faint: Sequence[bool] = (),
) -> Drawing:
    """Columns that stand between edges, such as those of a histogram, and a dashed line; some columns may be faint."""
    chart = frame(label, x, y)
    for number, (low, high, value) in enumerate(zip(edges, edges[1:], heights, strict=False)):
        if math.isfinite(value):
            (left, top), (right, bottom) = chart.at(low, value), chart.at(high, y.low)
            opacity = 0.25 if faint and faint[number] else 0.8
            title = f"{low:.3g} to {high:.3g}: {value:.3g}"
            chart.drawing.rectangle(
                left + 0.5, top, max(right - left - 1, 0.5), bottom - top, COLORS[0], opacity, title
            )
    chart.drawing.line([chart.at(*point) for point in reference], "soft", 1.2, dashed=True)
    return chart.drawing


def bars(label: str, names: Sequence[str], groups: Sequence[Bars], x: Axis, counts: Sequence[int] = ()) -> Drawing:
    """Horizontal bars, those of one name beside each other; counts stand in parentheses behind the names."""
    ends = [f" ({count:,})" for count in counts] or [""] * len(names)
    shown = [
        name + end for name, end in zip(shorten_all(names, LONGEST - max(map(len, ends), default=0)), ends, strict=True)
    ]
    left = 12 + max([text_width(name, SMALL) for name in shown], default=0)
    legend = [(group.name, group.color, False) for group in groups] if len(groups) > 1 else []
    block = len(groups) * BAR * 0.8 + 8
    drawing = Drawing(WIDTH, 0, label)
    top = _legend(drawing, legend, 8) + 8
    drawing.height = top + block * len(names) + (38 if x.label else 22)
    width, bottom = WIDTH - left - 46, top + block * len(names)
    for value, text in x.ticks:
        place = left + width * x.place(value)
        drawing.line([(place, top), (place, bottom)], "line", 1)
        drawing.text(place, bottom + 15, text, "soft", SMALL, "middle")
    for row, name in enumerate(shown):
        at = top + row * block + 4
        drawing.text(left - 6, at + (block - 8) / 2 + 4, name, "ink", SMALL, "end")
        for place, group in enumerate(groups):
            value, y = group.values[row], at + place * BAR * 0.8
            if not math.isfinite(value):
                continue
            long = width * x.place(value)
            title = f"{names[row]}{ends[row]}: {group.name} {value:.4g}".replace(":  ", ": ")
            drawing.rectangle(left, y, max(long, 0.5), BAR * 0.8 - 1, group.color, 0.9, title)
            drawing.text(left + long + 4, y + BAR * 0.8 - 2.5, f"{value:.3g}", "soft", 10)
    if x.label:
        drawing.text(left + width / 2, drawing.height - 4, x.label, "soft", SMALL, "middle")
    return drawing


def heat_map(
    label: str,
    shares: Floats,
    rows: Sequence[str],
    columns: Sequence[str],
    texts: Sequence[Sequence[str]] | None,
    titles: Sequence[Sequence[str]],
    axes: tuple[str, str] = ("", ""),
    cell: tuple[float, float] | None = None,
    longest: int = 20,
) -> Drawing:
    """A table of which each cell is the more colored the larger it is.

    Args:
        label: what it shows.
        shares: from 0 for no color to 1, (rows, columns), and to -1 in the color of mistakes; not a number leaves a
            cell out.
        rows: names.
        columns: names.
        texts: in the cells; None for none.
        titles: of the cells, shown where a mouse rests.
        axes: what the rows are, and the columns.
        cell: width and height of a cell; None chooses.
        longest: letters of a row's name.
    """
    shown_rows, shown_columns = shorten_all(rows, longest), shorten_all(columns, 18)
    left = 10 + max([text_width(name, SMALL) for name in shown_rows], default=0) + (16 if axes[0] else 0)
    wide, high = cell or _cell_size(left, shown_columns, texts)
    upright = all(text_width(name, SMALL) < wide for name in shown_columns)
    above = 8 + (14 if upright else max([text_width(name, SMALL) for name in shown_columns], default=0)) + 4
    above += 16 if axes[1] else 0
    drawing = Drawing(left + wide * len(columns) + 8, above + high * len(rows) + 8, label)
    if axes[1]:
        drawing.text(left + wide * len(columns) / 2, 12, axes[1], "soft", SMALL, "middle")
    if axes[0]:
        drawing.text(12, above + high * len(rows) / 2, axes[0], "soft", SMALL, "middle", upward=True)
    every = max(1, math.ceil((12 if upright else SMALL + 1) / wide))
    for number, name in enumerate(shown_columns):
        if number % every == 0:
            middle = left + wide * (number + 0.5)
            drawing.text(
                middle + (0 if upright else 4),
                above - 6,
                name,
                "soft",
                SMALL,
                "middle" if upright else "start",
                not upright,
            )
    every = max(1, math.ceil((SMALL + 1) / high))
    for number, name in enumerate(shown_rows):
        if number % every == 0:
            drawing.text(left - 6, above + high * (number + 0.5) + 4, name, "soft", SMALL, "end")
    drawing.rectangle(left, above, wide * len(columns), high * len(rows), "panel")
    for row, column in zip(*np.nonzero(np.isfinite(shares)), strict=True):
        share, x, y = float(shares[row, column]), left + wide * column, above + high * row
        if share != 0:
            color, opacity = "right" if share > 0 else "wrong", 0.06 + 0.94 * abs(share)
            drawing.rectangle(x + 0.5, y + 0.5, wide - 1, high - 1, color, opacity, titles[row][column])
        if texts is not None and texts[row][column]:
            drawing.text(x + wide / 2, y + high / 2 + 4, texts[row][column], "ink", min(SMALL, wide / 3), "middle")
    return drawing


def images(
    label: str,
    shown: Sequence[Pixels],
    captions: Sequence[str],
    per_row: int = 8,
    side: float = 84,
    frames: Sequence[str] = (),
) -> Drawing:
    """Images in rows, each with a line below it.

    Args:
        label: what they show.
        shown: the images.
        captions: the lines; empty for none.
        per_row: how many stand beside each other.
        side: of an image.
        frames: colors around the images, if there are any.
    """
    per_row = min(per_row, max(1, len(shown)))
    room = side + (18 if any(captions) else 6)
    drawing = Drawing(per_row * (side + 8) + 8, math.ceil(len(shown) / per_row) * room + 8, label)
    for number, (pixels, caption) in enumerate(zip(shown, captions, strict=True)):
        x, y = 8 + number % per_row * (side + 8), 8 + number // per_row * room
        height, width = pixels.shape[0], pixels.shape[1]
        scale = side / max(height, width)
        if frames:
            drawing.rectangle(x - 3, y - 3, side + 6, side + 6, frames[number])
        drawing.image(x + (side - width * scale) / 2, y, width * scale, height * scale, pixels)
        if caption:
            most = int((side + 6) / text_width(caption, 10) * len(caption))
            drawing.text(x + side / 2, y + side + 11, shorten(caption, most), "ink", 10, "middle")
    return drawing


def _legend(drawing: Drawing, legend: Sequence[tuple[str, str, bool]], left: float) -> float:
    """Draws what each line is above a chart; returns where the chart may begin."""
    x, y = left, 12.0
    for name, color, dashed in legend:
        width = 30 + text_width(shorten(name, 34), SMALL)
        if x + width > drawing.width and x > left:
            x, y = left, y + 16
        drawing.line([(x, y - 4), (x + 18, y - 4)], color, 3 if not dashed else 1.8, dashed)
        drawing.text(x + 23, y, shorten(name, 34), "ink", SMALL)
        x += width + 8
    return y + 6 if legend else 4.0


def _apart(ticks: Sequence[tuple[float, str]], chart: Frame) -> list[tuple[float, str]]:
    """Those ticks whose texts do not touch."""
    widest = max([text_width(text, SMALL) for _, text in ticks], default=0) + 8
    every = max(1, math.ceil(widest * len(ticks) / max(chart.width, 1)))
    return list(ticks[::every])


def _stretches(points: Iterable[Values]) -> list[list[Values]]:
    """The points of a line between its gaps, of each its values."""
    parts: list[list[Values]] = [[]]
    for point in points:
        if all(map(math.isfinite, point)):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _cell_size(left: float, columns: Sequence[str], texts: object) -> tuple[float, float]:
    """Of a heat map: as wide as a chart, as far as texts stay legible; about square."""
    wide = max(12.0 if texts is None else 24.0, (WIDTH - left - 8) / max(len(columns), 1))
    widest = max([text_width(name, SMALL) for name in columns], default=0)
    return min(wide, max(44.0, min(widest + 12, 96.0))), min(wide, 30.0)
