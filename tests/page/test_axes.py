"""Axes: what is marked, and where values are."""

import math

import pytest

from litmus.page.axes import axis, clipped, digits, named_axis, number_text


def texts(*values: float, **settings: object) -> list[str]:
    return [text for _, text in axis(values, **settings).ticks]


def test_ticks_are_round_numbers() -> None:
    assert texts(0, 1, low=0, high=1) == ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert texts(1, 20, whole=True) == ["5", "10", "15", "20"]
    assert texts(1, 2, whole=True) == ["1", "2"]
    assert texts(3, 3, whole=True)


def test_nothing_but_zeros_lies_at_the_beginning() -> None:
    assert axis([0.0, 0.0]).low == pytest.approx(-0.04)
    assert axis([0.0, 0.0]).high > 1


def test_texts_of_ticks_differ() -> None:
    for low, high in ((0.99990, 0.99999), (1e6, 1e6 + 3), (-2e-9, 1e-9), (0.1234567, 0.1234569), (0, 12345678)):
        found = texts(low, high)
        assert len(found) > 2
        assert len(found) == len(set(found)), found


def test_an_axis_is_logarithmic_only_where_values_ask_for_it() -> None:
    assert axis([0.001, 10], log=True).log
    assert not axis([0.5, 1], log=True).log
    assert not axis([0, 10], log=True).log
    assert texts(0.001, 10, log=True) == ["0.001", "0.01", "0.1", "1", "10"]


@pytest.mark.parametrize("log", [False, True])
def test_places_are_in_order_and_inside(log: bool) -> None:
    found = axis([0.01, 100], log=log)
    places = [found.place(value) for value in (-1e9, 0.01, 0.1, 5, 100, 1e9)]
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] == 1


def test_values_without_a_range_and_none_at_all() -> None:
    for values in ([], [math.nan], [5.0], [0.0, 0.0], [math.inf, 1.0]):
        found = axis(values, log=True)
        assert found.high > found.low
        assert found.ticks


def test_names_stand_in_the_middle_of_their_room() -> None:
    found = named_axis(["a", "b"])
    assert [found.place(value) for value, _ in found.ticks] == [0.25, 0.75]


def test_numbers_are_short() -> None:
    assert [number_text(value) for value in (0, 0.000012345, 1234567, 0.5)] == ["0", "1.23e-5", "1.23e6", "0.5"]
    assert [digits(value) for value in (0.0123456, 12.3456, 1995.0, 1234.5)] == ["0.0123", "12.3", "1995", "1230"]


def test_a_polygon_is_cut_at_the_edges_of_the_axes() -> None:
    inside = [(0.2, 0.2), (0.8, 0.2), (0.5, 0.8)]
    assert clipped(inside) == inside
    assert sorted(clipped([(-1, -1), (2, -1), (2, 2), (-1, 2)])) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert sorted(clipped([(0.5, 0.5), (1.5, 0.5), (0.5, 1.5)])) == [(0.5, 0.5), (0.5, 1), (1, 0.5), (1, 1), (1, 1)]
    assert clipped([(2, 0), (3, 0), (3, 1)]) == []
