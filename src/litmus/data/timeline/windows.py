"""From the series of a file to the windows of a network: splits by time, columns, scales."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.data.timeline.read import Timeline
from litmus.spec import Series

Floats = NDArray[np.float64]


class Bounds(NamedTuple):
    """Where a group's splits begin, one after the other, and where it ends."""

    train: int
    val: int
    test: int
    stop: int


def split_bounds(timeline: Timeline, val_share: float, test_share: float) -> list[Bounds]:
    """The splits of each group: the last values are the test, those before them validation."""
    bounds = []
    for group in timeline.groups:
        num_test, num_val = (round(share * (group.stop - group.start)) for share in (test_share, val_share))
        bounds.append(Bounds(group.start, group.stop - num_test - num_val, group.stop - num_test, group.stop))
    return bounds


def window_starts(
    timeline: Timeline, stretches: Iterable[tuple[int, int]], horizon: int, stride: int
) -> NDArray[np.int64]:
    """The number of the first value to forecast of each window; none of those values is missing.

    Args:
        timeline: the series.
        stretches: from where to where values may be forecast.
        horizon: how many values of a window are.
        stride: from one window to the next.
    """
    parts = [np.arange(first, max(first, stop - horizon + 1), stride) for first, stop in stretches]
    starts = np.concatenate(parts) if parts else np.arange(0)
    absent = timeline.missing[:, 0]
    if absent.any():
        before = np.concatenate([[0], absent.cumsum()])
        starts = starts[before[starts + horizon] == before[starts]]
    return starts


def as_columns(timeline: Timeline, num_known: int, horizon: int, indicated: list[int]) -> Floats:
    """What a network sees of each row, in its unit: float64 (rows, features).

    Args:
        timeline: the series.
        num_known: how many of its last columns are known ahead: they are those of `horizon` rows later, NaN where a
            group ends before.
        horizon: how many values are forecast.
        indicated: the numbers of the columns that have an indicator, which comes last.
    """
    if not num_known and not indicated and timeline.values.shape[1] == 1:
        return timeline.values
    values, absent = timeline.values.copy(), timeline.missing.astype(np.float64)
    for group in timeline.groups if num_known else ():
        for own in (values, absent):
            later = own[group.start + horizon : group.stop, -num_known:].copy()
            own[group.start : group.stop, -num_known:] = np.nan
            own[group.start : group.start + len(later), -num_known:] = later
    return np.concatenate([values, absent[:, indicated]], axis=1)


def scale_columns(columns: Floats, read: Series) -> Tensor:
    """float64 (rows, features) in their units -> float32: far from zero, float32 would lose the signal unscaled.

    What a group lacks altogether, or before its first value, counts as the training mean.
    """
    if columns.shape[1] == 1:
        return ((torch.from_numpy(columns) - read.mean[0]) / read.std[0]).float()
    mean, std = (torch.tensor(fact, dtype=torch.float64) for fact in (read.mean, read.std))
    return ((torch.from_numpy(columns) - mean) / std).float().nan_to_num(0.0)
