"""The page of `litmus filters RUN`: of each unit its weights, and the images that excite it most."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from litmus.config.explanation import Unit
from litmus.config.samples import Samples
from litmus.page.charts import images
from litmus.page.drawing import Drawing, Pixels
from litmus.page.filters import colored, first_layer
from litmus.page.template import render
from litmus.record.files import replacing, write_text

PAGE, PICTURE = "filters.html", "filters.png"
MOST_UNITS = 64
SIDE, MARK = 56.0, 10.0  # of an image, and of the square where it excites a unit, in pixels


def write(folder: Path, name: str, layer: str, samples: Samples, units: Sequence[Unit]) -> Path:
    """Writes filters.png and filters.html into a folder; gives the page.

    Args:
        folder: is made where it is not there.
        name: of the run.
        layer: whose units these are.
        samples: that they were shown.
        units: of the layer.
    """
    from markupsafe import Markup  # Jinja's: text that is not escaped again

    drawing = _drawing(layer, samples, units[:MOST_UNITS])
    with replacing(folder / PICTURE) as temporary:
        temporary.write_bytes(drawing.png())
    text = render(
        "litmus.report",
        "explained.html.jinja",
        title=f"What excites {layer} of {name}",
        colors=_said(layer, samples, units),
        figures=[(drawing, f"Units 0 to {min(len(units), MOST_UNITS) - 1}, a row each.")],
        svg=lambda own: Markup(own.svg()),  # escaped by the drawing
    )
    write_text(folder / PAGE, text.encode("utf-8", "replace").decode())
    return folder / PAGE


def _said(layer: str, samples: Samples, units: Sequence[Unit]) -> str:
    weights = (
        "its weights, blue where a bright pixel raises its output and orange where it lowers it, and "
        * _is_first(layer, samples)
    )
    where = " A square marks the place." if units and units[0].centers else ""
    return (
        f"Of each unit of {layer}: {weights}the images among {len(samples.numbers):,} of the test split for which its "
        f"output is largest, before its activation, with that output.{where}"
    )


def _is_first(layer: str, samples: Samples) -> bool:
    first = next(
        (name for name, module in samples.net.named_modules() if any(True for _ in module.parameters(False))), ""
    )
    return layer == first and first_layer(samples.net) is not None


def _drawing(layer: str, samples: Samples, units: Sequence[Unit]) -> Drawing:
    weights = first_layer(samples.net) if _is_first(layer, samples) else None
    before = 0 if weights is None else 1
    shown: list[Pixels] = []
    captions: list[str] = []
    for unit in units:
        if weights is not None:
            shown.append(colored(weights[unit.number]))
            captions.append(f"unit {unit.number}")
        shown += [_image(samples, place) for place in unit.images]
        captions += [f"{output:.3g}" for output in unit.outputs]
    per_row = before + (len(units[0].images) if units else 1)
    drawing = images(f"units of {layer}, and what excites them", shown, captions, per_row, SIDE)
    for row, unit in enumerate(units):
        for number, (y, x) in enumerate(unit.centers):
            left = 8 + (before + number) * (SIDE + 8) + SIDE * x - MARK / 2
            top = 8 + row * (SIDE + 18) + SIDE * y - MARK / 2
            corners = [(left, top), (left + MARK, top), (left + MARK, top + MARK), (left, top + MARK), (left, top)]
            drawing.line(corners, "warm", 1.5)
    return drawing


def _image(samples: Samples, place: int) -> Pixels:
    image = samples.data.sample("test", int(samples.numbers[place])).image
    assert image is not None
    return np.asarray(image)
