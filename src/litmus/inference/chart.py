"""A picture of forecasts: the last values, what follows, and its interval."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from litmus.inference.forecast import Forecast
from litmus.page.canvas import COLORS, INK, draw_figure, set_up_matplotlib, shorten
from litmus.record.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from numpy.typing import NDArray

LEAST, PER_STEP = 40, 4  # values before the forecast that are drawn: so many, and so many for each step
MOST = 6  # series


def draw_forecasts(forecasts: Sequence[Forecast], level: float, path: Path) -> bool:
    """Writes a PNG of the first forecasts; gives whether it could: without matplotlib there is none.

    Args:
        forecasts: at least one.
        level: of the intervals.
        path: of the PNG.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return False
    set_up_matplotlib()
    shown = forecasts[:MOST]

    def draw(canvas: "Canvas") -> None:
        for number, forecast in enumerate(shown):
            axes = canvas.add_subplot(len(shown), 1, number + 1)
            tail = max(LEAST, PER_STEP * len(forecast.values))
            history = forecast.history[-tail:]
            before, after = _places(forecast)
            before = before[-tail:]
            axes.plot(before, history, color=INK, linewidth=1)
            joined = np.concatenate([history[-1:], forecast.values])
            axes.plot(np.concatenate([before[-1:], after]), joined, color=COLORS[0], linewidth=1.2)
            axes.fill_between(after, forecast.low, forecast.high, color=COLORS[0], alpha=0.2, linewidth=0)
            axes.set_ylabel(shorten(forecast.name))
            axes.set_title(shorten(forecast.group or f"forecast, with intervals of {100 * level:g}%"), loc="left")

    more = f"the first {MOST} of {len(forecasts):,} series" if len(forecasts) > MOST else ""
    figure = draw_figure("forecast", more, (7, 0.6 + 2.4 * len(shown)), draw)
    with replacing(path) as temporary:
        temporary.write_bytes(figure.png)
    return True


def _places(forecast: Forecast) -> "tuple[NDArray[np.generic], NDArray[np.generic]]":
    """Where values and forecasts stand: at their dates, or by their numbers."""
    if forecast.dates is not None and forecast.past is not None:
        return forecast.past, forecast.dates
    number = len(forecast.history)
    return np.arange(number), number + np.arange(len(forecast.values))
