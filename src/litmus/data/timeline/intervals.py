"""Intervals of forecasts from errors in validation: split conformal prediction."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def conformal(errors: Floats, level: float) -> Floats:
    """Half of the interval of each step: float64 (steps,), NaN where there are too few errors for the level.

    Args:
        errors: absolute, of a split that the network was not trained on, float64 (samples, steps).
        level: the fraction of values that intervals should hold, in (0, 1).
    """
    number = len(errors)
    rank = math.ceil((number + 1) * level)
    if rank > number:
        return np.full(errors.shape[1], np.nan)
    return np.asarray(np.sort(errors, axis=0)[rank - 1], dtype=np.float64)
