"""Average precision of boxes, as COCO and the ultralytics package measure it."""

import numpy as np
import torch
from torch import Tensor

THRESHOLDS = torch.linspace(0.5, 0.95, 10)  # of intersection over union, at which a box counts as right
LEVELS = np.linspace(0, 1, 101)  # of recall, at which precision is read
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


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


def match_boxes(found: Tensor, ground_truth: Tensor) -> Tensor:
    """Matches boxes to the ground truth; which are correct at each IoU threshold: bool (found, thresholds).

    Each, the best scored first, takes the box of its class that it overlaps most of those that are not taken yet.

    Args:
        found: float (found, 6): left, top, right, bottom, score, class; the best first.
        ground_truth: float (there, 5): class, left, top, right, bottom.
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


def average_precision(hits: Array, scores: Array, classes: Array, ground_truth: Array) -> dict[str, float]:
    """`map` and `map50`, the means over classes that occur; `precision` and `recall` at the best score to cut at.

    That score is the one where F1 at the lowest threshold, meaned over classes and smoothed, is highest. Between the
    measured points precision is interpolated, as the ultralytics package does; COCO takes the next one.

    Args:
        hits: (found, thresholds) of 0 and 1.
        scores: (found,).
        classes: (found,) of the boxes that were found.
        ground_truth: (boxes,) classes of those that should have been.
    """
    order = np.argsort(-scores, kind="stable")
    hits, scores, classes = hits[order], scores[order], classes[order]
    occurring, counts = np.unique(ground_truth, return_counts=True)
    if not len(occurring):
        return dict.fromkeys(("map", "map50", "precision", "recall"), 0.0)
    cuts = np.linspace(0, 1, 1000)
    average = np.zeros((len(occurring), hits.shape[1]))
    precise, load_checkpoint = np.zeros((len(occurring), 1000)), np.zeros((len(occurring), 1000))
    for i, (number, count) in enumerate(zip(occurring, counts, strict=True)):
        own = classes == number
        if not own.any():
            continue
        true = hits[own].cumsum(axis=0)
        recall, precision = true / count, true / np.arange(1, own.sum() + 1)[:, None]
        # Scores fall, and np.interp wants rising ones.
        load_checkpoint[i] = np.interp(-cuts, -scores[own], recall[:, 0], left=0)
        precise[i] = np.interp(-cuts, -scores[own], precision[:, 0], left=1)
        average[i] = [_area(recall[:, j], precision[:, j]) for j in range(hits.shape[1])]
    f1 = 2 * precise * load_checkpoint / np.maximum(precise + load_checkpoint, 1e-16)
    best = _smooth(f1.mean(axis=0)).argmax()
    return {
        "map": float(average.mean()),
        "map50": float(average[:, 0].mean()),
        "precision": float(precise[:, best].mean()),
        "recall": float(load_checkpoint[:, best].mean()),
    }


def _area(recall: Array, precision: Array) -> float:
    """Under the curve of the highest precision that is still reached at that recall or a higher one."""
    x = np.concatenate(([0.0], recall, [recall[-1], 1.0]))
    y = np.concatenate(([1.0], precision, [0.0, 0.0]))
    highest = np.flip(np.maximum.accumulate(np.flip(y)))
    return float(np.trapezoid(np.interp(LEVELS, x, highest), LEVELS))


def _smooth(curve: Array) -> Array:
    """A mean over a tenth of the curve around each point."""
    width = round(len(curve) * 0.1 * 2) // 2 + 1
    half = np.ones(width // 2)
    return np.convolve(np.concatenate((half * curve[0], curve, half * curve[-1])), np.ones(width) / width, mode="valid")
