"""A page's part on boxes: images with boxes, precision and recall, what is confused with what, and sizes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from litmus.config.protocols import Net
from litmus.console import counted
from litmus.page import scenes as scenery
from litmus.page.axes import axis
from litmus.page.charts import Bars, bars
from litmus.page.confusion import confusion_matrix
from litmus.page.drawing import COLORS
from litmus.page.scenes import LEAST_DRAWN, MOST_DRAWN, Scene, drawn
from litmus.record.metrics import min_score_of
from litmus.report.classification import (
    EACH_END,
    MISTAKES,
    MOST_BARS,
    MOST_CELLS,
    MOST_CURVES,
    curve_lines,
    pr_chart,
)
from litmus.report.material import Tested
from litmus.report.numbers import Floats, precision_recall, thinned
from litmus.report.parts import Block, Chart, Drawings, Section, Words

if TYPE_CHECKING:
    from litmus.task.boxes.precision import Matches

Boxed = Sequence[tuple[Floats, Floats]]  # of each image what is found and what is there, as `Outputs.boxes`
IOU = 0.5  # intersection over union from which on two boxes are the same
SIZES = (
    ("small", 0.0, 32.0**2),
    ("medium", 32.0**2, 96.0**2),
    ("large", 96.0**2, np.inf),
)  # areas in pixels, as COCO's


def sections(tested: Tested) -> list[Section]:
    """What validation and test show of the boxes."""
    names, boxed = tested.net.spec.target.names, tested.outputs.boxes
    if not boxed:
        return []
    matches, min_score = _matches(boxed), min_score_of(tested.net)
    average = _average_precisions(matches)
    matrix = confusion_of(boxed, tested.net)
    return [
        Section("scenes", "Images with boxes", _scenes(tested.scenes, names)),
        Section("classes", "Each class", [*_each(names, average, matches), *_curves(names, average, matches)]),
        Section("confusion", "What is taken for what", [*_confused(matrix, names, min_score), _matrix(matrix, names)]),
        Section("sizes", "Sizes", _sizes(boxed, min_score)),
    ]


def average_precisions(boxed: Boxed) -> dict[int, tuple[float, float]]:
    """Of each class that is there, the average precision: the mean over IoU thresholds as COCO's, and that at 0.5."""
    return _average_precisions(_matches(boxed))


def _average_precisions(matches: "Matches") -> dict[int, tuple[float, float]]:
    from litmus.task.boxes import precision  # imports torch

    found = precision.average_precisions(matches)
    return {number: (float(own.mean()), float(own[0])) for number, own in found.items()}


def confusion_of(boxed: Boxed, net: Net) -> NDArray[np.int64]:
    """As `confusion`, of the boxes that count."""
    return confusion(boxed, len(net.spec.target.names), min_score_of(net))


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
    for found, there in boxed:
        counted = _best_of_each_place(found[found[:, 4] >= min_score])
        pairs = _pairs(counted, there)
        for i, j in pairs:
            matrix[int(there[j, 0]), int(counted[i, 5])] += 1
        for j in set(range(len(there))) - {j for _, j in pairs}:
            matrix[int(there[j, 0]), num_classes] += 1
        for i in set(range(len(counted))) - {i for i, _ in pairs}:
            matrix[num_classes, int(counted[i, 5])] += 1
    return matrix


def _best_of_each_place(found: Floats) -> Floats:
    """Of boxes at the very same place, which differ by class alone, the best."""
    _, first = np.unique(found[:, :4], axis=0, return_index=True)
    return found[np.sort(first)]


def _pairs(found: Floats, there: Floats) -> list[tuple[int, int]]:
    """Which found box is which that is there: each at most once, those that overlap most first."""
    overlap = _iou(found[:, :4], there[:, 1:])
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


def _matches(boxed: Boxed) -> "Matches":
    """As the task matches them for its metrics."""
    import torch

    from litmus.task.boxes import precision

    columns = []
    for found, there in boxed:
        best = precision.best_of_each_class(torch.from_numpy(found))
        truth = torch.from_numpy(there)
        columns.append((precision.match_boxes(best, truth), best[:, 4], best[:, 5], truth[:, 0]))
    return precision.Matches(*(torch.cat(own).double().numpy() for own in zip(*columns, strict=True)))


def _scenes(scenes: Sequence[Scene], names: Sequence[str]) -> list[Block]:
    if not scenes:
        return []
    drawings = [scenery.alone(scene, names) for scene in scenes]
    said = (
        f"{len(scenes)} validation images: what is there in orange, dashed; what is found in blue, with the class and "
        f"the score.{_left_out(scenes)}"
    )
    return [Drawings("boxes", said, drawings, scenery.together(scenes, names))]


