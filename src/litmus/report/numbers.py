"""Figures of classes and probabilities: confusion, calibration, precision and recall."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from litmus.page.classes import quality
from litmus.page.selection import evenly

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_POINTS = 150  # of a curve that is drawn


class Confused(NamedTuple):
    """How often one class was taken for another."""

    times: int
    true: int
    predicted: int


class Confusion:
    """How often each class was taken for each: rows are true classes. Held as pairs, as 5,000 classes make 200 MB.

    Args:
        true: class numbers, int64 (samples,).
        predicted: the same.
        num_classes: how many there are.

    Attributes:
        true: of each pair that occurs, the true class.
        predicted: of each pair, what was predicted.
        counts: of each pair, how often.
        occurring: how many samples are of each class.
        precision: of each class, as are recall and F1: see `litmus.page.classes.Quality`.
        recall: of each class.
        f1: of each class.
    """

    def __init__(self, true: Ints, predicted: Ints, num_classes: int) -> None:
        self.num_classes = num_classes
        codes, self.counts = np.unique(true * num_classes + predicted, return_counts=True)
        self.true, self.predicted = codes // num_classes, codes % num_classes
        self.occurring = np.bincount(true, minlength=num_classes)
        hits, correct = self.true == self.predicted, np.zeros(num_classes, np.int64)
        correct[self.true[hits]] = self.counts[hits]
        each = quality(correct, np.bincount(predicted, minlength=num_classes), self.occurring)
        self.precision, self.recall, self.f1 = each

    @property
    def matrix(self) -> Ints:
        """int64 (classes, classes)."""
        whole = np.zeros((self.num_classes, self.num_classes), np.int64)
        whole[self.true, self.predicted] = self.counts
        return whole

    def worst(self, number: int) -> list[Confused]:
        """The most frequent mistakes."""
        wrong = np.flatnonzero(self.true != self.predicted)
        first = wrong[np.argsort(-self.counts[wrong], kind="stable")][:number]
        return [Confused(int(self.counts[i]), int(self.true[i]), int(self.predicted[i])) for i in first]


def probabilities(logits: Floats) -> Floats:
    """The softmax of each row."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def sigmoid(logits: Floats) -> Floats:
    """Of each number, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


class Curve(NamedTuple):
    """Precision and recall at every score, and the average precision."""

    recall: Floats
    precision: Floats
    average: float


def precision_recall(scores: Floats, true: NDArray[np.bool_], num_true: int | None = None) -> Curve:
    """The curve over all cuts; samples of equal score are on one side of a cut.

    The average precision is the sum of precision times the gain in recall at each cut, as scikit-learn's
    `average_precision_score` defines it.

    Args:
        scores: (samples,).
        true: bool (samples,).
        num_true: how many are to be found, where some have no score; None counts `true`.
    """
    order = np.argsort(-scores, kind="stable")
    hits = true[order].cumsum()
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    recall = hits[ends] / max(int(true.sum()) if num_true is None else num_true, 1)
    precision = hits[ends] / (ends + 1.0)
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return Curve(recall, precision, average)


def thinned(curve: Curve) -> tuple[list[float], list[float]]:
    """Recall and precision at as many points as a drawing has use for, up to the first that finds all."""
    number = int(np.searchsorted(curve.recall, curve.recall.max() - 1e-12)) + 1 if len(curve.recall) else 0
    rows = evenly(number, MOST_POINTS - 1)
    recall, precision = curve.recall[rows].tolist(), curve.precision[rows].tolist()
    return [0.0, *recall], [*precision[:1], *precision]  # from the left edge on
