"""A page's part on boxes: images with boxes, precision and recall, what is confused with what, and sizes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from litmus.config.protocols import Net
from litmus.console import counted
from litmus.page import classes
from litmus.page import scenes as scenery
from litmus.page.axes import axis
from litmus.page.charts import Bars, bars
from litmus.page.confusion import confusion_matrix
from litmus.page.scenes import LEAST_DRAWN, MOST_DRAWN, Scene, drawn
from litmus.page.selection import worst
from litmus.record.metrics import min_score_of
from litmus.report.classification import MISTAKES, MOST_CELLS, MOST_CURVES, curve_lines, pr_chart
from litmus.report.material import Tested
from litmus.report.numbers import precision_recall, thinned
from litmus.report.parts import Block, Chart, Drawings, Section, Words
from litmus.task.boxes.confusion import Boxed, best_of_each_place, confusion, pairs_of

if TYPE_CHECKING:
    from litmus.task.boxes.precision import Matches

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
    from litmus.task.boxes.precision import matches_of, means_and_loosest  # imports torch

    matches, min_score = matches_of(boxed), min_score_of(tested.net)
    average = means_and_loosest(matches)
    matrix = confusion_of(boxed, tested.net)
    return [
        Section("scenes", "Images with boxes", _scenes(tested.scenes, names)),
        Section("classes", "Each class", [*_each(names, average, matches), *_curves(names, average, matches)]),
        Section("confusion", "What is taken for what", [*_confused(matrix, names, min_score), _matrix(matrix, names)]),
        Section("sizes", "Sizes", _sizes(boxed, min_score)),
    ]


def average_precisions(boxed: Boxed) -> dict[int, tuple[float, float]]:
    """Of each class that is there, the average precision: the mean over IoU thresholds as COCO's, and that at 0.5."""
    from litmus.task.boxes.precision import matches_of, means_and_loosest

    return means_and_loosest(matches_of(boxed))


def confusion_of(boxed: Boxed, net: Net) -> NDArray[np.int64]:
    """As `confusion`, of the boxes that count."""
    return confusion(boxed, len(net.spec.target.names), min_score_of(net))


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
    counts = np.bincount(matches.ground_truth.astype(np.int64), minlength=len(names)).tolist()
    drawing, shown = classes.average_precisions(names, average, counts)
    said = "Average precision of each class in the test."
    if len(shown) < len(average):
        said = f"The ten best and the ten worst of {len(average):,} classes; per_class.csv has them all."
    return [Chart("per-class", f"{said} In parentheses: how many boxes are of it.", drawing)]


def _curves(names: Sequence[str], average: dict[int, tuple[float, float]], matches: "Matches") -> list[Block]:
    known = np.array([average[number][1] if number in average else np.nan for number in range(len(names))])
    shown, found = worst(known, MOST_CURVES), []
    for number in shown:
        own = matches.classes == number
        num_true = int((matches.ground_truth == number).sum())
        curve = precision_recall(matches.scores[own], matches.hits[own, 0] > 0, num_true)
        found.append((average[number][1], *thinned(curve)))
    drawn = curve_lines([names[number] for number in shown], found)
    which = f" Of {len(average):,} classes, the {len(shown)} worst." if len(shown) < len(average) else ""
    return [pr_chart(drawn, f"Precision at every recall, at an IoU of 0.5.{which}")] if drawn else []


def _confused(matrix: NDArray[np.int64], names: Sequence[str], min_score: float) -> list[Block]:
    missed, invented = int(matrix[:-1, -1].sum()), int(matrix[-1].sum())
    known = matrix[:-1, :-1]
    wrong = known - np.diag(np.diag(known))
    order = np.argsort(-wrong.ravel(), kind="stable")[:3]
    pairs = [divmod(int(i), len(names)) for i in order if wrong.ravel()[i] > 0]
    said = [f"{names[t]} taken for {names[p]}: {counted(int(wrong[t, p]), 'time')}" for t, p in pairs]
    counts = (
        f"Of {int(matrix[:-1].sum()):,} test boxes, {missed:,} are missed; {invented:,} were found where there is none"
    )
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
    true_of, found_of = {name: 0 for name, _, _ in SIZES}, {name: 0 for name, _, _ in SIZES}
    for found, ground_truth in boxed:
        areas = (ground_truth[:, 3:] - ground_truth[:, 1:3]).prod(axis=1)
        hit = {j for _, j in pairs_of(best_of_each_place(found[found[:, 4] >= min_score]), ground_truth)}
        for name, low, high in SIZES:
            own = {int(j) for j in np.flatnonzero((areas >= low) & (areas < high))}
            true_of[name] += len(own)
            found_of[name] += len(own & hit)
    kept = [name for name, number in true_of.items() if number]
    values, counts = [found_of[name] / true_of[name] for name in kept], [true_of[name] for name in kept]
    drawing = bars("boxes found, by size", kept, [Bars("found", values)], axis([0, 1], low=0, high=1), counts)
    said = (
        "The fraction of test boxes that are found, of whatever class, by their area as the network sees it: small is "
        "below 32 x 32 pixels, large from 96 x 96 on, as COCO has it."
    )
    return [Chart("sizes", said, drawing)]
