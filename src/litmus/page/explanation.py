"""Pictures of why a network says what it says: pixels, words, columns and steps that raise or lower an output.

Blue raises it, orange lowers it.
"""

from collections.abc import Sequence

import numpy as np

from litmus.config.explanation import Explanation, Floats, Part
from litmus.page.axes import axis
from litmus.page.charts import SMALL, WIDTH, frame, heat_map, images
from litmus.page.drawing import Drawing, Pixels, rgb, text_width
from litmus.page.names import LONGEST, shorten, shorten_all

SIDE = 150.0  # of an image in pixels
MOST_BARS = 16  # of columns: the largest, and one for all others
MOST_WORDS = 400
HEAD, LINE, ROW = 22.0, 24.0, 20.0  # heights of the line at the top, of one of words, and of a bar
FAINT = 0.3  # of the image under its heat
SURE = 99.0  # percentile of a heat's values that has the full color: single pixels may stand out of all others
RAISES, LOWERS = "right", "wrong"


def drawing_of(explanation: Explanation) -> Drawing:
    """The picture of an explanation: heats over an image, colored words, or bars of columns or steps."""
    if explanation.pixels is not None:
        return _heats(explanation, explanation.pixels)
    label = f"{explanation.answer}: what raises it, and what lowers it"
    draw = {"text": _words, "window": _steps}.get(explanation.kind, _bars)
    return draw(label, explanation.parts)


def _heats(explanation: Explanation, pixels: Pixels) -> Drawing:
    shown = [pixels, *(colored(heat.values, pixels) for heat in explanation.heats)]
    captions = [shorten(explanation.answer, 20), *(heat.method for heat in explanation.heats)]
    label = f"{explanation.name}: pixels that raise or lower {explanation.answer}"
    drawing = images(label, shown, captions, per_row=4, side=SIDE)
    if explanation.box is not None:
        scale = SIDE / max(pixels.shape[:2])
        left, top, right, bottom = (edge * scale for edge in explanation.box)
        for number in range(len(shown)):
            x, y = 8 + number * (SIDE + 8), 8
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            drawing.line([(x + at, y + down) for at, down in corners], "warm", 2)
    return drawing


def colored(heat: Floats, pixels: Pixels) -> Pixels:
    """The heat's colors over a faint image: dark strokes on white, where the image has light ones on black."""
    gray = pixels.astype(np.float64).mean(axis=2)
    ink = gray if pixels.shape[2] == 1 and gray.mean() < 127.5 else 255 - gray
    ground = np.repeat((255 - FAINT * ink)[:, :, None], 3, axis=2)
    most = float(np.percentile(np.abs(heat), SURE)) or float(np.abs(heat).max()) or 1.0
    share = np.clip(np.nan_to_num(heat.astype(np.float64) / most), -1, 1)[:, :, None]
    color = np.where(share > 0, np.array(rgb("accent")), np.array(rgb("color-2")))
    return (ground + np.abs(share) * (color - ground)).round().astype(np.uint8)


def _words(label: str, parts: Sequence[Part]) -> Drawing:
    """The words of a text in lines, each on its color; those that the network does not see are gray."""
    drawing = Drawing(1.5 * WIDTH, 0, label)
    drawing.text(8, 14, label, "soft", SMALL)
    most = _most(parts)
    x, y = 8.0, HEAD
    for part in parts[:MOST_WORDS]:
        text = shorten(part.name, 60)
        width = text_width(text, 13) + 6
        if x + width > drawing.width - 8 and x > 8:
            x, y = 8.0, y + LINE
        if part.value:
            opacity = 0.06 + 0.94 * abs(part.value) / most
            color = RAISES if part.value > 0 else LOWERS
            drawing.rectangle(x, y, width - 2, LINE - 4, color, opacity, f"{part.name}: {part.value:+.3g}")
        drawing.text(x + width / 2 - 1, y + 15, text, "ink" if part.value is not None else "soft", 13, "middle")
        x += width
    drawing.height = y + LINE + 6
    return drawing


