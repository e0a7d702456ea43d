"""Pictures of a validation, by target: drawn as a run's page draws those of its test."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import Outputs
from litmus.config.sample import Sample
from litmus.page.axes import axis
from litmus.page.charts import Line, lines
from litmus.page.charts import images as in_rows
from litmus.page.classes import Quality, average_precisions, chosen, of_each_class, quality
from litmus.page.confusion import confusion_matrix
from litmus.page.drawing import COLORS, Drawing, Pixels
from litmus.page.names import shorten, shorten_all
from litmus.page.reliability import calibration, reliability_diagram
from litmus.page.scenes import Scene, together
from litmus.page.selection import side_by_side
from litmus.page.values import predicted_and_true, residuals
from litmus.spec import Boxes, Classes, Labels, Values
from litmus.task.boxes.confusion import confusion
from litmus.task.boxes.precision import matches_of, means_and_loosest

PER_ROW = 4
NUM_SCENES = 8
NUM_MISTAKES = 24
MOST_NAMES = 40  # classes of a confusion matrix that can still be read
MOST_VALUES = 3  # that are drawn
MOST_DOTS = 500  # of a chart: a thousand take 20 ms
MOST_POINTS = 200  # of forecasts side by side
PAST = 24  # values before the first forecast
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def of_classes(
    target: Classes, logits: Tensor, truth: Tensor, images: list[Pixels] | None, has_confidence: bool
) -> dict[str, Drawing]:
    """The confusion matrix, precision and recall of each class, and some images with what was predicted.

    Args:
        target: of the dataset.
        logits: float (samples, classes).
        truth: int64 (samples,).
        images: of the first samples; None where there are none.
        has_confidence: whether the softmax of the logits is one.
    """
    found: dict[str, Drawing] = {}
    names, predicted, number = target.names, logits.argmax(dim=1), len(target.names)
    found["classes"] = _each(target, logits, truth)
    if number <= MOST_NAMES:
        counts = (truth * number + predicted).bincount(minlength=number**2).reshape(number, number)
        found["confusion_matrix"] = confusion_matrix("confusion matrix", counts.numpy(), names)
    if has_confidence and len(truth):
        sure, best = logits.double().softmax(dim=1).nan_to_num().max(dim=1)
        found["reliability"] = reliability_diagram(calibration(sure.numpy(), (best == truth).numpy()))
    if images is not None:
        shares = [f" {share:.0%}" if has_confidence else "" for share in logits.softmax(dim=1).amax(dim=1).tolist()]
        pairs = list(zip(predicted.tolist(), truth.tolist(), strict=True))[: len(images)]
        captions = [
            f"{names[p]}{share}" + ("" if p == t else f", is {names[t]}")
            for (p, t), share in zip(pairs, shares, strict=False)
        ]
        frames = [COLORS[0] if p == t else COLORS[1] for p, t in pairs]
        found["predictions"] = in_rows("predictions", images, captions, PER_ROW, frames=frames)
    return found


def of_mistakes(target: Classes, logits: Tensor, truth: Tensor, sample: Callable[[int], Sample]) -> dict[str, Drawing]:
    """The images of which the network is surest of a wrong class; none where all are right.

    Args:
        target: of the dataset.
        logits: float (samples, classes).
        truth: int64 (samples,).
        sample: gives the image of a row.
    """
    rows, predicted = torch.arange(len(truth)), logits.argmax(dim=1)
    margin = (logits[rows, predicted] - logits[rows, truth]).nan_to_num()
    worst = margin.argsort(descending=True, stable=True)[:NUM_MISTAKES]
    wrong = [row for row in worst.tolist() if predicted[row] != truth[row]]
    pairs = [(row, image) for row in wrong if (image := sample(row).image) is not None]
    names = target.names
    captions = [" → ".join(shorten_all([names[int(truth[row])], names[int(predicted[row])]], 7)) for row, _ in pairs]
    drawn = in_rows("the worst mistakes", [image for _, image in pairs], captions) if pairs else None
    return {} if drawn is None else {"worst_mistakes": drawn}


def of_labels(target: Labels, logits: Tensor, truth: Tensor) -> dict[str, Drawing]:
    """Precision and recall of each label.

    Args:
        target: of the dataset.
        logits: float (samples, labels).
        truth: 1 for each label, of the same shape.
    """
    return {"labels": _each(target, logits, truth)}


def quality_of(target: Classes | Labels, logits: Tensor, truth: Tensor) -> tuple[Quality, Ints]:
    """How good the predictions of each class or label are, and how many samples have it.

    Args:
        target: of the dataset.
        logits: float (samples, names).
        truth: class numbers, int64 (samples,), or 1 for each label, (samples, labels).
    """
    if isinstance(target, Labels):
        said, true = logits > 0, truth > 0
        counts = [own.sum(dim=0).numpy() for own in (said & true, said, true)]
    else:
        said, number = logits.argmax(dim=1), len(target.names)
        counts = [own.bincount(minlength=number).numpy() for own in (truth[said == truth], said, truth)]
    return quality(*counts), counts[2]


def _each(target: Classes | Labels, logits: Tensor, truth: Tensor) -> Drawing:
    """Precision and recall of each name; of many, of those that are best and worst by F1."""
    found, counts = quality_of(target, logits, truth)
    groups = {"precision": found.precision, "recall": found.recall}
    label = f"precision and recall of {target.noun}"
    return of_each_class(label, target.names, chosen(found.f1), groups, counts.tolist())


def of_values(named: Sequence[tuple[str, Floats, Floats]]) -> dict[str, Drawing]:
    """Predictions against the truth, and how errors are distributed.

    Args:
        named: of each value its name, the truth and the predictions, float64 (samples,), in the data's unit.
    """
    found: dict[str, Drawing] = {}
    for name, true, predicted in named[:MOST_VALUES]:
        whole = np.isfinite(predicted)
        if whole.any():
            of = f"/{name}" if len(named) > 1 else ""
            found[f"predicted_and_true{of}"] = predicted_and_true(name, true[whole], predicted[whole], MOST_DOTS)
            found[f"residuals{of}"] = residuals(name, predicted[whole] - true[whole], "validation")
    return found


def in_units(target: Values, scaled: Tensor) -> Floats:
    """Standardized values in the data's unit, float64 (samples, values)."""
    return np.asarray(scaled.double().numpy() * np.array(target.std) + np.array(target.mean))


