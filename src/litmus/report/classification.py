"""A page's part on classes: what is confused, the worst mistakes, each class, calibration, precision and recall."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from litmus.config.protocols import Data
from litmus.console import counted
from litmus.page.axes import axis
from litmus.page.charts import Line, images, lines
from litmus.page.classes import chosen, of_each_class
from litmus.page.confusion import confusion_matrix
from litmus.page.drawing import COLORS
from litmus.page.names import shorten_all
from litmus.page.reliability import FEW, NUM_BINS, calibration, reliability_diagram
from litmus.page.selection import worst
from litmus.report.material import Tested
from litmus.report.numbers import Confusion, Curve, precision_recall, probabilities, thinned
from litmus.report.parts import Block, Card, Cards, Chart, Section, Tabled, Words, card, table

Floats = NDArray[np.float64]
MOST_CELLS = 40  # classes, up to which the whole matrix is drawn
MOST_MISTAKES = 24
MOST_PAIRS = 5  # of confused classes, in words
MOST_CURVES = 10
MISTAKES = "orange: mistakes, the stronger the more there are."
LIKELY = 0.005  # a probability below which two digits show nothing


def sections(tested: Tested) -> list[Section]:
    """What the test says of each class."""
    names, outputs = tested.net.spec.target.names, tested.outputs
    if not len(outputs.true):
        return []
    confusion = Confusion(outputs.true, outputs.predicted, len(names))
    scores = probabilities(outputs.outputs) if tested.net.predicts_probabilities else outputs.outputs
    true = outputs.targets.astype(np.int64)
    return [
        Section("confusion", "What is taken for what", [Words(confused(confusion, names)), *_matrix(confusion, names)]),
        Section("mistakes", "The worst mistakes", mistakes(tested, scores, true)),
        Section("classes", "Each class", [*_each(confusion, names), *_curves(scores, true, names, confusion.f1)]),
        *_calibration(tested, scores, true),
    ]


def confused(confusion: Confusion, names: Sequence[str]) -> list[str]:
    """The most confused pairs in words."""
    worst = confusion.worst(MOST_PAIRS)
    total, wrong = int(confusion.occurring.sum()), int(confusion.counts[confusion.true != confusion.predicted].sum())
    if not worst:
        return [f"All {counted(total, 'test sample')} are right."]
    said = ", ".join(f"{names[t]} taken for {names[p]}: {counted(n, 'time')}" for n, t, p in worst)
    return [f"{wrong:,} of {counted(total, 'test sample')} are wrong. Most often: {said}."]


def _matrix(confusion: Confusion, names: Sequence[str]) -> list[Block]:
    if len(names) > MOST_CELLS:
        worst = confusion.worst(20)
        rows = [[names[true], names[predicted], f"{count:,}"] for count, true, predicted in worst]
        said = f"Of {len(names):,} classes, the pairs that are confused most; confusion.csv has them all."
        return [Tabled(said, table(["true", "predicted", "times"], rows, numeric=False))]
    drawing = confusion_matrix("confusion matrix", confusion.matrix, names)
    said = "Rows are true classes, columns what was predicted. Blue: what is right, as a share of the row; " + MISTAKES
    return [Chart("confusion", said, drawing)]


def mistakes(tested: Tested, scores: Floats, true: NDArray[np.int64]) -> list[Block]:
    """Those samples that are wrong, the surest first."""
    predicted = scores.argmax(axis=1)
    wrong = np.flatnonzero(predicted != true)
    if not len(wrong):
        return [Words(["There is none in the test."])]
    rows = np.arange(len(scores))
    margin = scores[rows, predicted] - scores[rows, true]
    worst = wrong[np.argsort(-margin[wrong], kind="stable")][:MOST_MISTAKES]
    names, sure = tested.net.spec.target.names, tested.net.predicts_probabilities
    cards, shown, captions = [], [], []
    for row in worst:
        sample = tested.data.sample("test", int(tested.outputs.numbers[row]))
        own, other = names[true[row]], names[predicted[row]]
        lines = [f"{own} taken for {other}", *([_sure(scores[row, predicted[row]], scores[row, true[row]])] * sure)]
        cards.append(card(sample, lines, wrong=True))
        if sample.image is not None:
            shown.append(sample.image)
            captions.append(" → ".join(shorten_all([own, other], 7)))
    picture = images("the worst mistakes", shown, captions) if shown else None
    what = (
        "how sure the network was of the wrong class, and of the right one" if sure else "how far apart the scores are"
    )
    noted = " What is underlined the tokenizer does not know; what is struck out the network does not get."
    said = f"Of {counted(len(wrong), 'wrong test sample')}, the worst, by {what}."
    return [
        Cards("mistakes", said + (noted if any(each.text for each in cards) else "") + kept(tested), cards, picture)
    ]


def kept(tested: Tested) -> str:
    """Says how many samples' outputs there are, if these are not all."""
    number, total = len(tested.outputs.numbers), tested.outputs.total
    return "" if number == total else f" Looked for among {number:,} of {total:,} samples, evenly chosen."


