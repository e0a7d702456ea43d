"""What a series repeats, and on which scale a network forecasts it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scaling = Literal["series", "window", "difference", "seasonal_difference"]

LEAST = 0.3  # autocorrelation of a season
AS_GOOD = 0.9  # of the greatest autocorrelation: a shorter lag that reaches it is the season
USUAL_WINDOW = 22  # two sunspot cycles
LONGEST_WINDOW = 64  # that a season decides


def find_period(values: Floats, usual: Sequence[int]) -> int:
    """The length of the season; 1 if there is none.

    Looked for in the changes from one value to the next, then in the values without their straight trend: in one a slow
    trend hides no season, in the other noise does not. Without `usual` lengths, it is the lag with the greatest
    autocorrelation after that first falls below 0.

    Args:
        values: of the training split.
        usual: lengths that the dates suggest, such as 12 for months; no other is taken, if there are any.
    """
    time = np.arange(len(values))
    detrended = values - np.polyval(np.polyfit(time, values, 1), time)
    for correlation in (_autocorrelation(np.diff(values)), _autocorrelation(detrended)):
        strength = {lag: _at(correlation, lag) for lag in usual}
        # Half a season away a season is at its weakest; of a slow change, what is nearer is stronger.
        found = [lag for lag, own in strength.items() if own >= LEAST and own > _at(correlation, lag // 2)]
        if not usual and (peak := _peak(correlation)) is not None:
            return peak
        if found:
            return max(found, key=strength.__getitem__)
    return 1


def choose_window(period: int, num_values: int) -> int:
    """How many values a network sees, if nobody says: two seasons, where they are short and the series is long enough.

    Args:
        period: length of a season.
        num_values: of the training split.
    """
    window = 2 * period if period > 2 and 2 * period <= LONGEST_WINDOW else USUAL_WINDOW
    return max(1, min(window, num_values // 3))


def choose_scaling(values: Floats, period: int, window: int) -> Scaling:
    """That on which the training values spread least, the rule of thumb of Box and Jenkins for differencing.

    Args:
        values: of the training split, one stretch without a break.
        period: length of a season.
        window: how many values a network sees.
    """
    spreads: dict[Scaling, float] = {"series": float(values.std()), "difference": _spread(np.diff(values))}
    if 1 < period <= window - 2 and len(values) > 2 * period:
        spreads["seasonal_difference"] = _spread(np.diff(values[period:] - values[:-period]))
    return min(spreads, key=spreads.__getitem__)


def anchors(values: Floats, starts: NDArray[np.int64], horizon: int, scaling: str, period: int) -> Floats:
    """What a differenced forecast is added to: float64 (windows, horizon), as `model/_relative.py` makes it.

    Args:
        values: the series.
        starts: of each window, the number of the first value to forecast.
        horizon: how many are forecast.
        scaling: one of the two differences.
        period: length of a season.
    """
    last = values[starts - 1]
    if scaling == "difference":
        return np.repeat(last[:, None], horizon, axis=1)
    steps = np.arange(horizon)
    seasons = 1 + steps // period
    change = last - values[starts - 1 - period]
    return np.asarray(values[starts[:, None] + steps - seasons * period] + seasons * change[:, None])


def _spread(changes: Floats) -> float:
    return float(np.sqrt(np.mean(changes**2))) if len(changes) else float("inf")


def _at(correlation: Floats, lag: int) -> float:
    return float(correlation[lag]) if lag < len(correlation) else 0.0


def _peak(correlation: Floats) -> int | None:
    """The shortest lag that is about as strong as the strongest one after the first below 0; None if that is weak."""
    dips = np.flatnonzero(correlation < 0)
    if not len(dips):
        return None
    after = correlation[dips[0] :]
    if after.max() < LEAST:
        return None
    inner = (after[1:-1] >= after[:-2]) & (after[1:-1] >= after[2:]) & (after[1:-1] >= AS_GOOD * after.max())
    peaks = np.flatnonzero(inner)
    return int(dips[0] + (peaks[0] + 1 if len(peaks) else after.argmax()))


def _autocorrelation(values: Floats) -> Floats:
    """At each lag from 0 up to half of the values, unbiased: as the transform of the spectrum (Wiener and Khinchin)."""
    centered = values - values.mean()
    spectrum = np.fft.rfft(centered, 2 * len(centered))  # padded with zeros, so that it does not wrap
    lags = np.arange(max(1, len(centered) // 2))
    products = np.fft.irfft(spectrum * spectrum.conj())[: len(lags)] / (len(centered) - lags)
    return np.asarray(products / products[0] if products[0] > 0 else np.zeros(len(lags)))
