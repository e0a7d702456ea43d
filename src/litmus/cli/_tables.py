"""Predictions as tables on the screen."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from litmus import console

if TYPE_CHECKING:
    from litmus.inference.prediction import ImagePrediction, TextPrediction

MAX_CHARACTERS = 60  # of a text
FEW_NAMES = 5  # that are columns of their own
Cell = str | float


def show_images(predictions: Sequence["ImagePrediction"]) -> None:
    """A row for each class, label, value or box of each image."""
    boxes, values = (any(key in prediction for prediction in predictions) for key in ("boxes", "values"))
    figure = "score" if boxes or any("scores" in prediction for prediction in predictions) else "probability"
    named = ["name", "value"] if values else ["label", figure]
    columns = ["image", *named, *(["left  top  right  bottom"] if boxes else [])]
    rows: list[tuple[Cell, ...]] = []
    for prediction in predictions:
        own = _box_rows(prediction) if boxes else _class_rows(prediction)
        for i, row in enumerate(own):
            rows.append((prediction["image"] if i == 0 else "", *row, prediction.get("note", "") if i == 0 else ""))
    if rows:
        _show(columns, rows)


def _box_rows(prediction: "ImagePrediction") -> list[tuple[Cell, ...]]:
    if "boxes" not in prediction:  # it could not be read
        return []
    rows: list[tuple[Cell, ...]] = [
        (box["label"], box["score"], "  ".join(f"{edge:.0f}" for edge in box["box"])) for box in prediction["boxes"]
    ]
    return rows or [("nothing", "", "")]


def _class_rows(prediction: "ImagePrediction") -> list[tuple[Cell, ...]]:
    figures = prediction.get("probabilities") or prediction.get("scores") or prediction.get("values") or {}
    chosen = prediction.get("labels", ())  # of which there may be none, or several: the others stand below
    return [(f"{name} *" if name in chosen else name, figure) for name, figure in figures.items()]


def show_texts(predictions: Sequence["TextPrediction"], names: Sequence[str]) -> None:
    """A row for each text, with a column for each name; where there are many, a row for each of the best classes.

    Args:
        predictions: of the texts.
        names: of all classes or values.
    """
    ranked = [prediction.get("probabilities") or prediction.get("scores") or {} for prediction in predictions]
    if any(own and (len(names) > FEW_NAMES or len(own) < len(names)) for own in ranked):
        figure = "score" if any("scores" in prediction for prediction in predictions) else "probability"
        _show_best(["text", "label", figure], predictions, ranked)
        return
    figures = [own or prediction.get("values") or {} for own, prediction in zip(ranked, predictions, strict=True)]
    labeled = any("label" in prediction or "labels" in prediction for prediction in predictions)
    rows: list[tuple[Cell, ...]] = []
    for prediction, own in zip(predictions, figures, strict=True):
        label = [prediction.get("label") or ", ".join(prediction.get("labels", ()))] if labeled else []
        rows.append((_cut(prediction["text"]), *label, *(own.get(n, "") for n in names), prediction.get("note", "")))
    _show(["text", *(["label"] if labeled else []), *names], rows)


def _show_best(
    columns: Sequence[str], predictions: Sequence["TextPrediction"], ranked: Sequence[Mapping[str, float]]
) -> None:
    rows: list[tuple[Cell, ...]] = []
    for prediction, own in zip(predictions, ranked, strict=True):
        cells: list[tuple[Cell, Cell]] = [*own.items()] or [("", "")]
        for i, (label, figure) in enumerate(cells):
            head, note = (_cut(prediction["text"]), prediction.get("note", "")) if i == 0 else ("", "")
            chosen = label in prediction.get("labels", ())  # of labels there may be none, or several
            rows.append((head, f"{label} *" if chosen else label, figure, note))
    _show(columns, rows)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 3] + "..."


def _show(columns: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> None:
    """A table; the last value of each row is a note, shown if any row has one."""
    if any(row[-1] for row in rows):
        console.table([*columns, "note"], rows)
    else:
        console.table(columns, [row[:-1] for row in rows])
