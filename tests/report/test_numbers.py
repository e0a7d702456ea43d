"""Confusion, calibration, precision and recall, by hand."""

import numpy as np
import pytest

from litmus.page.reliability import calibration
from litmus.page.values import histogram
from litmus.report.numbers import (
    Confusion,
    precision_recall,
    probabilities,
    sigmoid,
    thinned,
)


def test_a_confusion_matrix_by_hand() -> None:
    true, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 0])
    found = Confusion(true, predicted, 4)
    assert found.matrix.tolist() == [[1, 2, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found.worst(2) == [(2, 0, 1), (1, 1, 0)]
    assert found.precision.tolist()[:3] == pytest.approx([1 / 3, 1 / 3, 0])
    assert found.recall.tolist()[:3] == pytest.approx([1 / 3, 1 / 2, 0])
    assert found.f1.tolist()[:3] == pytest.approx([1 / 3, 2 / 5, 0])
    assert all(np.isnan(own[3]) for own in (found.precision, found.recall, found.f1))


def test_thousands_of_classes_need_no_matrix() -> None:
    found = Confusion(np.array([0, 49_999]), np.array([1, 49_999]), 50_000)
    assert found.worst(5) == [(1, 0, 1)]


def test_the_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.6, 0.6])
    correct = np.array([True, True, True, False, True, False])
    found = calibration(confidence, correct)
    assert found.error == pytest.approx((4 * abs(0.75 - 0.95) + 2 * abs(0.5 - 0.6)) / 6)
    assert found.counts.sum() == 6
    assert found.counts[14] == 4
    assert found.accuracy[9] == 0.5


def test_a_certain_prediction_is_in_the_last_bin() -> None:
    assert calibration(np.array([1.0]), np.array([True])).counts[14] == 1


def test_precision_and_recall_by_hand() -> None:
    curve = precision_recall(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]))
    assert curve.recall.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    assert curve.average == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_equal_scores_are_on_one_side_of_a_cut() -> None:
    for true in ([True, False], [False, True]):
        curve = precision_recall(np.array([0.5, 0.5]), np.array(true))
        assert (curve.recall.tolist(), curve.precision.tolist(), curve.average) == ([1.0], [0.5], 0.5)


def test_what_has_no_score_is_never_found() -> None:
    assert precision_recall(np.array([0.9]), np.array([True]), num_true=4).average == 0.25
    assert precision_recall(np.array([]), np.array([], bool), num_true=4).average == 0


def test_a_drawn_curve_has_few_points_and_ends_where_all_is_found() -> None:
    scores = np.linspace(1, 0, 10_000)
    x, y = thinned(precision_recall(scores, scores > 0.5))
    assert len(x) <= 150
    assert (x[-1], y[-1]) == (1.0, 1.0)


def test_probabilities_of_large_logits() -> None:
    assert probabilities(np.array([[1000.0, 0.0], [0.0, 0.0]])).tolist() == [[1.0, 0.0], [0.5, 0.5]]
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("values", [[0.5, 0.5 + 1e-16, 0.5 - 1e-16], [0.0], [1e9] * 3, [-2.0, -2.0]])
def test_a_histogram_of_what_differs_by_rounding_has_a_column(values: list[float]) -> None:
    counts, edges = histogram(np.array(values), 31)
    assert counts.max() == counts[15] == len(values)
    assert len(edges) == 32
