"""What result.json and two CSV files say of each class: the confusion matrix, precision, recall, average precision."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.page.confusion import BACKGROUND
from litmus.report.detection import average_precisions, confusion_of
from litmus.report.numbers import Confusion
from litmus.report.outputs import Outputs
from litmus.spec import Boxes, Classes

CONFUSION = "confusion.csv"  # of each pair of classes how often the one was taken for the other
OF_BOXES = ["true", "found", "count"]  # the head of a detector's
MOST_CLASSES = 100  # whose whole matrix result.json has
MOST_PAIRS = 100  # of confused classes, of more


def facts(outputs: Outputs, net: Net) -> Section:
    """For result.json: `confusion`, and of a detector `average_precision`.

    `confusion` is a list of rows of true classes, each a list of how often it was taken for each; of more than 100
    classes, the 100 most frequent mistakes, as {"true", "predicted", "count"}. `average_precision` has of each class
    `map` and `map50`, and its `confusion` one row and one column more, the background.
    """
    names = net.spec.target.names
    if isinstance(net.spec.target, Classes) and len(outputs.true):
        confusion = Confusion(outputs.true, outputs.predicted, len(names))
        if len(names) <= MOST_CLASSES:
            return {"confusion": confusion.matrix.tolist()}
        worst = confusion.worst(MOST_PAIRS)
        return {"confusion": [{"true": names[t], "predicted": names[p], "count": n} for n, t, p in worst]}
    if isinstance(net.spec.target, Boxes) and outputs.boxes:
        found = average_precisions(outputs.boxes)
        average = {names[i]: {"map": own[0], "map50": own[1]} for i, own in found.items()}
        matrix = confusion_of(outputs.boxes, net)
        return {"average_precision": average} | ({"confusion": matrix.tolist()} if len(names) <= MOST_CLASSES else {})
    return {}


def files(outputs: Outputs, net: Net) -> dict[str, str]:
    """confusion.csv and per_class.csv, by name; none for values."""
    names = net.spec.target.names
    if isinstance(net.spec.target, Classes) and len(outputs.true):
        confusion = Confusion(outputs.true, outputs.predicted, len(names))
        rows = zip(confusion.true, confusion.predicted, confusion.counts, strict=True)
        kinds = (confusion.occurring, confusion.precision, confusion.recall, confusion.f1)
        each = [[name, *(_cell(own[i]) for own in kinds)] for i, name in enumerate(names)]
        return {
            CONFUSION: _csv(["true", "predicted", "count"], [[names[t], names[p], str(n)] for t, p, n in rows]),
            "per_class.csv": _csv(["class", "samples", "precision", "recall", "f1"], each),
        }
    if isinstance(net.spec.target, Boxes) and outputs.boxes:
        true = np.concatenate([own[:, 0] for _, own in outputs.boxes]).astype(np.int64)
        counts, found = np.bincount(true, minlength=len(names)), average_precisions(outputs.boxes)
        each = [[names[i], str(counts[i]), *map(_cell, own)] for i, own in found.items()]
        matrix, every = confusion_of(outputs.boxes, net), [*names, BACKGROUND]
        pairs = [[every[i], every[j], str(matrix[i, j])] for i, j in zip(*np.nonzero(matrix), strict=True)]
        return {
            CONFUSION: _csv(OF_BOXES, pairs),
            "per_class.csv": _csv(["class", "boxes", "map", "map50"], each),
        }
    return {}


def mistakes(folder: Path) -> list[tuple[str, int]]:
    """What was taken for something else in a run's test, in words, and how often; the most frequent first.

    Args:
        folder: of the run; one without the file, such as a run of numbers has, or with a damaged one, has none.
    """
    try:
        with (folder / CONFUSION).open(encoding="utf-8", newline="") as file:
            head, *lines = csv.reader(file)
            rows = [(true, found, int(number)) for true, found, number in lines]
    except (OSError, ValueError):
        return []
    worst = sorted((row for row in rows if row[0] != row[1]), key=lambda row: -row[2])
    return [(_mistake(true, found, head == OF_BOXES), number) for true, found, number in worst]


def _mistake(true: str, found: str, is_box: bool) -> str:
    if not is_box:  # a class may be called background, too
        return f"{true} taken for {found}"
    if found == BACKGROUND:
        return f"{true} missed"
    return f"{found} found where none is" if true == BACKGROUND else f"{true} taken for {found}"


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
