"""Colors of pages and figures: everybody can tell those apart that stand together, and see them on their ground."""

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from litmus.compare.report import maps
from litmus.compare.search import marks
from litmus.page import canvas, filters, scenes
from litmus.page.drawing import COLORS, LIGHT

# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# severity 1.0, for linear RGB.
BLINDNESS = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# Ottosson 2020, "A perceptual color space for image processing": from linear RGB by way of cones to lightness and hues.
TO_CONES = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
TO_OKLAB = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
DISTINCT = 0.07  # between two colors; about 0.02 is just noticeable, and Okabe and Ito's own are 0.08 apart
TEXT, GRAPHICS = 4.5, 3.0  # contrast: WCAG 2.2, criteria 1.4.3 and 1.4.11
STYLE = files("litmus.page").joinpath("templates/style.css").read_text()
Floats = NDArray[np.float64]


def _themes() -> dict[str, dict[str, str]]:
    """The variables of style.css: those of the dark page and of paper replace some of the light one's."""
    light, dark, paper = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    )
    return {"light": light, "dark": light | dark, "paper": light | paper}


THEMES = _themes()


def linear(color: str) -> Floats:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    srgb = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def distance(a: str, b: str, vision: str) -> float:
    def seen(color: str) -> Floats:
        return np.array(TO_OKLAB) @ np.cbrt(
            np.array(TO_CONES) @ np.clip(np.array(BLINDNESS[vision]) @ linear(color), 0, 1)
        )

    return float(np.linalg.norm(seen(a) - seen(b)))


def contrast(a: str, b: str) -> float:
    dark, light = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (a, b))
    return (light + 0.05) / (dark + 0.05)


def mixed(color: str, ground: str, opacity: float) -> str:
    pairs = [(int(color[i : i + 2], 16), int(ground[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)


def hex_of(color: tuple[float, ...], most: float = 1.0) -> str:
    return "#" + "".join(f"{round(255 * part / most):02x}" for part in color)


def test_files_have_the_colors_of_the_light_page() -> None:
    assert {name: THEMES["light"][name] for name in LIGHT} == LIGHT
    assert [THEMES["light"][name] for name in COLORS] == list(canvas.COLORS)


@pytest.mark.parametrize("vision", BLINDNESS)
@pytest.mark.parametrize("theme", THEMES)
def test_colors_of_a_chart_are_told_apart_by_everybody(theme: str, vision: str) -> None:
    own = THEMES[theme]
    together = [*(own[name] for name in COLORS), own["ink"]]  # the truth is drawn in ink
    near = min(itertools.combinations(together, 2), key=lambda pair: distance(*pair, vision))
    assert distance(*near, vision) > DISTINCT, near
    assert distance(own["right"], own["wrong"], vision) > 2 * DISTINCT
    assert distance(own["accent"], own["warm"], vision) > DISTINCT


@pytest.mark.parametrize("vision", BLINDNESS)
def test_the_other_figures_colors_are_told_apart_by_everybody(vision: str) -> None:
    below, _, above = (hex_of(color, 255.0) for color in filters.COLORS)
    pairs = [
        (marks.LIGHT, marks.DARK),
        (canvas.GRAY, canvas.COLORS[0]),
        (hex_of(maps.WORST), hex_of(maps.BEST)),
        (scenes.FOUND, scenes.GROUND_TRUTH),
        (below, above),
    ]
    assert [pair for pair in pairs if distance(*pair, vision) < DISTINCT] == []


@pytest.mark.parametrize("theme", THEMES)
def test_colors_are_seen_on_their_ground(theme: str) -> None:
    own = THEMES[theme]
    texts = [(name, ground) for name in ("ink", "soft", "accent", "warm", "bad") for ground in ("paper", "panel")]
    assert [pair for pair in texts if contrast(own[pair[0]], own[pair[1]]) < TEXT] == []
    drawn = [own[name] for name in (*COLORS, "soft")]
    drawn += [canvas.GRAY, marks.LIGHT, marks.DARK, hex_of(maps.WORST), hex_of(maps.BEST)]
    assert [color for color in drawn if contrast(color, own["paper"]) < GRAPHICS] == []
    assert [name for name in ("right", "wrong") if contrast(own[name], own["panel"]) < GRAPHICS] == []


@pytest.mark.parametrize("color", ["right", "wrong"])
@pytest.mark.parametrize("theme", THEMES)
def test_a_cell_s_number_is_legible_whatever_its_color(theme: str, color: str) -> None:
    own = THEMES[theme]
    cells = [mixed(own[color], own["panel"], opacity) for opacity in np.linspace(0, 1, 21)]
    assert min(contrast(own["ink"], cell) for cell in cells) > TEXT


def test_the_name_of_a_found_box_is_legible() -> None:
    assert contrast("#000000", scenes.FOUND) > TEXT
