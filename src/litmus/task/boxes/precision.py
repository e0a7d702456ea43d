"""Average precision of bounding boxes as COCO defines it, and the score from which a box counts.

COCO's definition is its code: `COCOeval` in cocodataset/cocoapi, PythonAPI/pycocotools/cocoeval.py, with its default
parameters, over boxes of all sizes.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from litmus.task.boxes.confusion import Boxed

THRESHOLDS = torch.linspace(0.5, 0.95, 10)  # of intersection over union, at which a box counts as right
LEVELS = np.linspace(0, 1, 101)  # of recall, at which precision is read
MAX_BOXES = 100  # of a class in an image that are measured
CUTS = np.linspace(0, 1, 1000)  # scores of which one is chosen
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class Matches(NamedTuple):
    """The boxes that were found in all images, and those that are there.

    Attributes:
        hits: (found, thresholds), 1 where a box is correct at that IoU threshold, else 0.
        scores: (found,), in [0, 1].
        classes: (found,).
        ground_truth: (boxes,), the classes of those that are there.
    """

    hits: Array
    scores: Array
    classes: Array
    ground_truth: Array


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every box of `a` with every one of `b`: float (len(a), len(b)).

    Args:
        a: float (boxes, 4): left, top, right, bottom.
        b: float (boxes, 4), as `a`.
    """
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    whole = [(boxes[:, 2:] - boxes[:, :2]).prod(dim=1) for boxes in (a, b)]
    return shared / (whole[0][:, None] + whole[1][None, :] - shared).clamp(min=1e-12)


def best_of_each_class(found: Tensor) -> Tensor:
    """The first `MAX_BOXES` of each class.

    Args:
        found: float (found, 6): left, top, right, bottom, score, class; the best first.
    """
    same_class = found[:, 5:] == found[:, 5]
    rank = same_class.tril(diagonal=-1).sum(dim=1)
    return found[rank < MAX_BOXES]


def match_boxes(found: Tensor, ground_truth: Tensor) -> Tensor:
    """Matches boxes to the ground truth; which are correct at each IoU threshold: bool (found, thresholds).

    Each, the best scored first, takes the box of its class that it overlaps most of those that are not taken yet.

    Args:
        found: float (found, 6): left, top, right, bottom, score, class; the best first.
        ground_truth: float (boxes, 5): class, left, top, right, bottom.
    """
    hits = torch.zeros(len(found), len(THRESHOLDS), dtype=torch.bool)
    if not len(found) or not len(ground_truth):
        return hits
    iou = box_iou(found[:, :4], ground_truth[:, 1:]) * (found[:, 5:] == ground_truth[:, 0])
    iou = iou.cpu()
    taken = torch.zeros(len(ground_truth), len(THRESHOLDS), dtype=torch.bool)
    columns = torch.arange(len(THRESHOLDS))
    for i in (iou.amax(dim=1) >= THRESHOLDS[0]).nonzero().flatten().tolist():
        free = iou[i][:, None].masked_fill(taken, 0.0)
        best, which = free.max(dim=0)
        hits[i] = best >= THRESHOLDS
        taken[which, columns] |= hits[i]
    return hits


def average_precision(matches: Matches) -> dict[str, float]:
    """`map`, the mean over classes that are there and IoU thresholds, and `map50`, that at the lowest threshold."""
    each = list(average_precisions(matches).values())
    if not each:
        return {"map": 0.0, "map50": 0.0}
    average = np.stack(each)
    return {"map": float(average.mean()), "map50": float(average[:, 0].mean())}


