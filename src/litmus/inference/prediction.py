"""What `litmus predict` says of an image, a text or a row of a table: the keys of its JSON.

`probabilities` are a network's own estimates: of classes the softmax of its outputs, of labels the sigmoid of each. A
network that was not trained to estimate any, such as the perceptron, has `scores` instead: its outputs, unbounded, of
which only the order means something, and of labels the sign.
"""

from typing import TYPE_CHECKING, Literal, Required, TypedDict

from litmus.config.protocols import Net
from litmus.spec import Boxes, Labels, Values

if TYPE_CHECKING:
    from torch import Tensor


LIKELY = 0.5  # the probability above which a label is predicted
TOPK = 5  # classes that are shown

Figures = Literal["probabilities", "scores", "values"]  # what a network says of each class, label or value
Key = Literal[Figures, "boxes"]


class Box(TypedDict):
    """A bounding box: `box` is left, top, right, bottom in the image's own pixels; `score` is in [0, 1]."""

    label: str
    score: float
    box: list[float]


class RowPrediction(TypedDict, total=False):
    """A class or labels, with the best probabilities or scores, the best first; or values in the data's unit."""

    label: str
    labels: list[str]
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
    """What a network says of each name of its target: the key of a prediction, and float32 (batch, names).

    Args:
        net: whose target are classes, labels or values.
        outputs: of the network, float (batch, names).
    """
    target, outputs = net.spec.target, outputs.float()
    if isinstance(target, Values):
        return "values", outputs * outputs.new_tensor(target.std) + outputs.new_tensor(target.mean)
    if not net.predicts_probabilities:
        return "scores", outputs
    return "probabilities", outputs.sigmoid() if isinstance(target, Labels) else outputs.softmax(dim=1)


def predictions_of(net: Net, outputs: "Tensor", topk: int) -> list[RowPrediction]:
    """A prediction for each row: all values; or the best classes or labels, the first of equal ones first.

    Args:
        net: whose target are classes, labels or values.
        outputs: of the network, float (batch, names).
        topk: how many classes or labels have their figures in it.
    """
    key, figures = figures_of(net, outputs)
    target, names = net.spec.target, net.spec.target.names
    if key == "values":
        return [{"values": dict(zip(names, own, strict=True))} for own in figures.tolist()]
    best = figures.sort(dim=1, descending=True, stable=True)
    rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    threshold = LIKELY if key == "probabilities" else 0.0
    predictions: list[RowPrediction] = []
    for numbers, values in rows:
        own = {names[i]: value for i, value in zip(numbers[:topk], values[:topk], strict=True)}
        prediction: RowPrediction = {"probabilities": own} if key == "probabilities" else {"scores": own}
        if isinstance(target, Labels):
            chosen = sorted(i for i, value in zip(numbers, values, strict=True) if value > threshold)
            prediction["labels"] = [names[i] for i in chosen]
        else:
            prediction["label"] = names[numbers[0]]
        predictions.append(prediction)
    return predictions
