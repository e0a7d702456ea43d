"""Which of many are shown: even distances, the worst, windows that do not overlap."""

import math

import numpy as np
import pytest

from litmus.config.sample import Sample
from litmus.page.selection import evenly, side_by_side, worst


@pytest.mark.parametrize("most", [2, 3, 16])
@pytest.mark.parametrize("number", [1, 2, 3, 17, 100_003])
def test_even_distances_reach_from_the_first_to_the_last(number: int, most: int) -> None:
    found = evenly(number, most).tolist()
    assert len(set(found)) == len(found) == min(number, most)
    assert (found[0], found[-1]) == (0, number - 1)
    assert np.ptp(np.diff(found), axis=0) <= 1 if len(found) > 1 else True


def test_of_nothing_nothing_is_shown() -> None:
    assert evenly(0, 5).tolist() == worst(np.array([]), 3) == side_by_side([], lambda _: Sample(), 1, 9) == []


def test_the_worst_are_shown_in_their_order() -> None:
    assert worst(np.array([0.9, math.nan, 0.1, 0.8, 0.2]), 2) == [2, 4]
    assert worst(np.array([0.9, math.nan, 0.1]), 5) == [0, 2]


def test_windows_side_by_side_are_the_last_of_one_series() -> None:
    windows = {number: Sample(row=number, name="old" if number < 4 else "new") for number in range(12)}
    chosen = side_by_side(windows, windows.__getitem__, 3, 100)
    assert chosen == [(number, windows[number]) for number in (5, 8, 11)]
    assert [number for number, _ in side_by_side(windows, windows.__getitem__, 3, 4)] == [8, 11]
