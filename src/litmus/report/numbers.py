"""Figures of classes and probabilities: confusion, calibration, precision and recall."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    """

    def __init__(self, true: Ints, predicted: Ints, num_classes: int) -> None:
        self.num_classes = num_classes
        codes, self.counts = np.unique(true * num_classes + predicted, return_counts=True)
        self.true, self.predicted = codes // num_classes, codes % num_classes
        self.occurring = np.bincount(true, minlength=num_classes)
        self.of_predicted = np.bincount(predicted, minlength=num_classes)
        hits = self.true == self.predicted
        self.correct = np.zeros(num_classes, np.int64)
        self.correct[self.true[hits]] = self.counts[hits]

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

    @property
    def recall(self) -> Floats:
        """Of each class; NaN for one that does not occur."""
        return _ratio(self.correct, self.occurring)

    @property
    def precision(self) -> Floats:
        """Of each class; 0 for one that occurs and is never predicted, NaN for one that is in neither."""
        found = _ratio(self.correct, self.of_predicted)
        return np.where(np.isnan(found) & (self.occurring > 0), 0.0, found)

    @property
    def f1(self) -> Floats:
        """Of each class; NaN for one that neither occurs nor is predicted."""
        return _ratio(2 * self.correct, self.occurring + self.of_predicted)


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


def precision_recall(scores: Floats, true: NDArray[np.bool_], there: int | None = None) -> Curve:
    """The curve over all cuts; samples of equal score are on one side of a cut.

    The average precision is the sum of precision times the gain in recall at each cut, as scikit-learn's
    `average_precision_score` defines it.

    Args:
        scores: (samples,).
        true: bool (samples,).
        there: how many there are to be found, where some have no score; None counts `true`.
    """
    order = np.argsort(-scores, kind="stable")
    hits = true[order].cumsum()
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    recall = hits[ends] / max(int(true.sum()) if there is None else there, 1)
    precision = hits[ends] / (ends + 1.0)
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return Curve(recall, precision, average)


def thinned(curve: Curve) -> tuple[list[float], list[float]]:
    """Recall and precision at as many points as a drawing has use for, up to the first that finds all."""
    number = int(np.searchsorted(curve.recall, curve.recall.max() - 1e-12)) + 1 if len(curve.recall) else 0
    rows = np.unique(np.linspace(0, max(number - 1, 0), min(number, MOST_POINTS - 1)).astype(np.int64))
    recall, precision = curve.recall[rows].tolist(), curve.precision[rows].tolist()
    return [0.0, *recall], [*precision[:1], *precision]  # from the left edge on


def _ratio(above: Floats | Ints, below: Floats | Ints) -> Floats:
    """The quotient; NaN where there is none."""
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
