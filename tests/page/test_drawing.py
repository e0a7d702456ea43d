"""Drawings: the same shapes as SVG and as PNG, texts that are texts."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from litmus.page.drawing import COLORS, LIGHT, Drawing, address_of, png_of, shrunk

HOSTILE = "\"><script>alert(1)</script>\x00\x1b[31m\ud800 & 'so'"


def pixels(drawing: Drawing) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(drawing.png())).convert("RGB"))


def rgb(color: str) -> tuple[int, ...]:
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))


def every_shape() -> Drawing:
    drawing = Drawing(120, 80, HOSTILE)
    drawing.line([(0, 0), (60, 40), (120, 0)], "accent", 2)
    drawing.line([(0, 70), (120, 70)], "ink", 2, dashed=True)
    drawing.area([(10, 10), (20, 10), (20, 20)], "warm", 0.5)
    drawing.rectangle(40, 40, 20, 20, COLORS[1], 0.8, HOSTILE)
    drawing.dots([(100, 60), (110, 60)], 3, COLORS[2], 0.5)
    drawing.text(5, 30, HOSTILE)
    drawing.text(5, 60, HOSTILE, "soft", 9, "middle", upward=True)
    drawing.image(80, 10, 20, 20, np.full((4, 4, 3), 200, np.uint8))
    drawing.image(60, 10, 20, 20, np.full((4, 4, 1), 200, np.uint8))
    return drawing


def test_an_svg_is_xml_whose_texts_are_texts() -> None:
    root = ET.fromstring(every_shape().svg())
    names = {element.tag for element in root.iter()}
    assert names == {"svg", "polyline", "polygon", "rect", "title", "path", "text", "image"}
    texts = [element.text for element in root.iter("text")]
    assert all("<script>alert(1)</script>" in (text or "") for text in texts)
    assert all(letter.isprintable() for text in texts for letter in text or "")


def test_an_svg_takes_the_page_s_colors_and_a_png_light_ones() -> None:
    drawing = Drawing(10, 10, "")
    drawing.rectangle(0, 0, 10, 10, "accent")
    assert "var(--accent)" in drawing.svg()
    assert tuple(pixels(drawing)[10, 10]) == rgb(LIGHT["accent"])


def test_a_png_shows_every_shape() -> None:
    assert len(np.unique(pixels(every_shape()).reshape(-1, 3), axis=0)) > 20
    assert pixels(every_shape()).shape == (160, 240, 3)


@pytest.mark.parametrize("upward", [False, True])
@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
def test_text_stands_where_it_is_anchored(anchor: str, upward: bool) -> None:
    drawing = Drawing(200, 200, "")
    drawing.text(100, 100, "mmmmmm", anchor=anchor, upward=upward)
    rows, columns = np.nonzero((pixels(drawing) < 128).any(axis=2))
    along, sign = (rows, -1) if upward else (columns, 1)  # in pixels, two for each unit
    low, high = sorted((sign * (along.min() - 200), sign * (along.max() - 200)))
    assert {"start": low >= -4, "middle": abs(low + high) < 16, "end": high <= 4}[anchor]
    assert high - low > 60


def test_dashes_leave_gaps() -> None:
    drawing = Drawing(100, 10, "")
    drawing.line([(0, 5), (100, 5)], "ink", 2, dashed=True)
    row = (pixels(drawing)[10] < 128).any(axis=1)
    assert 0.4 < row.mean() < 0.7


def test_an_image_of_one_channel_and_of_three() -> None:
    for channels in (1, 3):
        image = np.arange(12 * channels, dtype=np.uint8).reshape(3, 4, channels)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_of(image)))).reshape(3, 4, channels), image)


def test_large_images_are_made_smaller() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (600, 300, 3)).astype(np.uint8)
    assert shrunk(photo, 100).shape == (100, 50, 3)
    assert shrunk(photo[:, :, :1], 100).shape == (100, 50, 1)
    assert shrunk(photo[:50, :50], 100) is not None
    assert address_of(photo).startswith("data:image/jpeg;base64,")
    assert address_of(photo[:8, :8]).startswith("data:image/png;base64,")
    drawing = Drawing(200, 200, "")
    drawing.image(0, 0, 100, 200, photo)
    assert len(drawing.svg()) < 60_000
