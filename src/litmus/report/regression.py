"""A page's part on numbers: predicted against true, residuals, and the worst samples."""

from collections.abc import Sequence

import numpy as np

from litmus.data.timeline.intervals import conformal
from litmus.page.axes import axis
from litmus.page.charts import Bars, bars, images
from litmus.page.names import shorten
from litmus.page.selection import evenly
from litmus.page.values import LONGEST, predicted_and_true, residuals
from litmus.record.baselines import BASELINES
from litmus.report.classification import kept
from litmus.report.material import Tested
from litmus.report.numbers import Floats
from litmus.report.parts import Block, Cards, Chart, Section, Words, card
from litmus.spec import Values

LEVEL = 0.9  # of intervals
MOST_VALUES = 6  # that are drawn
MOST_DOTS = 2_000  # of a chart
MOST_WORST = 12


def sections(tested: Tested) -> list[Section]:
    """What the test says of each value."""
    true, predicted = in_units(tested)
    if not len(true):
        return []
    names = tested.net.spec.target.names
    blocks = against_baselines(tested)
    widths = half_widths(tested, len(names))
    if len(names) > MOST_VALUES:
        blocks.append(Words([f"The first {MOST_VALUES} of {len(names)} values."]))
    for number, name in enumerate(names[:MOST_VALUES]):
        blocks += _value(name, number, true[:, number], predicted[:, number], widths[number])
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


def half_widths(tested: Tested, number: int) -> Floats:
    """Half of the interval of each value, from errors in validation: float64 (number,), NaN where there is none."""
    errors = tested.net.errors
    return np.full(number, np.nan) if errors is None else conformal(errors.cpu().numpy(), LEVEL)


def against_baselines(tested: Tested) -> list[Block]:
    """The network's RMSE in the test beside those of every baseline, in words and as bars; nothing without any."""
    own, others = tested.metrics.get("test/rmse"), tested.baselines
    if own is None or not others:
        return []
    listed = ", ".join(f"{BASELINES[name][0]} {value:.4g}" for name, value in others)
    names, values = ["network", *(BASELINES[name][0] for name, _ in others)], [own, *(value for _, value in others)]
    drawing = bars("RMSE in the test", names, [Bars("RMSE", values)], axis(values, "RMSE in the test", low=0))
    return [
        Words([f"Test RMSE: network {own:.4g}; without a network: {listed}."]),
        Chart("baselines", "The network and what needs none; less is better.", drawing),
    ]


def within(errors: Floats, half: float) -> str:
    """How many errors the interval holds, in words; empty without one."""
    if not np.isfinite(half):
        return ""
    inside = np.mean(np.abs(errors) <= half)
    return f" The 90 % interval, from errors in validation, is ± {half:.4g}: {inside:.0%} of the test are inside."


def _value(name: str, number: int, true: Floats, predicted: Floats, half: float) -> list[Block]:
    label, drawn = shorten(name, LONGEST), evenly(len(true), MOST_DOTS)
    scatter = predicted_and_true(name, true, predicted, MOST_DOTS, half)
    errors = predicted - true
    bias = f"The mean error is {errors.mean():.4g}, half of all are within {np.median(np.abs(errors)):.4g}."
    few = f" {len(drawn):,} of {len(true):,} samples." if len(drawn) < len(true) else ""
    return [
        Chart(
            f"predicted-{number + 1}",
            f"{label}: each dot is a test sample; on the dashed line, it is right.{few}{within(errors, half)}",
            scatter,
        ),
        Chart(
            f"residuals-{number + 1}",
            f"{label}: how errors are distributed. {bias}",
            residuals(name, errors, "test", half),
        ),
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
