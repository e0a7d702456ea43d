"""A page's part on numbers: predicted against true, residuals, and the worst samples."""

from collections.abc import Sequence

import numpy as np

from litmus.page.axes import axis
from litmus.page.charts import columns, dots, images
from litmus.page.names import shorten
from litmus.report.classification import kept
from litmus.report.material import Tested
from litmus.report.numbers import Floats
from litmus.report.parts import Block, Cards, Chart, Section, Words, card
from litmus.spec import Values

MOST_VALUES = 6  # that are drawn
MOST_DOTS = 2_000  # of a chart
MOST_WORST = 12
NUM_BINS = 31


def sections(tested: Tested) -> list[Section]:
    """What the test says of each value."""
    true, predicted = in_units(tested)
    if not len(true):
        return []
    names = tested.net.spec.target.names
    blocks: list[Block] = []
    if len(names) > MOST_VALUES:
        blocks.append(Words([f"The first {MOST_VALUES} of {len(names)} values."]))
    for number, name in enumerate(names[:MOST_VALUES]):
        blocks += _value(name, number, true[:, number], predicted[:, number])
    return [
        Section("values", "Predicted and true", blocks),
        Section("mistakes", "The worst predictions", _worst(tested, true, predicted)),
    ]


def in_units(tested: Tested) -> tuple[Floats, Floats]:
    """Targets and outputs in the data's units, float64 (samples, values)."""
    target = tested.net.spec.target
    assert isinstance(target, Values)
    mean, std = np.array(target.mean), np.array(target.std)
    outputs = tested.outputs.outputs.reshape(-1, len(target.names))
    targets = tested.outputs.targets.astype(np.float64).reshape(-1, len(target.names))
    return targets * std + mean, outputs * std + mean


def _value(name: str, number: int, true: Floats, predicted: Floats) -> list[Block]:
    rows = np.unique(np.linspace(0, len(true) - 1, min(len(true), MOST_DOTS)).astype(np.int64))
    label, both = shorten(name, 30), [true.min(), true.max(), predicted.min(), predicted.max()]
    span = (float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max())))
    points = list(zip(true[rows].tolist(), predicted[rows].tolist(), strict=True))
    scatter = dots(
        f"{name}, predicted against true",
        axis(both, f"{label}, true"),
        axis(both, "predicted"),
        points,
        [(span[0], span[0]), (span[1], span[1])],
    )
    errors = predicted - true
    heights, edges = np.histogram(errors, NUM_BINS)
    drawn = columns(
        f"errors of {name}",
        axis(edges, f"error of {label}: predicted - true"),
        axis(heights, "test samples", low=0),
        edges.tolist(),
        heights.tolist(),
        [(0.0, 0.0), (0.0, float(heights.max()))],
    )
    bias = f"The mean error is {errors.mean():.4g}, half of all are within {np.median(np.abs(errors)):.4g}."
    few = f" {len(rows):,} of {len(true):,} samples." if len(rows) < len(true) else ""
    return [
        Chart(
            f"predicted-{number + 1}",
            f"{label}: each dot is a test sample; on the dashed line, it is right.{few}",
            scatter,
        ),
        Chart(f"residuals-{number + 1}", f"{label}: how errors are distributed. {bias}", drawn),
    ]


def _worst(tested: Tested, true: Floats, predicted: Floats) -> list[Block]:
    """The samples with the largest errors, each value's in units of its training deviation."""
    target = tested.net.spec.target
    assert isinstance(target, Values)
    size = np.abs((predicted - true) / np.array(target.std)).mean(axis=1)
    cards, shown, captions = [], [], []
    for row in np.argsort(-size, kind="stable")[:MOST_WORST]:
        sample = tested.data.sample("test", int(tested.outputs.numbers[row]))
        lines = _lines(target.names, true[row], predicted[row])
        cards.append(card(sample, lines, wrong=True))
        if sample.image is not None:
            shown.append(sample.image)
            captions.append(f"{predicted[row, 0]:.3g}, not {true[row, 0]:.3g}")
    picture = images("the worst predictions", shown, captions) if shown else None
    scale = "" if len(target.names) == 1 else " Errors of several values count by their training deviations."
    return [Cards("mistakes", f"The test samples with the largest errors.{scale}{kept(tested)}", cards, picture)]


def _lines(names: Sequence[str], true: Floats, predicted: Floats) -> list[str]:
    return [f"{name}: {p:.4g}, true {t:.4g}" for name, t, p in zip(names[:4], true, predicted, strict=False)]
