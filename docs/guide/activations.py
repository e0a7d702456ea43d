"""The figure of 02-activations.md: five activations and their slopes; what the runs say of saturation and gradients."""

import json
from collections.abc import Sequence

import numpy as np
import torch
from guide_runs import Run, of
from PIL.Image import Image

from litmus.model._blocks import ACTIVATIONS
from litmus.page.axes import axis, named_axis
from litmus.page.charts import Line, lines
from litmus.page.drawing import COLORS, Drawing

COLOR_OF = dict(zip(ACTIVATIONS, COLORS, strict=False))
PLACES = torch.linspace(-4, 4, 401)


def draw(runs: Sequence[Run]) -> list[list[Image]]:
    """Rows of pictures: the curves and their slopes; saturation by epoch, and gradients by layer."""
    drawings = [
        [_curves("output"), _curves("slope")],
        [_saturation(runs), _gradients(runs)],
    ]
    return [[each.raster(scale=1) for each in row] for row in drawings]


def _health(run: Run) -> list[dict]:
    """What health.json says of each epoch; of the first step, at 0."""
    return json.loads((run.path / "health.json").read_text(encoding="utf-8"))["epochs"]


def _measured(epoch: dict, name: str) -> list[float]:
    """What was measured of each layer that has it."""
    return [value for value in epoch[name] if value is not None]


def _curves(what: str) -> Drawing:
    drawn = []
    for name, make in ACTIVATIONS.items():
        x = PLACES.clone().requires_grad_()
        outputs = make()(x)
        values = outputs if what == "output" else torch.autograd.grad(outputs.sum(), x)[0]
        drawn.append(Line(name, PLACES.tolist(), values.tolist(), COLOR_OF[name], dashed=name == "leaky_relu"))
    y = axis([], what, low=-1.25 if what == "output" else -0.25, high=4.0 if what == "output" else 1.25)
    return lines(f"the {what} of five activations", axis([], "input", low=-4, high=4), y, drawn)


def _saturation(runs: Sequence[Run]) -> Drawing:
    drawn = []
    for name in ("sigmoid", "tanh"):
        shares = np.array(
            [[_measured(e, "saturated")[0] for e in _health(run)] for run in of(runs, model__activation=name)]
        )
        drawn.append(_line(name, range(shares.shape[1]), shares))
    x = axis([0, *drawn[0].x], "epoch (0: the first step)", whole=True)
    return lines("saturated outputs of the first layer", x, axis([], "saturated, first layer", low=0, high=1), drawn)


def _gradients(runs: Sequence[Run]) -> Drawing:
    drawn = []
    for name in ACTIVATIONS:
        sizes = np.array([_measured(_health(run)[0], "gradient")[:-1] for run in of(runs, model__activation=name)])
        drawn.append(_line(name, range(sizes.shape[1]), sizes, dashed=name == "leaky_relu"))
    x = named_axis([str(number + 1) for number in drawn[0].x], "hidden layer")
    values = [value for line in drawn for value in (*line.low, *line.high)]
    return lines("gradients of the first step", x, axis(values, "gradient, first step", log=True), drawn)


def _line(name: str, x: Sequence[int], values: np.ndarray, dashed: bool = False) -> Line:
    """Means, and a band from the least to the most of all seeds."""
    low, high = values.min(axis=0).tolist(), values.max(axis=0).tolist()
    return Line(name, list(x), values.mean(axis=0).tolist(), COLOR_OF[name], dashed, low, high)
