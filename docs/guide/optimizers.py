"""The figure of 05-optimizers.md: four paths through one valley, and what the runs learned epoch by epoch."""

import csv
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from guide_runs import Run, of
from PIL.Image import Image
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop

from litmus.page.axes import axis
from litmus.page.charts import Line, frame, lines
from litmus.page.drawing import COLORS, Drawing, Point

STEEP = 100.0  # times as steep across the valley as along it
START = (-4.0, 1.0)
STEPS = 300
ARRIVED = 0.01  # the loss
SHOWN = 60  # steps of a path
OPTIMIZERS: dict[str, Callable[[list[Tensor]], Optimizer]] = {
    "SGD": lambda weights: SGD(weights, lr=0.018),
    "momentum": lambda weights: SGD(weights, lr=0.018, momentum=0.9),
    "RMSprop": lambda weights: RMSprop(weights, lr=0.05),
    "Adam": lambda weights: Adam(weights, lr=0.1),
}
COLOR_OF = dict(zip(OPTIMIZERS, COLORS, strict=False))
SETTINGS: dict[str, dict[str, object]] = {  # of the runs
    "SGD": {"optimizer__momentum": 0, "optimizer___target_": "litmus.optimizer.sgd"},
    "momentum": {"optimizer__momentum": 0.9, "optimizer___target_": "litmus.optimizer.sgd"},
    "RMSprop": {"optimizer___target_": "litmus.optimizer.rmsprop"},
    "Adam": {"optimizer___target_": "litmus.optimizer.adam"},
}


def draw(runs: Sequence[Run]) -> list[list[Image]]:
    """Rows of pictures: the paths, two and two; the runs' training losses, and their validation accuracies."""
    drawings = [
        [_paths("SGD", "momentum"), _paths("RMSprop", "Adam")],
        [_curves(runs, "train/loss", "training loss"), _curves(runs, "val/acc", "validation accuracy")],
    ]
    return [[each.raster(scale=1) for each in row] for row in drawings]


def loss_of(weights: Tensor) -> Tensor:
    """The valley: half of x^2 + 100 y^2."""
    return 0.5 * (weights[0] ** 2 + STEEP * weights[1] ** 2)


def path(name: str) -> tuple[list[Point], list[float]]:
    """Where an optimizer goes, from the start on, and the losses there."""
    weights = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = OPTIMIZERS[name]([weights])
    points, losses = [], []
    for _ in range(STEPS + 1):
        optimizer.zero_grad()
        loss = loss_of(weights)
        loss.backward()
        points.append((weights[0].item(), weights[1].item()))
        losses.append(loss.item())
        optimizer.step()
    return points, losses


def steps_of(name: str) -> int:
    """After how many steps the loss is small, and stays so."""
    _, losses = path(name)
    return max(number for number, loss in enumerate(losses) if loss >= ARRIVED) + 1


def by_epoch(run: Run, name: str) -> list[float]:
    """A metric after each epoch."""
    rows = csv.DictReader((run.path / "metrics.csv").read_text(encoding="utf-8").splitlines())
    return [float(row[name]) for row in rows if row[name]]


def _paths(*names: str) -> Drawing:
    legend = [(name, COLOR_OF[name], False) for name in names]
    x, y = axis([], "x", low=-4.5, high=1.5), axis([], "y", low=-1.3, high=1.3)
    chart = frame("paths of optimizers through a valley", x, y, legend)
    for level in (0.5, 2, 8, 18, 40, 70):
        turns = np.linspace(0, 2 * math.pi, 721)
        wide, high = math.sqrt(2 * level), math.sqrt(2 * level / STEEP)
        around = [(wide * math.cos(turn), high * math.sin(turn)) for turn in turns]
        inside = [(a, b) for a, b in around if x.low <= a <= x.high and y.low <= b <= y.high]
        for part in _unbroken(inside, 0.3):
            chart.drawing.line([chart.at(*point) for point in part], "soft", 0.7)
    for name in names:
        points = [chart.at(*point) for point in path(name)[0][: SHOWN + 1]]
        chart.drawing.line(points, COLOR_OF[name], 1.4)
        chart.drawing.dots(points, 2.2, COLOR_OF[name])
    chart.drawing.dots([chart.at(0, 0)], 4, "ink")
    return chart.drawing


def _unbroken(points: Sequence[Point], most: float) -> list[list[Point]]:
    """The stretches of a line between gaps."""
    parts: list[list[Point]] = [[]]
    for point in points:
        if parts[-1] and math.dist(parts[-1][-1], point) > most:
            parts.append([])
        parts[-1].append(point)
    return parts


def _curves(runs: Sequence[Run], metric: str, label: str) -> Drawing:
    """Means over the seeds, and bands from the least to the most."""
    drawn = []
    for name, settings in SETTINGS.items():
        values = np.array([by_epoch(run, metric) for run in chosen(runs, settings)])
        low, high = values.min(axis=0).tolist(), values.max(axis=0).tolist()
        epochs = range(1, values.shape[1] + 1)
        drawn.append(Line(name, epochs, values.mean(axis=0).tolist(), COLOR_OF[name], low=low, high=high))
    y = axis([value for line in drawn for value in (*line.low, *line.high)], label)
    return lines(f"{label} by epoch", axis(drawn[0].x, "epoch", whole=True), y, drawn)


def chosen(runs: Sequence[Run], settings: dict[str, object]) -> list[Run]:
    """The runs of an optimizer; the key of its function comes first, as others lack the rest."""
    target = settings["optimizer___target_"]
    own = [run for run in runs if run.config["optimizer"]["_target_"] == target]
    return of(own, **{key: value for key, value in settings.items() if key != "optimizer___target_"})
