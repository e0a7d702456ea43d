"""Which boxes are taken for which."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Boxed = Sequence[tuple[Floats, Floats]]  # of each image what is found, (n, 6), and what is there, (m, 5)
IOU = 0.5  # intersection over union from which on two boxes are the same


def confusion(boxed: Boxed, num_classes: int, min_score: float) -> NDArray[np.int64]:
    """How often a box of each class was taken for each, the background last: int64 (classes + 1, classes + 1).

    Boxes that overlap by at least half are matched, those that overlap most first, whatever their classes. A box that
    is there and has no match was taken for background; one that was found and has none is background taken for it.

    Args:
        boxed: of each image.
        num_classes: how many there are.
        min_score: from which on a found box counts.
    """
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for found, ground_truth in boxed:
        counted = best_of_each_place(found[found[:, 4] >= min_score])
        pairs = pairs_of(counted, ground_truth)
        for i, j in pairs:
            matrix[int(ground_truth[j, 0]), int(counted[i, 5])] += 1
        for j in set(range(len(ground_truth))) - {j for _, j in pairs}:
            matrix[int(ground_truth[j, 0]), num_classes] += 1
        for i in set(range(len(counted))) - {i for i, _ in pairs}:
            matrix[num_classes, int(counted[i, 5])] += 1
    return matrix


def best_of_each_place(found: Floats) -> Floats:
    """Of boxes at the very same place, which differ by class alone, the best."""
    _, first = np.unique(found[:, :4], axis=0, return_index=True)
    return found[np.sort(first)]


def pairs_of(found: Floats, ground_truth: Floats) -> list[tuple[int, int]]:
    """Which found box is which that is there: each at most once, those that overlap most first."""
    overlap = _iou(found[:, :4], ground_truth[:, 1:])
    pairs: list[tuple[int, int]] = []
    while overlap.size and overlap.max() >= IOU:
        i, j = (int(each) for each in np.unravel_index(overlap.argmax(), overlap.shape))
        pairs.append((i, j))
        overlap[i, :], overlap[:, j] = -1.0, -1.0
    return pairs


def _iou(a: Floats, b: Floats) -> Floats:
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = [(own[:, 2:] - own[:, :2]).prod(axis=1) for own in (a, b)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-12))