def average_precisions(matches: Matches) -> dict[int, Array]:
    """Of each class that is there, the average precision at each IoU threshold.

    It is the mean, over 101 levels of recall, of the highest precision that is reached at that recall or a higher one;
    0 at levels that are not reached.
    """
    found: dict[int, Array] = {}
    for number, count in zip(*np.unique(matches.ground_truth, return_counts=True), strict=True):
        true, num_found = _true_by_score(matches, number)
        recall, precision = true / count, true / num_found[:, None]
        highest = np.flip(np.maximum.accumulate(np.flip(precision, axis=0)), axis=0)
        average = np.zeros(len(THRESHOLDS))
        for j in range(len(THRESHOLDS)):
            reached = np.searchsorted(recall[:, j], LEVELS, side="left")
            average[j] = np.append(highest[:, j], 0.0)[reached].mean()
        found[int(number)] = average
    return found


def means_and_loosest(matches: Matches) -> dict[int, tuple[float, float]]:
    """Of each class that is there, the average precision: the mean over IoU thresholds, and that at the lowest."""
    found = average_precisions(matches)
    return {number: (float(own.mean()), float(own[0])) for number, own in found.items()}


def best_min_score(matches: Matches) -> float:
    """The score to cut at: where F1 at the lowest IoU threshold, the mean over classes, is highest.

    F1 is smoothed over a tenth of the scores, as in the ultralytics package, so that no single box decides. Where no
    box is correct, the score is 1: nothing that was found should count.
    """
    occurring, counts = np.unique(matches.ground_truth, return_counts=True)
    f1 = np.zeros((max(len(occurring), 1), len(CUTS)))
    for i, (number, count) in enumerate(zip(occurring, counts, strict=True)):
        correct, num_found = _at_scores(matches, number, CUTS)
        f1[i] = 2 * correct / (num_found + count)
    return float(CUTS[_smooth(f1.mean(axis=0)).argmax()]) if f1.any() else 1.0


def precision_and_recall(matches: Matches, min_score: float) -> dict[str, float]:
    """`precision` and `recall` at the lowest IoU threshold of boxes that score at least `min_score`.

    Both are means over the classes that are there; a class of which no box is found has precision 0.
    """
    occurring, counts = np.unique(matches.ground_truth, return_counts=True)
    values = np.zeros((max(len(occurring), 1), 2))
    for i, (number, count) in enumerate(zip(occurring, counts, strict=True)):
        correct, num_found = _at_scores(matches, number, np.array([min_score]))
        values[i] = correct[0] / max(num_found[0], 1), correct[0] / count
    precision, recall = values.mean(axis=0)
    return {"precision": float(precision), "recall": float(recall)}


def _true_by_score(matches: Matches, number: float) -> tuple[Array, Array]:
    """Of the boxes of a class, the best first: how many are correct up to each, (found, thresholds), and how many."""
    own = matches.classes == number
    order = np.argsort(-matches.scores[own], kind="stable")
    true = matches.hits[own][order].cumsum(axis=0)
    return true, np.arange(1.0, len(true) + 1)


def _at_scores(matches: Matches, number: float, cuts: Array) -> tuple[Array, Array]:
    """Of the boxes of a class that score at least each of `cuts`: how many are correct, and how many there are."""
    true, _ = _true_by_score(matches, number)
    rising = np.sort(matches.scores[matches.classes == number])
    num_found = len(rising) - np.searchsorted(rising, cuts, side="left")
    return np.append(0.0, true[:, 0])[num_found], num_found.astype(np.float64)


def _smooth(curve: Array) -> Array:
    """A mean over a tenth of the curve around each point."""
    width = round(len(curve) * 0.1 * 2) // 2 + 1
    half = np.ones(width // 2)
    return np.convolve(np.concatenate((half * curve[0], curve, half * curve[-1])), np.ones(width) / width, mode="valid")


def matches_of(boxed: Boxed) -> Matches:
    """The matches of all images.

    Args:
        boxed: of each image the boxes that were found, (n, 6), and those that are there, (m, 5).
    """
    columns = []
    for found, ground_truth in boxed:
        best, truth = best_of_each_class(torch.from_numpy(found)), torch.from_numpy(ground_truth)
        columns.append((match_boxes(best, truth), best[:, 4], best[:, 5], truth[:, 0]))
    return Matches(*(torch.cat(own).double().numpy() for own in zip(*columns, strict=True)))
