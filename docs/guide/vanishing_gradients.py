"""The figure of 10-vanishing-gradients.md: gradients by layer, and accuracies by epoch, with and without a cure."""

from collections.abc import Sequence

from guide_runs import Run, of
from PIL.Image import Image

from litmus.page.axes import axis
from litmus.page.charts import Line, lines
from litmus.page.drawing import COLORS
from litmus.record.folder import RunDir

NETWORKS = {
    "sigmoid": {"model__activation": "sigmoid", "model__batchnorm": False, "model__residual": False},
    "ReLU": {"model__activation": "relu"},
    "sigmoid, batch norm": {"model__batchnorm": True},
    "sigmoid, residual": {"model__residual": True},
}
SHOWN = (1, 5, 10, 15, 20)  # numbers of layers


def draw(runs: Sequence[Run]) -> list[list[Image]]:
    """One row: the gradients of the first step, and the accuracies of all epochs; of seed 0."""
    shown = {name: of(runs, seed=0, **wanted)[0] for name, wanted in NETWORKS.items()}
    return [[_gradients(shown), _accuracies(shown)]]


def _gradients(shown: dict[str, Run]) -> Image:
    drawn = []
    for color, (name, run) in zip(COLORS, shown.items(), strict=False):
        found = run.layers("gradient", 0)
        values = [value for layer, value in found.items() if layer != "head" and not layer.endswith("shortcut")]
        drawn.append(Line(name, range(1, len(values) + 1), values, color))
    x = axis(SHOWN, "layer", whole=True, low=0, high=21)
    y = axis([value for line in drawn for value in line.y], "gradient, root mean square", log=True)
    return lines("gradients by layer", x, y, drawn).raster(scale=1)


def _accuracies(shown: dict[str, Run]) -> Image:
    drawn = []
    for color, (name, run) in zip(COLORS, shown.items(), strict=False):
        rows = RunDir(run.path).read_metrics()
        drawn.append(Line(name, [row["epoch"] for row in rows], [row["val/acc"] for row in rows], color))
    x = axis([epoch for line in drawn for epoch in line.x], "epoch", whole=True)
    return lines("accuracy by epoch", x, axis((), "validation accuracy", low=0, high=1), drawn).raster(scale=1)