def _bars(label: str, parts: Sequence[Part]) -> Drawing:
    """A bar for each part, the largest first; small ones are summed up."""
    ordered = sorted(parts, key=lambda part: -abs(part.value or 0))
    shown = ordered if len(ordered) <= MOST_BARS else ordered[: MOST_BARS - 1]
    rest = ordered[len(shown) :]
    if rest:
        shown = [*shown, Part(f"{len(rest)} others", "", sum(part.value or 0 for part in rest))]
    names = shorten_all([part.name for part in shown], LONGEST)
    named = [
        f"{name} = {shorten(part.shown, 14)}" if part.shown else name for name, part in zip(names, shown, strict=True)
    ]
    left = 12 + max([text_width(name, SMALL) for name in named], default=0)
    drawing = Drawing(max(left + 300, text_width(label, SMALL) + 16), ROW * len(shown) + HEAD + 4, label)
    drawing.text(8, 14, label, "soft", SMALL)
    low, high = min([0.0, *(part.value or 0 for part in shown)]), max([0.0, *(part.value or 0 for part in shown)])
    room, figure = 300 - 8.0, 52.0  # beside a bar stands its figure, left of those that lower
    begin = left + (figure if low < 0 else 0)
    scale = (room - figure * (1 + (low < 0))) / ((high - low) or 1)
    zero = begin - low * scale
    drawing.line([(zero, HEAD - 2), (zero, drawing.height - 4)], "soft", 1)
    for row, (part, name) in enumerate(zip(shown, named, strict=True)):
        y, value = HEAD + ROW * row, part.value or 0
        drawing.text(left - 6, y + 13, name, "ink", SMALL, "end")
        x, width = zero + min(0, value) * scale, max(abs(value) * scale, 0.5)
        drawing.rectangle(x, y + 2, width, ROW - 5, RAISES if value > 0 else LOWERS, 1.0, f"{part.name}: {value:+.4g}")
        side = -4 if value < 0 else 4
        drawing.text(zero + value * scale + side, y + 13, f"{value:+.3g}", "soft", 10, "end" if value < 0 else "start")
    return drawing


def _steps(label: str, parts: Sequence[Part]) -> Drawing:
    """A column for each step, up or down; of several columns of a file a row for each."""
    columns = list(dict.fromkeys(part.column for part in parts))
    values = np.array([part.value or 0.0 for part in parts]).reshape(len(columns), -1)
    if len(columns) > 1:
        names = [part.name.rpartition(", ")[2] for part in parts[: values.shape[1]]]
        titles = [[f"{part.name}: {part.value or 0:+.3g}" for part in row] for row in _rows(parts, values.shape[1])]
        return heat_map(label, values / _most(parts), columns, names, None, titles, cell=(12, 24))
    steps = range(1 - values.shape[1], 1)
    chart = frame(
        label,
        axis([*steps], "step; 0 is the last one that the network sees", whole=True),
        axis([0, *values[0]], "adds"),
    )
    for step, part in zip(steps, parts, strict=True):
        value = part.value or 0.0
        (left, top), (right, bottom) = chart.at(step - 0.4, max(value, 0)), chart.at(step + 0.4, min(value, 0))
        color = RAISES if value > 0 else LOWERS
        chart.drawing.rectangle(
            left, top, max(right - left, 0.5), max(bottom - top, 0.5), color, 1.0, f"{part.name}: {value:+.3g}"
        )
    return chart.drawing


def _rows(parts: Sequence[Part], length: int) -> list[Sequence[Part]]:
    return [parts[start : start + length] for start in range(0, len(parts), length)]


def _most(parts: Sequence[Part]) -> float:
    return max([abs(part.value or 0) for part in parts], default=0.0) or 1.0


def importances(names: Sequence[str], means: Sequence[float], metric: str) -> Drawing:
    """How much worse a metric gets when a column is shuffled, the most important first."""
    parts = [Part(name, "", mean) for name, mean in zip(names, means, strict=True)]
    return _bars(f"how much {metric} gets worse when a column is shuffled", parts)
