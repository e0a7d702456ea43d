"""Average precision against a case worked by hand, and against the ultralytics package's own."""

import numpy as np
import pytest
import torch

from litmus.task._precision import THRESHOLDS, average_precision, box_iou, match_boxes
from litmus.task.detection import BoxMetrics, DetailedMetrics, corners


def test_overlaps() -> None:
    a = torch.tensor([[0.0, 0, 10, 10]])
    b = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 10, 5]])
    assert box_iou(a, b)[0].tolist() == pytest.approx([1.0, 1 / 3, 0.0, 0.5])


def test_each_box_is_found_once_by_the_best_scored() -> None:
    ground_truth = torch.tensor([[0.0, 0, 0, 10, 10], [0, 20, 0, 30, 10], [1, 0, 0, 10, 10]])
    found = torch.tensor(
        [
            [0.0, 0, 10, 9, 0.9, 0],  # 0.9 of the first
            [0.0, 0, 10, 10, 0.8, 0],  # all of the first, which is taken at thresholds up to 0.9
            [20.0, 0, 30, 7.2, 0.7, 0],  # 0.72 of the second
            [0.0, 0, 10, 10, 0.6, 2],  # no such class
        ]
    )
    hits = match_boxes(found, ground_truth)
    assert hits[0].tolist() == [True] * 8 + [bool(t <= 0.9) for t in THRESHOLDS[8:]]
    assert hits[1].tolist() == [False] * 8 + [not bool(t <= 0.9) for t in THRESHOLDS[8:]]
    assert hits[2].tolist() == [True] * 5 + [False] * 5
    assert not hits[3].any()


def test_average_precision_worked_by_hand() -> None:
    """Two boxes; found: right, wrong, right. Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1.

    The highest precision at that recall or above is 1 at the 50 levels below 0.50, 2/3 at the 50 from there to 0.99,
    and 0 at 1.00, where the curve ends. The trapezoids between them take half of the first and the last.
    """
    hits = np.repeat([[1.0], [0.0], [1.0]], 10, axis=1)
    got = average_precision(hits, np.array([0.9, 0.8, 0.7]), np.zeros(3), np.zeros(2))
    assert got["map50"] == pytest.approx(0.01 * (50 * 1 + 50 * 2 / 3 + 0 - (1 + 0) / 2))
    assert got["map"] == got["map50"]


def test_perfect_none_and_nothing_there() -> None:
    ones = np.ones((3, 10))
    scores, classes = np.array([0.9, 0.8, 0.7]), np.array([0.0, 1.0, 2.0])
    perfect = average_precision(ones, scores, classes, classes)
    assert perfect["map"] == pytest.approx(0.995, abs=0.006)  # the curve ends in a zero, as the package's
    assert perfect["recall"] == pytest.approx(1.0)
    nothing = average_precision(np.zeros((0, 10)), np.zeros(0), np.zeros(0), classes)
    assert set(nothing.values()) == {0.0}
    assert set(average_precision(ones, scores, classes, np.zeros(0)).values()) == {0.0}


@pytest.mark.parametrize("seed", range(5))
def test_the_same_as_the_ultralytics_package(seed: int) -> None:
    from litmus.model import _ultralytics

    _ultralytics.package()
    from ultralytics.utils.metrics import ap_per_class

    generator = np.random.default_rng(seed)
    number = 400
    chance = generator.random((number, 1))
    hits = (chance > np.linspace(0.3, 0.9, 10)).astype(float)
    scores, classes = generator.random(number), generator.integers(0, 6, number).astype(float)
    ground_truth = generator.integers(0, 7, 300).astype(float)
    ours = average_precision(hits, scores, classes, ground_truth)
    _, _, precision, recall, _, average, *_ = ap_per_class(hits.astype(bool), scores, classes, ground_truth)
    assert ours["map"] == pytest.approx(average.mean(), abs=1e-12)
    assert ours["map50"] == pytest.approx(average[:, 0].mean(), abs=1e-12)
    assert ours["precision"] == pytest.approx(precision.mean(), abs=1e-12)
    assert ours["recall"] == pytest.approx(recall.mean(), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_boxes_are_right_as_in_the_ultralytics_package(seed: int) -> None:
    from litmus.model import _ultralytics

    _ultralytics.package()
    from ultralytics.engine.validator import BaseValidator
    from ultralytics.utils.metrics import box_iou

    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(40, 2, generator=generator) * 60
    ground_truth = torch.cat([torch.randint(0, 3, (40, 1), generator=generator), start, start + 20], dim=1)
    which = torch.randint(0, 40, (120,), generator=generator)
    edges = ground_truth[which, 1:] + torch.randn(120, 4, generator=generator) * 2
    found = torch.cat([edges, torch.rand(120, 1, generator=generator), ground_truth[which, :1]], dim=1)
    found = found[found[:, 4].argsort(descending=True)]

    class Theirs:
        iouv = torch.linspace(0.5, 0.95, 10)

    iou = box_iou(ground_truth[:, 1:], found[:, :4])
    theirs = BaseValidator.match_predictions(Theirs(), found[:, 5], ground_truth[:, 0], iou)  # type: ignore[arg-type]
    assert torch.equal(match_boxes(found, ground_truth), theirs)


def test_corners_leave_out_rows_that_are_not_needed() -> None:
    targets = torch.tensor([[2, 0.5, 0.5, 0.5, 0.25], [-1, -1, -1, -1, -1]])
    assert corners(targets, 40, 80).tolist() == [[2, 20, 15, 60, 25]]


def test_losses_are_means_over_batches_of_different_sizes() -> None:
    score = BoxMetrics()
    score.update({"box": torch.tensor(1.0), "cls": torch.tensor(2.0), "dfl": torch.tensor(3.0)}, 3)
    score.update({"box": torch.tensor(5.0), "cls": torch.tensor(2.0), "dfl": torch.tensor(3.0)}, 1)
    got = score.compute()
    assert {name: float(value) for name, value in got.items()} == pytest.approx(
        {"loss": 7.0, "box_loss": 2.0, "cls_loss": 2.0, "dfl_loss": 3.0}
    )


def test_batches_add_up_to_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    images = []
    for _ in range(6):
        start = torch.rand(4, 2, generator=generator) * 60
        ground_truth = torch.cat([torch.randint(0, 2, (4, 1), generator=generator), start, start + 20], dim=1)
        edges = ground_truth[:, 1:] + torch.randn(4, 4, generator=generator)
        found = torch.cat([edges, torch.rand(4, 1, generator=generator), ground_truth[:, :1]], dim=1)
        images.append((found[found[:, 4].argsort(descending=True)], ground_truth))

    def measured(sizes: list[int]) -> dict[str, float]:
        score, start = DetailedMetrics(), 0
        for size in sizes:
            some = images[start : start + size]
            score.update({"box": torch.tensor(1.0), "cls": torch.tensor(1.0), "dfl": torch.tensor(1.0)}, size)
            score.add_boxes([found for found, _ in some], [ground_truth for _, ground_truth in some])
            start += size
        return {name: float(value) for name, value in score.compute().items()}

    assert measured([6]) == pytest.approx(measured([1, 3, 2]))
    assert 0 < measured([6])["map"] < measured([6])["map50"] <= 1
