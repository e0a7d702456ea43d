"""What `litmus predict` says of an image or a text: the keys of its JSON.

`probabilities` are a network's own estimates, the softmax of its outputs. A network that was not trained to estimate
any, such as the perceptron, has `scores` instead: its outputs, unbounded, of which only the order means something.
"""

from typing import TYPE_CHECKING, Literal, Required, TypedDict

from litmus.config.protocols import Net

if TYPE_CHECKING:
    from torch import Tensor


TOPK, MIN_SCORE = 5, 0.25  # classes of an image that are shown; the lowest score of a box where the run chose none


class Box(TypedDict):
    """A bounding box: `box` is left, top, right, bottom in the image's own pixels; `score` is in [0, 1]."""

    label: str
    score: float
    box: list[float]


class ImagePrediction(TypedDict, total=False):
    """A class with the best probabilities or scores, or boxes, the best first; or why there is none (`error`).

    `drawn` is the file with the boxes drawn on the image, `input` that of the image as the network saw it.
    """

    image: Required[str]
    label: str
    probabilities: dict[str, float]
    scores: dict[str, float]
    boxes: list[Box]
    drawn: str
    input: str
    note: str
    error: str


class TextPrediction(TypedDict, total=False):
    """A class with the probabilities or scores of all, or values in the data's unit; of an empty text only a `note`."""

    text: Required[str]
    label: str
    probabilities: dict[str, float]
    scores: dict[str, float]
    values: dict[str, float]
    note: str


def class_figures(net: Net, outputs: "Tensor") -> tuple[Literal["probabilities", "scores"], "Tensor"]:
    """What a network says of the classes: the key of a prediction, and float32 (batch, classes).

    Args:
        net: its target are classes.
        outputs: of the network, float (batch, classes).
    """
    if net.predicts_probabilities:
        return "probabilities", outputs.float().softmax(dim=1)
    return "scores", outputs.float()


def lowest_score(net: Net) -> float:
    """The score from which a box counts: the one that the run chose on its validation split, else `MIN_SCORE`."""
    return MIN_SCORE if net.min_score is None else net.min_score