def of_forecasts(name: str, true: Floats, predicted: Floats, sample: Callable[[int], Sample]) -> dict[str, Drawing]:
    """The last forecasts of a series that do not overlap, side by side, and the truth.

    Args:
        name: of what is forecast.
        true: float64 (windows, steps), in the data's unit.
        predicted: the same.
        sample: gives the window of a row.
    """
    horizon = true.shape[1]
    chosen = side_by_side(range(len(true)), sample, horizon, MOST_POINTS)
    first = chosen[0][1]
    past = [] if first.past is None else first.past[-PAST:].tolist()
    x, forecast = [], []
    for row, window in chosen:
        x += [float(window.row - first.row + step) for step in range(horizon)]
        forecast += predicted[row].tolist()
    truth = [value for row, _ in chosen for value in true[row].tolist()]
    before = [float(step) for step in range(-len(past), 0)]
    every = horizon if horizon > 1 else len(x)  # a line each, unless it were a point
    parts = [(x[i : i + every], forecast[i : i + every]) for i in range(0, len(x), every)]
    drawn = [Line("truth", [*before, *x], [*past, *truth], "ink")]
    drawn += [Line("forecast" if i == 0 else "", *part) for i, part in enumerate(parts)]
    when = first.date or f"value {first.row:,}"
    of = f" of {first.name}" if first.name else ""
    across = axis([*before, *x], f"values since {when}{of}", whole=True)
    up = axis([*past, *truth, *forecast], shorten(name, 30))
    return {"forecast": lines("forecast and truth", across, up, drawn)}


def of_boxes(
    target: Boxes, seen: Sequence[tuple[Outputs, Outputs]], images: list[Pixels] | None, least: float
) -> dict[str, Drawing]:
    """Some images with the boxes that are there, and those that were found; what is confused; and each class.

    Args:
        target: of the dataset.
        seen: of each batch and image, boxes with a score and a class; a class and a box.
        images: those of the first batch as the network sees them; None where they are not known.
        least: score of a box that counts.
    """
    boxed = [
        (found.double().cpu().numpy(), ground_truth.double().cpu().numpy())
        for outputs, targets in seen
        for found, ground_truth in zip(outputs, targets, strict=True)
    ]
    scenes = [
        Scene(pixels, found[found[:, 4] >= least], ground_truth)
        for pixels, (found, ground_truth) in zip((images or [])[:NUM_SCENES], boxed, strict=False)
    ]
    found = {"boxes": together(scenes, target.names)} if scenes else {}
    matches = matches_of(boxed)
    counts = np.bincount(matches.ground_truth.astype(np.int64), minlength=len(target.names)).tolist()
    found["classes"], _ = average_precisions(target.names, means_and_loosest(matches), counts)
    if len(target.names) <= MOST_NAMES:
        matrix = confusion(boxed, len(target.names), least)
        found["confusion_matrix"] = confusion_matrix("confusion of boxes", matrix, target.names, ("true", "found"))
    return found
