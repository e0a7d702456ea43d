"""Average precision against a case worked by hand and COCO's definition; the score from which a box counts."""

import numpy as np
import pytest
import torch
from helpers import SCENES

from litmus.config.protocols import Split
from litmus.task.boxes.precision import (
    CUTS,
    THRESHOLDS,
    Array,
    Matches,
    average_precision,
    best_min_score,
    best_of_each_class,
    box_iou,
    match_boxes,
    precision_and_recall,
)
from litmus.task.detection import BoxMetrics, DetailedMetrics, Detection, corners


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

    The highest precision at that recall or above is 1 at the 51 levels up to 0.50, and 2/3 at the 50 above.
    """
    hits = np.repeat([[1.0], [0.0], [1.0]], 10, axis=1)
    got = average_precision(Matches(hits, np.array([0.9, 0.8, 0.7]), np.zeros(3), np.zeros(2)))
    assert got["map50"] == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert got["map"] == pytest.approx(got["map50"])


def test_perfect_none_and_nothing_there() -> None:
    ones = np.ones((3, 10))
    scores, classes = np.array([0.9, 0.8, 0.7]), np.array([0.0, 1.0, 2.0])
    perfect = Matches(ones, scores, classes, classes)
    assert average_precision(perfect) == {"map": 1.0, "map50": 1.0}
    assert precision_and_recall(perfect, best_min_score(perfect)) == {"precision": 1.0, "recall": 1.0}
    nothing = Matches(np.zeros((0, 10)), np.zeros(0), np.zeros(0), classes)
    there_is_nothing = Matches(ones, scores, classes, np.zeros(0))
    for matches in (nothing, there_is_nothing):
        assert average_precision(matches) == {"map": 0.0, "map50": 0.0}
        assert best_min_score(matches) == 1.0
        assert precision_and_recall(matches, 0.5) == {"precision": 0.0, "recall": 0.0}


def random_matches(seed: int) -> Matches:
    generator = np.random.default_rng(seed)
    chance = generator.random((400, 1))
    hits = (chance > np.linspace(0.3, 0.9, 10)).astype(float)
    scores = np.round(generator.random(400), 2)  # with ties
    # One class is never found, and one that is found is never there.
    found, there = generator.integers(1, 7, 400), generator.integers(0, 6, 300)
    return Matches(hits, scores, found.astype(float), there.astype(float))


def coco_s(matches: Matches) -> Array:
    """Average precision of each class and threshold: `COCOeval.accumulate` of pycocotools, line for line."""
    averages = []
    for number in np.unique(matches.ground_truth):
        own = matches.classes == number
        order = np.argsort(-matches.scores[own], kind="mergesort")
        dtm = matches.hits[own][order].astype(bool).T
        npig = np.count_nonzero(matches.ground_truth == number)
        tp_sum, fp_sum = np.cumsum(dtm, axis=1).astype(float), np.cumsum(~dtm, axis=1).astype(float)
        for tp, fp in zip(tp_sum, fp_sum, strict=True):
            nd = len(tp)
            rc, pr = tp / npig, (tp / (fp + tp + np.spacing(1))).tolist()
            q = np.zeros(101).tolist()
            for i in range(nd - 1, 0, -1):
                pr[i - 1] = max(pr[i - 1], pr[i])
            inds = np.searchsorted(rc, np.linspace(0.0, 1.00, 101, endpoint=True), side="left")
            for ri, pi in enumerate(inds):
                if pi < nd:
                    q[ri] = pr[pi]
            averages.append(np.mean(q))
    return np.array(averages).reshape(-1, 10)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_coco_s(seed: int) -> None:
    matches = random_matches(seed)
    theirs = coco_s(matches)
    ours = average_precision(matches)
    assert ours["map"] == pytest.approx(theirs.mean(), abs=1e-12)
    assert ours["map50"] == pytest.approx(theirs[:, 0].mean(), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_score_that_is_chosen_is_the_best_but_for_smoothing(seed: int) -> None:
    matches = random_matches(seed)

    def f1(min_score: float) -> float:
        values = []
        for number in np.unique(matches.ground_truth):
            kept = (matches.classes == number) & (matches.scores >= min_score)
            correct = matches.hits[kept, 0].sum()
            values.append(2 * correct / (kept.sum() + (matches.ground_truth == number).sum()))
        return float(np.mean(values))

    best = best_min_score(matches)
    curve = np.array([f1(cut) for cut in CUTS])
    assert f1(best) > curve.max() - 0.02
    near = [curve[max(i - 50, 0) : i + 51].mean() for i in range(len(CUTS))]
    assert near[int(np.argmin(abs(CUTS - best)))] == pytest.approx(max(near), abs=2e-3)


def test_precision_and_recall_at_a_score_by_hand() -> None:
    """Class 0: two there; 0.9 right, 0.5 wrong, 0.4 right. Class 1: one there, found with 0.3."""
    hits = np.repeat([[1.0], [0.0], [1.0], [1.0]], 10, axis=1)
    scores, classes = np.array([0.9, 0.5, 0.4, 0.3]), np.array([0.0, 0, 0, 1])
    matches = Matches(hits, scores, classes, np.array([0.0, 0, 1]))
    expected = {0.6: (1 / 2, 1 / 4), 0.5: (1 / 4, 1 / 4), 0.4: (1 / 3, 1 / 2), 0.0: (5 / 6, 1.0)}
    for min_score, (precision, recall) in expected.items():
        found = precision_and_recall(matches, min_score)
        assert (found["precision"], found["recall"]) == pytest.approx((precision, recall)), min_score


def test_a_hundred_boxes_of_a_class_are_measured_in_an_image() -> None:
    found = torch.zeros(250, 6)
    found[:, 4] = torch.linspace(1, 0, 250)
    found[::5, 5] = 1
    kept = best_of_each_class(found)
    assert torch.equal(kept[kept[:, 5] == 1], found[found[:, 5] == 1])
    assert torch.equal(kept[kept[:, 5] == 0], found[found[:, 5] == 0][:100])


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
        score, start = DetailedMetrics(best_min_score), 0
        for size in sizes:
            some = images[start : start + size]
            score.update({"box": torch.tensor(1.0), "cls": torch.tensor(1.0), "dfl": torch.tensor(1.0)}, size)
            score.add_boxes([found for found, _ in some], [ground_truth for _, ground_truth in some])
            start += size
        return {name: float(value) for name, value in score.compute().items()}

    assert measured([6]) == pytest.approx(measured([1, 3, 2]))
    assert 0 < measured([6])["map"] < measured([6])["map50"] <= 1


class Sees(torch.nn.Module):
    """A detector whose input says what it finds: one box for each image, right at any place, with that score."""

    spec = SCENES
    min_score: float | None = None

    def predict_and_raw(self, x: torch.Tensor) -> tuple[torch.Tensor, object]:
        return x[:, 0, 0, :2], None

    def losses(self, raw: object, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"box": torch.tensor(1.0)}

    def boxes(self, answer: torch.Tensor, min_score: float, multi_label: bool) -> list[torch.Tensor]:
        right = torch.tensor([16.0, 16.0, 48.0, 48.0])
        return [torch.cat([right * hit, score[None], torch.zeros(1)])[None] for score, hit in answer]


def test_the_test_cuts_at_the_score_that_is_best_in_validation() -> None:
    """Validation finds right boxes from 0.6 on; the best cut for the test alone would be lower."""
    task = Detection(Sees(), None, None)  # type: ignore[arg-type]  # it is not trained
    targets = torch.tensor([[[0, 0.5, 0.5, 0.5, 0.5]]])

    def run(split: Split, found: list[tuple[float, float]]) -> dict[str, float]:
        task.metrics(split).reset()
        for score, hit in found:
            x = torch.zeros(1, 3, 64, 64)
            x[0, 0, 0, :2] = torch.tensor([score, hit])
            task.step((x, targets), split)
        return {name: float(value) for name, value in task.metrics(split).compute().items()}

    tested = [(0.3, 1.0), (0.41, 0.0), (0.9, 0.0), (0.8, 1.0)]
    assert not {"precision", "recall"} & set(run("test", tested)), "no score is chosen yet"
    assert run("val", [(0.6, 1.0), (0.7, 1.0), (0.4, 0.0), (0.1, 0.0)])["precision"] == 1.0
    assert task.detector.min_score is not None
    assert 0.41 < task.detector.min_score <= 0.6
    found = run("test", tested)
    assert (found["precision"], found["recall"]) == (1 / 2, 1 / 4)
