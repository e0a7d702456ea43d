"""What `litmus predict` says of an image or a text: the keys of its JSON.

`probabilities` are a network's own estimates: of classes the softmax of its outputs, of labels the sigmoid of each. A
network that was not trained to estimate any, such as the perceptron, has `scores` instead: its outputs, unbounded, of
which only the order means something, and of labels the sign.
"""

from typing import TYPE_CHECKING, Literal, Required, TypedDict

from litmus.config.protocols import Net
from litmus.spec import Labels, Target, Values

if TYPE_CHECKING:
    from torch import Tensor


LIKELY = 0.5  # the probability above which a label is predicted
TOPK, MIN_SCORE = 5, 0.25  # classes of an image that are shown; the lowest score of a box where the run chose none


Figures = Literal["probabilities", "scores", "values"]


class Box(TypedDict):
    """A bounding box: `box` is left, top, right, bottom in the image's own pixels; `score` is in [0, 1]."""

    label: str
    score: float
    box: list[float]


class ImagePrediction(TypedDict, total=False):
    """A class with the best probabilities or scores, labels with theirs, values in the data's unit, or boxes.

    The best come first; `error` says why there is none.

    `drawn` is the file with the boxes drawn on the image, `input` that of the image as the network saw it.
    """

    image: Required[str]
    label: str
    labels: list[str]
    probabilities: dict[str, float]
    scores: dict[str, float]
    values: dict[str, float]
    boxes: list[Box]
    drawn: str
    input: str
    note: str
    error: str


class TextPrediction(TypedDict, total=False):
    """A class or labels with the probabilities or scores of all, or values in the data's unit.

    Of an empty text there is only a `note`.
    """

    text: Required[str]
    label: str
    labels: list[str]
    probabilities: dict[str, float]
    scores: dict[str, float]
    values: dict[str, float]
    note: str


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


def say(prediction: ImagePrediction | TextPrediction, key: Figures, named: dict[str, float], target: Target) -> None:
    """Adds to a prediction what follows from the figures: the class, or the labels above the threshold."""
    if isinstance(target, Labels):
        threshold = LIKELY if key == "probabilities" else 0.0
        prediction["labels"] = [name for name, figure in named.items() if figure > threshold]
    elif key != "values":
        prediction["label"] = max(named, key=named.__getitem__)


def lowest_score(net: Net) -> float:
    """The score from which a box counts: the one that the run chose on its validation split, else `MIN_SCORE`."""
    return MIN_SCORE if net.min_score is None else net.min_score
