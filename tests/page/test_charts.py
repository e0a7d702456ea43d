"""Charts of any values are drawn, whole, and say in titles what a cell or bar is."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from litmus.page import charts
from litmus.page.axes import Axis, axis
from litmus.page.drawing import Drawing, text_width

NAN = math.nan
X = [1.0, 2.0, 3.0, 4.0]


def shown(drawing: Drawing) -> list[str]:
    root = ET.fromstring(drawing.svg())
    assert drawing.png().startswith(b"\x89PNG")
    return [element.text or "" for element in root.iter() if element.tag in ("text", "title")]


@pytest.mark.parametrize("values", [X, [NAN] * 4, [1.0, NAN, 2.0, NAN], [0.0] * 4, [1e-12, 1e12, 1, 2]])
def test_lines_of_any_values(values: list[float]) -> None:
    drawn = [charts.Line("a", X, values, low=values, high=values), charts.Line("b", X, values, dashed=True)]
    found = shown(charts.lines("chart", axis(X, "epoch"), axis(values, "loss", log=True), drawn, (4, "best")))
    assert {"a", "b", "best", "epoch", "loss"} <= set(found)


def test_texts_stay_inside_and_off_the_lines() -> None:
    ticks = [(0.0, "1994-03-12 00:00"), (1.0, "1995-03-12 00:00")]
    drawing = charts.lines(
        "", Axis(0, 1, "", ticks), axis([0, 1]), [charts.Line("", [0, 1], [1, 1])], (1, "best: epoch 1")
    )
    texts = {each.text: each.attrib for each in ET.fromstring(drawing.svg()).iter() if each.tag == "text"}
    for name in ("1994-03-12 00:00", "1995-03-12 00:00", "best: epoch 1"):
        half = text_width(name, charts.SMALL) / 2
        assert half - 0.1 <= float(texts[name]["x"]) <= drawing.width - half + 0.1
    points = re.findall(r'<polyline points="([^"]*)"', drawing.svg())
    highest = min(float(pair.partition(",")[2]) for each in points for pair in each.split())
    assert float(texts["best: epoch 1"]["y"]) < highest


def test_a_gap_is_left_out() -> None:
    svg = charts.lines("", axis(X), axis(X), [charts.Line("", X, [1, NAN, 3, 4])]).svg()
    plain = charts.lines("", axis(X), axis(X), []).svg()
    assert svg.count("<polyline") == plain.count("<polyline") + 1  # a single point has no line


def test_bars_have_their_values_and_titles() -> None:
    names, groups = ["cat", "dog" * 20], [charts.Bars("recall", [0.25, NAN])]
    found = shown(charts.bars("bars", names, groups, axis([0, 1]), [1234, 5]))
    assert "cat (1,234): recall 0.25" in found
    assert {"cat (1,234)", "0.25"} <= set(found)
    assert any("…" in text and text.endswith("g (5)") for text in found), "a count is never cut off"


def test_rows_and_columns_of_long_names_are_told_apart() -> None:
    names = [f"a very long name of a kind {i} of animal that lives in the woods" for i in range(9)]
    drawing = charts.heat_map("map", np.eye(9), names, names, None, [[""] * 9] * 9)
    assert len(set(shown(drawing)) - {""}) == 18


def test_ticks_at_the_edge_are_whole() -> None:
    """Letters of DejaVu Sans, which is wide: a digit takes 0.64 of its size."""
    drawing = charts.columns("", Axis(0, 20000, "error", [(20000.0, "20000")]), axis([0, 3]), [0, 20000], [3])
    tick = next(each for each in ET.fromstring(drawing.svg()).iter() if each.text == "20000")
    assert float(tick.attrib["x"]) + 0.636 * 5 * charts.SMALL / 2 <= drawing.width


def test_a_heat_map_colors_what_is_wrong_otherwise() -> None:
    shares, names = np.array([[1.0, -0.5], [NAN, 0.0]]), ["a", "b"]
    drawing = charts.heat_map("map", shares, names, names, [["1", "2"], ["", ""]], [["a right", "a for b"], ["", ""]])
    assert {"a right", "a for b", "1", "2"} <= set(shown(drawing))
    assert "var(--wrong)" in drawing.svg()
    assert "var(--right)" in drawing.svg()


def test_many_names_do_not_lie_on_each_other() -> None:
    names = [f"name {i}" for i in range(100)]
    drawing = charts.heat_map("map", np.eye(100), names, names, None, [[""] * 100] * 100)
    assert shown(drawing).count("name 0") <= 2
    assert drawing.svg().count("<text") < 200


def test_dots_columns_and_images() -> None:
    points = [(float(i), float(i % 7)) for i in range(5000)]
    assert charts.dots("", axis(range(5000)), axis(range(7)), points, [(0, 0), (7, 7)]).svg().count("<path") == 1
    assert "0 to 1: 3" in shown(charts.columns("", axis([0, 2]), axis([0, 3]), [0, 1, 2], [3, NAN]))
    image = np.zeros((4, 8, 1), np.uint8)
    assert "cap" in shown(charts.images("", [image] * 9, ["cap"] * 9))
    assert shown(charts.images("", [], [])) == []


def reach(polygon: str, x: float) -> tuple[float, float]:
    """The highest and the lowest place of a polygon above and below a horizontal place."""
    corners = [tuple(map(float, pair.split(","))) for pair in polygon.split()]
    found = [
        ay + (by - ay) * (x - ax) / (bx - ax)
        for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True)
        if ax != bx and min(ax, bx) - 0.01 <= x <= max(ax, bx) + 0.01
    ]
    return min(found), max(found)


def test_a_band_has_one_width_everywhere_and_ends_at_the_frame() -> None:
    x, y = axis([0, 100]), axis([0, 100])
    drawing = charts.dots("", x, y, [], [(0, 0), (100, 100)], 30)
    (polygon,) = re.findall(r'<polygon points="([^"]*)"', drawing.svg())
    chart = charts.frame("", x, y, height=380)
    for value in (1, 20, 50, 80, 99):
        place, _ = chart.at(value, 0)
        ends = [chart.at(0, min(max(value + far, y.low), y.high))[1] for far in (30, -30)]
        assert reach(polygon, place) == pytest.approx(ends, abs=0.05), value


def test_a_band_of_lines_is_cut_and_has_gaps() -> None:
    low, high = [1, NAN, -50, -50], [2, NAN, 50, 50]
    svg = charts.lines("", axis(X), axis([0, 4]), [charts.Line("", X, [2] * 4, low=low, high=high)]).svg()
    (polygon,) = re.findall(r'<polygon points="([^"]*)"', svg)
    chart = charts.frame("", axis(X), axis([0, 4]))
    place, _ = chart.at(3.5, 0)
    assert reach(polygon, place) == pytest.approx((chart.top, chart.top + chart.height), abs=0.05)
    assert svg.count(f'stroke="var(--{charts.COLORS[0]})" stroke-width="1.4"') == 3, "a single one is an error bar"


def test_a_single_point_of_a_dashed_line_is_seen() -> None:
    svg = charts.lines("", axis(X), axis(X), [charts.Line("", [1], [2], dashed=True)]).svg()
    assert svg.count("<path") == 1
