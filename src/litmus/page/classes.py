"""How good a network is on each class, and bars of it, as a run's page and TensorBoard show them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from litmus.page.axes import axis
from litmus.page.charts import Bars, bars
from litmus.page.drawing import COLORS, Drawing

MOST_BARS, EACH_END = 40, 10  # from so many classes on, only so many of the best and the worst are drawn
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Quality(NamedTuple):
    """Precision, recall and F1 of each class, float64 (classes,).

    Attributes:
        precision: 0 for a class that occurs and is never predicted, NaN for one that is in neither.
        recall: NaN for a class that does not occur.
        f1: NaN for a class that neither occurs nor is predicted.
    """

    precision: Floats
    recall: Floats
    f1: Floats


def quality(correct: Ints, predicted: Ints, true: Ints) -> Quality:
    """How good predictions are, by how often each class was predicted rightly, was predicted, and occurs."""
    precision = np.where((predicted == 0) & (true > 0), 0.0, _ratio(correct, predicted))
    return Quality(precision, _ratio(correct, true), _ratio(2 * correct, predicted + true))


def _ratio(above: Ints, below: Ints) -> Floats:
    """The quotient; NaN where there is none."""
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)


def chosen(quality: Floats) -> list[int]:
    """The numbers of the classes that are drawn: those that have a quality, or of many the best and the worst.

    Args:
        quality: of each class, the more the better; NaN for one that does not occur.
    """
    ranked = [int(i) for i in np.argsort(-quality, kind="stable") if not np.isnan(quality[i])]
    is_cut = len(quality) >= MOST_BARS and len(ranked) > 2 * EACH_END
    return [*ranked[:EACH_END], *ranked[-EACH_END:]] if is_cut else sorted(ranked)


def of_each_class(
    label: str, names: Sequence[str], shown: Sequence[int], groups: Mapping[str, Floats], counts: Sequence[int]
) -> Drawing:
    """Fractions of each class, beside each other, and how many samples or boxes are of it.

    Args:
        label: what is drawn.
        names: of all classes.
        shown: the numbers of those that are drawn; see `chosen`.
        groups: by what they are, the fractions of all classes; NaN counts as 0.
        counts: of all classes.
    """
    drawn = [
        Bars(name, np.nan_to_num(values[list(shown)]).tolist(), color)
        for (name, values), color in zip(groups.items(), COLORS, strict=False)
    ]
    own = [int(counts[i]) for i in shown]
    return bars(label, [names[i] for i in shown], drawn, axis([0, 1], low=0, high=1), own)


def average_precisions(
    names: Sequence[str], average: Mapping[int, tuple[float, float]], counts: Sequence[int]
) -> tuple[Drawing, list[int]]:
    """Bars of the average precision of each class of boxes, and the numbers of those that are drawn.

    Args:
        names: of all classes.
        average: of those that are there, by number: the mean over IoU thresholds, and that at 0.5.
        counts: boxes of all classes.
    """
    values = np.array([average.get(number, (np.nan, np.nan)) for number in range(len(names))])
    groups = {"AP": values[:, 0], "AP at IoU 0.5": values[:, 1]}
    shown = chosen(values[:, 0])
    return of_each_class("average precision of each class", names, shown, groups, counts), shown
