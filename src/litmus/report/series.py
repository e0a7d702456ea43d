"""A page's part on forecasts: forecast and truth over the test, errors by step, and the worst windows."""

import math
from collections.abc import Sequence

import numpy as np

from litmus.config.sample import Sample
from litmus.page.axes import Axis, axis
from litmus.page.charts import Line, lines
from litmus.page.drawing import COLORS
from litmus.page.selection import side_by_side
from litmus.page.values import residuals
from litmus.record.baselines import BASELINES
from litmus.report.material import Tested
from litmus.report.numbers import Floats
from litmus.report.parts import Block, Chart, Section, Words
from litmus.report.regression import against_baselines, half_widths, in_units, within

MOST_POINTS = 400  # of a line
MOST_WINDOWS, MOST_TRIED = 6, 2_000  # the worst, of so many
PAST = 3.0  # horizons before a forecast that are shown of its window, and at least 24 values
WIDTH, HEIGHT = 960.0, 320.0  # of the forecast over the test


def sections(tested: Tested) -> list[Section]:
    """What the test says of each step."""
    true, predicted = in_units(tested)
    if not len(true):
        return []
    widths = half_widths(tested, true.shape[1])
    return [
        Section("forecast", "Forecast and truth", _over_time(tested, true, predicted, widths)),
        Section("steps", "Errors", _errors(tested, true, predicted, widths)),
        Section("mistakes", "The worst forecasts", _worst(tested, true, predicted, widths)),
    ]


def _over_time(tested: Tested, true: Floats, predicted: Floats, widths: Floats) -> list[Block]:
    horizon, place = true.shape[1], {int(number): row for row, number in enumerate(tested.outputs.numbers)}
    windows = side_by_side(place, lambda number: tested.data.sample("test", number), horizon, MOST_POINTS)
    numbers, samples = [number for number, _ in windows], [sample for _, sample in windows]
    chosen, first = [place[number] for number in numbers], samples[0].row
    x = [float(sample.row - first + step) for sample in samples for step in range(horizon)]
    flat_true, flat = true[chosen].ravel(), predicted[chosen].ravel()
    half = np.tile(widths, len(chosen))
    inside = np.abs(flat_true - flat) <= half
    drawn = [
        *_best(tested, x, numbers),
        Line("truth", x, flat_true.tolist(), "ink"),
        Line("forecast", x, flat.tolist(), COLORS[0], low=(flat - half).tolist(), high=(flat + half).tolist()),
    ]
    values = [value for line in drawn for value in [*line.y, *line.low, *line.high]]
    where = f" of {samples[0].name}" if samples[0].name else ""
    drawing = lines(f"forecast and truth{where}", _dates(samples, x, horizon), axis(values), drawn, None, HEIGHT, WIDTH)
    covered = f" {inside.mean():.0%} of these values are inside." if np.isfinite(half).all() else ""
    band = (
        "the band is the 90 % interval by errors in validation."
        if np.isfinite(half).any()
        else "there are no intervals."
    )
    steps = f", each {horizon} steps ahead" if horizon > 1 else ""
    said = f"Forecasts{where} side by side over the test{steps}; {band}{covered}"
    return [Words([said]), Chart("forecast", "Forecast and truth in the test.", drawing, wide=True)]


def _best(tested: Tested, x: list[float], numbers: list[int]) -> list[Line]:
    """What the best baseline forecasts for windows; of those whose forecasts are known, the best."""
    ranked = [name for name, _ in tested.baselines if name in tested.forecasts] or list(tested.forecasts)
    if not ranked:
        return []
    own = tested.forecasts[ranked[0]][numbers].ravel()
    return [Line(BASELINES[ranked[0]][0], x, own.tolist(), COLORS[1], dashed=True)]


def _dates(samples: Sequence[Sample], x: Sequence[float], horizon: int) -> Axis:
    """The axis of time: dates where there are some."""
    if not samples[0].date:
        return axis(x, "values since the first forecast", whole=True)
    every = max(1, math.ceil(len(samples) / 5))
    ticks = [(x[number * horizon], samples[number].date) for number in range(0, len(samples), every)]
    return Axis(x[0], max(x[-1], x[0] + 1), "date", ticks)


