"""How often predictions are right, by how sure the network is of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from litmus.page.axes import axis
from litmus.page.charts import columns
from litmus.page.drawing import Drawing

Floats = NDArray[np.float64]
NUM_BINS = 15  # of confidence, of equal width: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017
FEW = 20  # samples of a bin, below which its accuracy says little


class Calibration(NamedTuple):
    """How often predictions are right, by confidence.

    Attributes:
        error: the expected calibration error: the mean distance of accuracy and confidence over samples.
        accuracy: of each bin, NaN for empty ones.
        confidence: the mean of each bin.
        counts: of each bin.
    """

    error: float
    accuracy: Floats
    confidence: Floats
    counts: NDArray[np.int64]


def calibration(confidence: Floats, correct: NDArray[np.bool_]) -> Calibration:
    """The calibration of predictions, in 15 bins of equal width (Guo et al. 2017, equation 3)."""
    bins = np.minimum((confidence * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    counts = np.bincount(bins, minlength=NUM_BINS)
    sums = (np.bincount(bins, own, NUM_BINS) for own in (correct, confidence))
    accuracy, mean = (
        np.divide(own, counts, out=np.full(NUM_BINS, np.nan), where=counts > 0, dtype=np.float64) for own in sums
    )
    error = float(np.nansum(counts * np.abs(accuracy - mean)) / max(len(confidence), 1))
    return Calibration(error, accuracy, mean, counts)


def reliability_diagram(found: Calibration) -> Drawing:
    """Accuracy by confidence; on the dashed line, they are the same. Pale columns have few samples."""
    edges = np.linspace(0, 1, NUM_BINS + 1).tolist()
    x, y = axis([0, 1], "confidence", low=0, high=1), axis([0, 1], "accuracy", low=0, high=1.02)
    faint = (found.counts < FEW).tolist()
    return columns("reliability diagram", x, y, edges, found.accuracy.tolist(), [(0, 0), (1, 1)], faint)
