"""What `litmus predict` says of an image or a text: the keys of its JSON."""

from typing import Required, TypedDict


class Box(TypedDict):
    """A bounding box: `box` is left, top, right, bottom in the image's own pixels; `score` is in [0, 1]."""

    label: str
    score: float
    box: list[float]


class ImagePrediction(TypedDict, total=False):
    """A class with its probability, the likeliest first, or boxes, the best first; or why there is none (`error`)."""

    image: Required[str]
    label: str
    probabilities: dict[str, float]
    boxes: list[Box]
    drawn: str
    note: str
    error: str


class TextPrediction(TypedDict, total=False):
    """A class with the probabilities of all, or values in the data's unit; an empty text has neither, but a `note`."""

    text: Required[str]
    label: str
    probabilities: dict[str, float]
    values: dict[str, float]
    note: str