def _errors(tested: Tested, true: Floats, predicted: Floats, widths: Floats) -> list[Block]:
    """How large errors are beside those of baselines, by step, and how they are distributed."""
    errors, horizon = predicted - true, true.shape[1]
    blocks = [*against_baselines(tested), *(_by_step(tested, true, predicted) if horizon > 1 else [])]
    steps = [0, horizon - 1] if horizon > 1 else [0]
    for step in steps:
        own, half = errors[:, step], float(widths[step])
        label = f"step {step + 1}" if horizon > 1 else "the forecast"
        said = f"Errors of {label}: their mean is {own.mean():.4g}.{within(own, half)}"
        blocks.append(Chart(f"residuals-{step + 1}", said, residuals(label, own, "test", half)))
    return blocks


def _by_step(tested: Tested, true: Floats, predicted: Floats) -> list[Block]:
    """The RMSE of each step, and of what needs no network."""
    errors = np.sqrt(np.mean((predicted - true) ** 2, axis=0))
    steps = [float(step) for step in range(1, true.shape[1] + 1)]
    others = [
        Line(BASELINES[name][0], steps, _rmse(own[tested.outputs.numbers] - true), COLORS[1 + place], dashed=True)
        for place, (name, own) in enumerate(tested.forecasts.items())
    ]
    drawn = [*others, Line("network", steps, errors.tolist())]
    y = axis([value for line in drawn for value in line.y], "RMSE", low=0)
    drawing = lines("RMSE by step", axis(steps, "step", whole=True), y, drawn)
    return [Chart("errors-by-step", "How far forecasts are off, by how far ahead they look.", drawing)]


def _rmse(errors: Floats) -> list[float]:
    """Of each step, over the windows that have a forecast."""
    known = errors[np.isfinite(errors).all(axis=1)]
    return np.sqrt(np.mean(known**2, axis=0)).tolist() if len(known) else [math.nan] * errors.shape[1]


def _worst(tested: Tested, true: Floats, predicted: Floats, widths: Floats) -> list[Block]:
    """The windows with the largest errors, no two of which overlap."""
    horizon = true.shape[1]
    after = [float(step) for step in range(1, horizon + 1)]
    blocks: list[Block] = []
    taken: list[int] = []
    size = np.sqrt(np.mean((predicted - true) ** 2, axis=1))
    for row in np.argsort(-size, kind="stable")[:MOST_TRIED]:
        number = int(tested.outputs.numbers[row])
        sample = tested.data.sample("test", number)
        if any(abs(sample.row - other) < horizon for other in taken) or sample.past is None:
            continue
        taken.append(sample.row)
        low, high = (predicted[row] - widths).tolist(), (predicted[row] + widths).tolist()
        own = [*_best(tested, after, [number]), Line("forecast", after, predicted[row].tolist(), low=low, high=high)]
        blocks.append(_window(sample, true[row], own, float(size[row]), len(taken)))
        if len(taken) == MOST_WINDOWS:
            break
    return blocks


def _window(sample: Sample, true: Floats, forecasts: Sequence[Line], size: float, number: int) -> Chart:
    """A window, with what comes before it, what came, and the forecasts of it; their steps are counted from 1."""
    assert sample.past is not None
    past = sample.past[-max(24, int(PAST * len(true))) :]
    before = [float(step) for step in range(-len(past) + 1, 1)]
    after = [float(step) for step in range(1, len(true) + 1)]
    drawn = [Line("truth", [*before, *after], [*past.tolist(), *true.tolist()], "ink"), *forecasts]
    values = [value for line in drawn for value in [*line.y, *line.low, *line.high]]
    when = sample.date or f"value {sample.row:,}"
    said = f"From {when}{f' of {sample.name}' if sample.name else ''}: RMSE {size:.4g}."
    drawing = lines(said, axis(before + after, "step", whole=True), axis(values), drawn, (0.5, ""), height=220)
    return Chart(f"worst-{number}", said, drawing)
