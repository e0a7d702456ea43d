"""Figures that matplotlib draws: epochs, steps and trials are whole numbers."""

import pytest
from matplotlib.figure import Figure

from litmus.page.canvas import whole_ticks


@pytest.mark.parametrize(("low", "high"), [(1.8, 2.2), (0.95, 1.05), (-0.8, 0.8), (0.9, 2.1), (1, 7), (0, 12345)])
def test_whole_numbers_alone_are_marked(low: float, high: float) -> None:
    axes = Figure().add_subplot()
    axes.set_xlim(low, high)
    whole_ticks(axes.xaxis)
    marked = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert marked
    assert all(tick == round(tick) for tick in marked)
