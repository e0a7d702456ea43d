"""The figure of 03-by-hand.md: the worked network with its numbers, and both trainings' losses."""

import csv
import re
from collections.abc import Sequence

import torch
from guide_runs import GUIDE, Run, of
from PIL.Image import Image
from torch import Tensor

from litmus.page.axes import axis
from litmus.page.charts import HEIGHT, SMALL, WIDTH, Line, lines
from litmus.page.drawing import COLORS, Drawing, Point

PAGE = GUIDE / "03-by-hand.md"
ROW = re.compile(r"^\| [^|$]*\$([^$=|]+)(?:=[^$|]*)?\$ \| ([-\d., ;]+) \|$", re.MULTILINE)
FORWARD, BACKWARD = "color-1", "color-2"
LEFT, MIDDLE, RIGHT, END = 40.0, 190.0, 330.0, 405.0  # where the layers are
UPPER, LOWER = 90.0, 225.0  # where their units are
RADIUS = 24.0


def draw(runs: Sequence[Run]) -> list[list[Image]]:
    """One row: the network, and the losses."""
    return [[_network().raster(scale=1), _losses(runs).raster(scale=1)]]


def numbers(text: str) -> dict[str, Tensor]:
    """The values of a page's tables by their symbols; those with a semicolon are matrices, single ones numbers."""
    found = {}
    for symbol, cell in ROW.findall(text):
        rows = [[float(value) for value in row.split(",")] for row in cell.split(";")]
        values = torch.tensor(rows if len(rows) > 1 else rows[0], dtype=torch.float64)
        found[symbol] = values[0] if values.shape == (1,) else values
    return found


def _network() -> Drawing:
    """Units with what they give, and lines with weights; below each, its gradient."""
    drawing = Drawing(WIDTH, HEIGHT, "the network of the example, with its values and gradients")
    given = numbers(PAGE.read_text(encoding="utf-8"))
    x, w1, w2 = given["x"], given["W_1"].requires_grad_(), given["w_2"].requires_grad_()
    hidden = torch.sigmoid(w1 @ x + given["b_1"])
    logit = w2 @ hidden + given["b_2"]
    hidden.retain_grad()
    logit.retain_grad()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, given["t"])
    loss.backward()

    inputs, units, output = [(LEFT, UPPER), (LEFT, LOWER)], [(MIDDLE, UPPER), (MIDDLE, LOWER)], (RIGHT, _center())
    for row, unit in enumerate(units):
        for column, at in enumerate(inputs):
            _edge(drawing, at, unit, w1, (row, column), 0.3 if row != column else 0.5)
        _edge(drawing, unit, output, w2, (row,), 0.5)
    drawing.line([(RIGHT + RADIUS, _center()), (END - 18, _center())], "soft", 1.4)
    for column, at in enumerate(inputs):
        _unit(drawing, at, f"x{column + 1}", x[column].item(), None)
    for row, at in enumerate(units):
        _unit(drawing, at, f"h{row + 1}", hidden[row].item(), _gradient(hidden)[row].item())
    _unit(drawing, output, "s", logit.item(), _gradient(logit).item())
    drawing.text(END, _center() - 8, "loss", "soft", SMALL, "middle")
    drawing.text(END, _center() + 8, f"{loss.item():.3f}", FORWARD, SMALL, "middle")
    for x, text, color in ((14, "forward: values, weights", FORWARD), (200, "backward: gradients", BACKWARD)):
        drawing.line([(x, 14), (x + 18, 14)], color, 3)
        drawing.text(x + 23, 18, text, "ink", SMALL)
    return drawing


def _center() -> float:
    return (UPPER + LOWER) / 2


def _gradient(of_tensor: Tensor) -> Tensor:
    assert of_tensor.grad is not None
    return of_tensor.grad


def _edge(drawing: Drawing, start: Point, end: Point, weights: Tensor, at: tuple[int, ...], share: float) -> None:
    """A line with a weight above it, and its gradient below, so far along the line."""
    drawing.line([start, end], "soft", 1.4)
    x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    drawing.rectangle(x - 25, y - 17, 50, 33, "paper", 0.9)
    drawing.text(x, y - 4, f"{weights[at].item():g}", FORWARD, SMALL, "middle")
    drawing.text(x, y + 11, f"{_gradient(weights)[at].item():.3f}", BACKWARD, SMALL, "middle")


def _unit(drawing: Drawing, at: Point, name: str, value: float, gradient: float | None) -> None:
    x, y = at
    drawing.dots([at], RADIUS + 1.4, "soft")
    drawing.dots([at], RADIUS, "panel")
    drawing.text(x, y - RADIUS - 7, name, "ink", SMALL, "middle")
    drawing.text(x, y + (4 if gradient is None else -2), f"{value:.3g}", FORWARD, SMALL, "middle")
    if gradient is not None:
        drawing.text(x, y + 13, f"{gradient:.3f}", BACKWARD, SMALL, "middle")


def _losses(runs: Sequence[Run]) -> Drawing:
    """The training losses of the first seed, one on top of the other."""
    drawn = []
    for model, color, name in (
        ("fnn", COLORS[0], "fnn: by PyTorch"),
        ("scratch", COLORS[1], "scratch: by hand"),
    ):
        (run,) = of(runs, model=model, seed=0)
        rows = list(csv.DictReader((run.path / "metrics.csv").read_text(encoding="utf-8").splitlines()))
        losses = [float(row["train/loss"]) for row in rows if row["train/loss"]]
        drawn.append(Line(name, range(1, len(losses) + 1), losses, color, dashed=model == "scratch"))
    values = [value for line in drawn for value in line.y]
    x, y = axis(drawn[0].x, "epoch", whole=True), axis(values, "training loss", low=0)
    return lines("training losses of both networks", x, y, drawn)
