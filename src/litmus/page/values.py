"""Pictures of predicted values, as a run's page and TensorBoard show them."""

import numpy as np
from numpy.typing import NDArray

from litmus.page.axes import axis
from litmus.page.charts import columns, dots
from litmus.page.drawing import Drawing
from litmus.page.names import shorten
from litmus.page.selection import evenly

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LONGEST = 30  # letters of a value's name
NUM_BINS = 31  # of errors


def predicted_and_true(name: str, true: Floats, predicted: Floats, most: int, half: float = np.nan) -> Drawing:
    """A dot for each sample, and the line on which predictions are right.

    Args:
        name: of the value.
        true: float64 (samples,), at least one.
        predicted: the same.
        most: dots; of more samples, so many are drawn at even distances.
        half: of the interval around a prediction, NaN for none.
    """
    rows = evenly(len(true), most)
    points = list(zip(true[rows].tolist(), predicted[rows].tolist(), strict=True))
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    x, y = axis([low, high], f"{shorten(name, LONGEST)}, true"), axis([low, high], "predicted")
    return dots(f"{name}, predicted against true", x, y, points, [(low, low), (high, high)], float(half))


def residuals(name: str, errors: Floats, split: str, half: float = np.nan) -> Drawing:
    """How errors are distributed; a dashed frame is the interval that reaches so far to both sides.

    Args:
        name: of the value.
        errors: predicted less true, float64 (samples,), at least one.
        split: whose samples they are.
        half: of the interval, NaN for none: the dashed line is at 0 then.
    """
    heights, edges = histogram(errors, NUM_BINS)
    top, is_known = float(heights.max()), np.isfinite(half)
    marked = [(-half, 0.0), (-half, top), (half, top), (half, 0.0)] if is_known else [(0.0, 0.0), (0.0, top)]
    x = axis(
        [*edges, -half, half] if is_known else [*edges, 0.0], f"error of {shorten(name, LONGEST)}: predicted - true"
    )
    y = axis(heights, f"{split} samples", low=0)
    return columns(f"errors of {name}", x, y, edges.tolist(), heights.tolist(), marked)


def histogram(values: Floats, bins: int) -> tuple[Ints, Floats]:
    """Counts and edges, in bins of equal width; values that differ by no more than rounding are in the middle one."""
    low, high = float(values.min()), float(values.max())
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return np.histogram(values, bins)
    around = abs(low) / 2 or 0.5
    return np.histogram(values, bins, (low - around, low + around))
