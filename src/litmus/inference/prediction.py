"""What `litmus predict` says of an image, a text or a row of a table: the keys of its JSON.

`probabilities` are a network's own estimates, the softmax of its outputs. A network that was not trained to estimate
any, such as the perceptron, has `scores` instead: its outputs, unbounded, of which only the order means something.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Required, TypedDict

from litmus.config.protocols import Net
from litmus.spec import Boxes, Values

if TYPE_CHECKING:
    from torch import Tensor


TOPK, MIN_SCORE = 5, 0.25  # classes that are shown; the lowest score of a box where the run chose none

Figures = Literal["probabilities", "scores", "values"]  # what a network says of each class or value
Key = Literal[Figures, "boxes"]


class Box(TypedDict):
    """A bounding box: `box` is left, top, right, bottom in the image's own pixels; `score` is in [0, 1]."""

    label: str
    score: float
    box: list[float]


class RowPrediction(TypedDict, total=False):
    """A class with the best probabilities or scores, the best first; or values in the data's unit."""

    label: str
    probabilities: dict[str, float]
    scores: dict[str, float]
    values: dict[str, float]
    note: str


class ImagePrediction(RowPrediction, total=False):
    """The same for an image, or its boxes, the best first; or why there is none (`error`).

    `drawn` is the file with the boxes drawn on the image, `input` that of the image as the network saw it.
    """

    image: Required[str]
    boxes: list[Box]
    drawn: str
    input: str
    error: str


class TextPrediction(RowPrediction, total=False):
    """The same for a text; of an empty one only a `note`."""

    text: Required[str]


def key_of(net: Net) -> Key:
    """What a network's predictions hold."""
    if isinstance(net.spec.target, Boxes):
        return "boxes"
    if isinstance(net.spec.target, Values):
        return "values"
    return "probabilities" if net.predicts_probabilities else "scores"


def figures_of(net: Net, outputs: "Tensor") -> tuple[Figures, "Tensor"]:
    """What a network says of the classes or values: the key of a prediction, and float32 (batch, names).

    Args:
        net: its target are classes or values.
        outputs: of the network, float (batch, names).
    """
    import torch

    target = net.spec.target
    if isinstance(target, Values):
        return "values", outputs.float() * torch.tensor(target.std) + torch.tensor(target.mean)
    if net.predicts_probabilities:
        return "probabilities", outputs.float().softmax(dim=1)
    return "scores", outputs.float()


def named(key: Figures, figures: "Tensor", names: Sequence[str], topk: int) -> list[RowPrediction]:
    """A prediction for each row: all values; or the best classes, the first of equal ones first.

    Args:
        key: as `figures_of` gives it.
        figures: float (batch, names).
        names: of the classes or values.
        topk: how many classes.
    """
    if key == "values":
        return [{"values": dict(zip(names, own, strict=True))} for own in figures.tolist()]
    best = figures.sort(dim=1, descending=True, stable=True)
    rows = zip(best.indices[:, :topk].tolist(), best.values[:, :topk].tolist(), strict=True)
    own = [{names[i]: value for i, value in zip(numbers, values, strict=True)} for numbers, values in rows]
    if key == "probabilities":
        return [{"label": next(iter(each)), "probabilities": each} for each in own]
    return [{"label": next(iter(each)), "scores": each} for each in own]


def lowest_score(net: Net) -> float:
    """The score from which a box counts: the one that the run chose on its validation split, else `MIN_SCORE`."""
    return MIN_SCORE if net.min_score is None else net.min_score
