"""What a series repeats, and on which scale a network forecasts it."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scaling = Literal["series", "window", "difference", "seasonal", "seasonal_difference"]

LEAST = 0.3  # autocorrelation of a season
AS_GOOD = 0.9  # of the greatest autocorrelation: a shorter lag that reaches it is the season
USUAL_WINDOW = 22  # two sunspot cycles
LONGEST_WINDOW = 64  # that a season decides
MOST_LOOKED_AT = 100_000  # values, the last ones, for a season: all of 10 million take a minute and 2 GB
SURE = 2.6  # standard errors of an autocorrelation: where there is none, 1 in 100 reaches that
CHUNK = 1_000_000  # values at a time


def find_period(values: Floats, usual: Sequence[int]) -> int:
    """The length of the season; 1 if there is none.

    Looked for in the last `MOST_LOOKED_AT` values: in the changes from one value to the next, then in the values
    without their straight trend: in one a slow trend hides no season, in the other noise does not. Without `usual`
    lengths, it is the lag with the greatest autocorrelation after that first falls below 0, of those that fit three
    times into the values. A few values correlate by chance, so they have to more.

    Args:
        values: of the training split.
        usual: lengths that the dates suggest, such as 12 for months; no other is taken, if there are any.
    """
    values = values[-MOST_LOOKED_AT:]
    time = np.arange(len(values))
    detrended = values - np.polyval(np.polyfit(time, values, 1), time)
    for correlation in (_autocorrelation(np.diff(values)), _autocorrelation(detrended)):
        strength = {lag: _at(correlation, lag) for lag in usual}
        # Half a season away a season is at its weakest; of a slow change, what is nearer is stronger.
        found = [lag for lag, own in strength.items() if own > _at(correlation, lag // 2)]
        if not usual and (peak := _peak(correlation[: len(values) // 3])) is not None:
            found, strength = [peak], {peak: _at(correlation, peak)}
        if found := [lag for lag in found if strength[lag] >= _least(len(values) - lag)]:
            return max(found, key=strength.__getitem__)
    return 1


def choose_window(period: int, num_values: int) -> int:
    """How many values a network sees, if nobody says: two seasons, where they are short and the series is long enough.

    Of a short series, a third; of a seasonal one up to half, if that shows what changed since the season before.

    Args:
        period: length of a season.
        num_values: of the training split.
    """
    is_seasonal = period > 2 and 2 * period <= LONGEST_WINDOW
    window = min(2 * period if is_seasonal else USUAL_WINDOW, num_values // 3)
    if is_seasonal and window < (least := least_window("seasonal_difference", period)) <= num_values // 2:
        window = least
    return max(1, window)


def least_window(scaling: str, period: int) -> int:
    """How many values a network must see, so that one at least is left when they are differenced."""
    return {"difference": 2, "seasonal": period + 1, "seasonal_difference": period + 2}.get(scaling, 1)


def choose_scaling(values: Floats, starts: NDArray[np.int64], horizon: int, period: int, window: int) -> Scaling:
    """That about which the training values spread least, the rule of thumb of Box and Jenkins for differencing.

    Args:
        values: the series.
        starts: of each training window, the number of the first value to forecast.
        horizon: how many are forecast.
        period: length of a season.
        window: how many values a network sees.
    """
    usable: list[Scaling] = ["series", "difference"]
    if period > 1:
        usable += ["seasonal", "seasonal_difference"]
    spreads = {
        scaling: spread(values, starts, horizon, scaling, period)
        for scaling in usable
        if least_window(scaling, period) <= window
    }
    return min(spreads, key=spreads.__getitem__)


def spread(values: Floats, starts: NDArray[np.int64], horizon: int, scaling: str, period: int) -> float:
    """How far the values to forecast are from what a forecast is relative to: the root of the mean square.

    On the scale of the series, that is their mean. Arguments as of `anchors`.
    """
    center, total = values[starts].mean(), 0.0
    for chunk in np.array_split(starts, 1 + len(starts) * horizon // CHUNK):
        targets = values[chunk[:, None] + np.arange(horizon)]
        own = center if scaling == "series" else anchors(values, chunk, horizon, scaling, period)
        total += float(((targets - own) ** 2).sum())
    return math.sqrt(total / (len(starts) * horizon))


def anchors(values: Floats, starts: NDArray[np.int64], horizon: int, scaling: str, period: int) -> Floats:
    """What a network's output is added to: float64 (windows, horizon), as `model/_relative.py` makes it.

    Args:
        values: the series.
        starts: of each window, the number of the first value to forecast.
        horizon: how many are forecast.
        scaling: one of the three differences.
        period: length of a season.
    """
    last = values[starts - 1]
    if scaling == "difference":
        return np.repeat(last[:, None], horizon, axis=1)
    steps = np.arange(horizon)
    seasons = 1 + steps // period
    before = values[starts[:, None] + steps - seasons * period]
    if scaling == "seasonal":
        return before
    return np.asarray(before + seasons * (last - values[starts - 1 - period])[:, None])


def _at(correlation: Floats, lag: int) -> float:
    return float(correlation[lag]) if lag < len(correlation) else 0.0


def _least(number: int) -> float:
    """A season's autocorrelation, of so many pairs of values (the standard error is Bartlett's, 1946, for noise)."""
    return max(LEAST, SURE / math.sqrt(max(1, number)))


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
