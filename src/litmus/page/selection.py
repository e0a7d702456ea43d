"""Which of many are shown: some at even distances, the worst, windows of a series that do not overlap."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from litmus.config.sample import Sample


def evenly(number: int, most: int) -> NDArray[np.int64]:
    """Places of `number` at even distances, at most so many, the first and the last among them: int64, rising.

    Args:
        number: of what there is.
        most: at least 2.
    """
    shown = min(number, most)
    return np.arange(shown) * (number - 1) // max(shown - 1, 1)


def worst(quality: NDArray[np.float64], most: int) -> list[int]:
    """Those of the lowest quality, at most so many, by their numbers, which rise.

    Args:
        quality: of each, the more the better; NaN for one that is not to be shown.
        most: of them.
    """
    order = np.argsort(quality, kind="stable")  # NaN comes last
    return sorted(int(number) for number in order[:most] if not np.isnan(quality[number]))


def side_by_side(
    numbers: Iterable[int], sample: Callable[[int], Sample], horizon: int, most: int
) -> list[tuple[int, Sample]]:
    """The last windows of one series whose horizons do not overlap, each with its number, in order.

    Args:
        numbers: of the windows, which rise as their series and times do.
        sample: gives the window of a number.
        horizon: values that are forecast of each.
        most: of these values in all, beyond which there is no further window.
    """
    chosen: list[tuple[int, Sample]] = []
    for number in sorted(numbers, reverse=True):
        own = sample(number)
        if chosen and (own.name != chosen[-1][1].name or len(chosen) * horizon >= most):
            break
        if not chosen or own.row + horizon <= chosen[-1][1].row:
            chosen.append((number, own))
    return chosen[::-1]
