"""The figure of 11-dying-relu.md: dead units by epoch, and accuracies, at both rates."""

from collections.abc import Sequence

from guide_runs import Run, of
from PIL.Image import Image

from litmus.page.axes import axis
from litmus.page.charts import Line, lines
from litmus.page.drawing import COLORS
from litmus.record.folder import RunDir

RATES = (0.1, 0.003)


def draw(runs: Sequence[Run]) -> list[list[Image]]:
    """One row: the shares of dead units, and the accuracies; of seed 0."""
    return [[_dead(of(runs, seed=0, model__activation="relu")), _accuracies(of(runs, seed=0))]]


def _dead(runs: Sequence[Run]) -> Image:
    drawn = []
    for rate in RATES:
        (run,) = of(runs, optimizer__lr=rate)
        epochs = range(run.config["trainer"]["max_epochs"] + 1)
        by_epoch = [list(run.layers("dead", epoch).values()) for epoch in epochs]
        for number, shares in enumerate(zip(*by_epoch, strict=True)):
            name = f"layer {number + 1}, rate {rate}"
            drawn.append(Line(name, epochs, shares, COLORS[number], dashed=rate == min(RATES)))
    x = axis(drawn[0].x, "epoch (0: the first step)", whole=True)
    return lines("dead units", x, axis((), "fraction of dead units", low=0, high=1.02), drawn).raster(scale=1)


def _accuracies(runs: Sequence[Run]) -> Image:
    drawn = []
    for rate in RATES:
        for color, (name, activation) in zip(COLORS[2:], (("ReLU", "relu"), ("leaky", "leaky_relu")), strict=False):
            (run,) = of(runs, optimizer__lr=rate, model__activation=activation)
            rows = RunDir(run.path).read_metrics()
            epochs, values = [row["epoch"] for row in rows], [row["val/acc"] for row in rows]
            drawn.append(Line(f"{name}, rate {rate}", epochs, values, color, dashed=rate == min(RATES)))
    x = axis(drawn[0].x, "epoch", whole=True)
    return lines("accuracies", x, axis((), "validation accuracy", low=0, high=1), drawn).raster(scale=1)