def _left_out(scenes: Sequence[Scene]) -> str:
    """How many of the boxes that count are not drawn, as what a network hardly trained finds would bury an image."""
    found, shown = sum(len(scene.found) for scene in scenes), sum(len(drawn(scene.found)) for scene in scenes)
    if shown == found:
        return ""
    return (
        f" Of {found:,} boxes found, {shown:,} are drawn: at most the {MOST_DRAWN} best of an image, and none that "
        f"scores below {LEAST_DRAWN:g}."
    )


def _each(names: Sequence[str], average: dict[int, tuple[float, float]], matches: "Matches") -> list[Block]:
    ranked = sorted(average, key=lambda i: -average[i][0])
    chosen, said = sorted(ranked), "Average precision of each class in the test."
    if len(names) >= MOST_BARS and len(ranked) > 2 * EACH_END:
        chosen = [*ranked[:EACH_END], *ranked[-EACH_END:]]
        said = f"The ten best and the ten worst of {len(ranked):,} classes; per_class.csv has them all."
    groups = [
        Bars("AP", [average[i][0] for i in chosen], COLORS[0]),
        Bars("AP at IoU 0.5", [average[i][1] for i in chosen], COLORS[1]),
    ]
    shown, counts = [names[i] for i in chosen], [int((matches.ground_truth == i).sum()) for i in chosen]
    drawing = bars("average precision of each class", shown, groups, axis([0, 1], low=0, high=1), counts)
    return [Chart("per-class", f"{said} In parentheses: how many boxes are of it.", drawing)]


def _curves(names: Sequence[str], average: dict[int, tuple[float, float]], matches: "Matches") -> list[Block]:
    chosen = sorted(sorted(average, key=lambda i: average[i][1])[:MOST_CURVES])
    found = []
    for number in chosen:
        own = matches.classes == number
        there = int((matches.ground_truth == number).sum())
        curve = precision_recall(matches.scores[own], matches.hits[own, 0] > 0, there)
        found.append((average[number][1], *thinned(curve)))
    drawn = curve_lines([names[number] for number in chosen], found)
    which = f" Of {len(average):,} classes, the ten worst." if len(chosen) < len(average) else ""
    return [pr_chart(drawn, f"Precision at every recall, at an IoU of 0.5.{which}")] if drawn else []


def _confused(matrix: NDArray[np.int64], names: Sequence[str], min_score: float) -> list[Block]:
    missed, invented = int(matrix[:-1, -1].sum()), int(matrix[-1].sum())
    classes = matrix[:-1, :-1]
    wrong = classes - np.diag(np.diag(classes))
    order = np.argsort(-wrong.ravel(), kind="stable")[:3]
    pairs = [divmod(int(i), len(names)) for i in order if wrong.ravel()[i] > 0]
    said = [f"{names[t]} taken for {names[p]}: {counted(int(wrong[t, p]), 'time')}" for t, p in pairs]
    there = int(matrix[:-1].sum())
    counts = f"Of {there:,} test boxes, {missed:,} are missed; {invented:,} were found where there is none"
    more = f"; most often confused: {', '.join(said)}" if said else ""
    low = ", which is so low that the network is hardly sure of any" if min_score < LEAST_DRAWN else ""
    rule = f"Boxes count from a score of {min_score:.2g} on{low}, and are the same from an IoU of 0.5 on."
    return [Words([f"{counts}{more}. {rule}"])]


def _matrix(matrix: NDArray[np.int64], names: Sequence[str]) -> Block:
    if len(names) > MOST_CELLS:
        return Words([f"The matrix of {len(names):,} classes is too large to be shown."])
    drawing = confusion_matrix("confusion of boxes", matrix, names, ("true", "found"))
    return Chart(
        "confusion",
        f"Rows are true classes; the last column are missed boxes, the last row invented ones; {MISTAKES}",
        drawing,
    )


def _sizes(boxed: Boxed, min_score: float) -> list[Block]:
    """How many boxes of each size are found, as the network sees them."""
    there_of, found_of = {name: 0 for name, _, _ in SIZES}, {name: 0 for name, _, _ in SIZES}
    for found, there in boxed:
        areas = (there[:, 3:] - there[:, 1:3]).prod(axis=1)
        hit = {j for _, j in _pairs(_best_of_each_place(found[found[:, 4] >= min_score]), there)}
        for name, low, high in SIZES:
            own = {int(j) for j in np.flatnonzero((areas >= low) & (areas < high))}
            there_of[name] += len(own)
            found_of[name] += len(own & hit)
    kept = [name for name, number in there_of.items() if number]
    values, counts = [found_of[name] / there_of[name] for name in kept], [there_of[name] for name in kept]
    drawing = bars("boxes found, by size", kept, [Bars("found", values)], axis([0, 1], low=0, high=1), counts)
    said = (
        "The fraction of test boxes that are found, of whatever class, by their area as the network sees it: small is "
        "below 32 x 32 pixels, large from 96 x 96 on, as COCO has it."
    )
    return [Chart("sizes", said, drawing)]