def _sure(wrong: float, right: float) -> str:
    return f"{wrong:.0%} sure; of the right one {right:.0%}" if right >= LIKELY else f"{wrong:.0%} sure"


def _each(confusion: Confusion, names: Sequence[str]) -> list[Block]:
    shown, said = chosen(confusion.f1), "Precision and recall of each class in the test."
    present = int(np.isfinite(confusion.f1).sum())
    if len(shown) < present:
        said = f"The ten best and the ten worst of {present:,} classes by F1; per_class.csv has them all."
    groups = {"precision": confusion.precision, "recall": confusion.recall}
    counts = confusion.occurring.tolist()
    drawing = of_each_class("precision and recall of each class", names, shown, groups, counts)
    return [Chart("per-class", f"{said} In parentheses: how many samples are of it.", drawing)]


def _curves(scores: Floats, true: NDArray[np.int64], names: Sequence[str], f1: Floats) -> list[Block]:
    known = np.where(np.bincount(true, minlength=len(names)) > 0, f1, np.nan)
    said = "Precision at every recall, each class against the rest; AP is the area."
    return curves(names, "classes", known, lambda i: precision_recall(scores[:, i], true == i), said)


def curves(names: Sequence[str], noun: str, f1: Floats, curve_of: Callable[[int], Curve], caption: str) -> list[Block]:
    """Precision against recall of each class or label, of many of the worst; none where none occurs.

    Args:
        names: of all.
        noun: what they are.
        f1: of each; NaN for one that has no curve.
        curve_of: gives the curve of a number.
        caption: below the chart.
    """
    shown, total = worst(f1, MOST_CURVES), int(np.isfinite(f1).sum())
    found = [curve_of(number) for number in shown]
    drawn = curve_lines([names[i] for i in shown], [(each.average, *thinned(each)) for each in found])
    which = f" Of {total:,} {noun}, the {len(shown)} of the lowest F1." if len(shown) < total else ""
    return [pr_chart(drawn, f"{caption}{which}")] if drawn else []


def curve_lines(names: Sequence[str], found: Sequence[tuple[float, Sequence[float], Sequence[float]]]) -> list[Line]:
    """Classes' curves, of each its average precision, recall and precision: colors repeat as dashes."""
    return [
        Line(f"{name} AP {average:.3f}", x, y, COLORS[place % len(COLORS)], dashed=place >= len(COLORS))
        for place, (name, (average, x, y)) in enumerate(zip(shorten_all(names, 18), found, strict=True))
    ]


def pr_chart(drawn: Sequence[Line], caption: str) -> Chart:
    """The chart of such curves."""
    x, y = axis([0, 1], "recall", low=0, high=1), axis([0, 1], "precision", low=0, high=1.02)
    drawing = lines("precision and recall", x, y, drawn, height=300 + 8 * len(drawn))
    return Chart("precision-recall", caption, drawing)


def _calibration(tested: Tested, scores: Floats, true: NDArray[np.int64]) -> list[Section]:
    if not tested.net.predicts_probabilities:
        return []
    found = calibration(scores.max(axis=1), scores.argmax(axis=1) == true)
    drawing = reliability_diagram(found)
    used = int((found.counts > 0).sum())
    said = (
        f"The expected calibration error is {found.error:.4f}: on average, confidence and accuracy are so far apart "
        f"({counted(used, 'bin')} of {NUM_BINS} have samples; Guo et al. 2017). Columns below the dashed line: "
        "the network is too sure of itself."
    )
    return [
        Section(
            "calibration",
            "Confidence",
            [
                Words([said]),
                Chart("reliability", f"Accuracy by confidence; pale columns have fewer than {FEW} samples.", drawing),
            ],
        )
    ]


def samples_of(data: Data, numbers: Sequence[int], labels: Sequence[str]) -> list[Card]:
    """Cards of training samples."""
    return [card(data.sample("train", n), [label]) for n, label in zip(numbers, labels, strict=True)]
