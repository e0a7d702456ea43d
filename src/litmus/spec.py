"""What a dataset is: an input kind, and a target kind.

Datasets discover these facts from their data and pass them to networks and tasks; they are never
typed into a configuration. No torch here, so that any module may import it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

Kind = TypeVar("Kind")
Plain = dict[str, Any]  # plain dicts, lists, numbers and strings, whose types only the reader knows


@dataclass(frozen=True)
class Strokes:
    """What training images have in common that show strokes on black, all in one size and one place, as MNIST's digits.

    Attributes:
        height: of an image as the dataset stores it, in pixels.
        width: of an image.
        size: the longer side of what is drawn, in pixels.
        center: y and x of its center of mass, in pixels from the top left corner.
        pen: the median width of a stroke, in pixels.
        lowest: of each of the `Statistics` in `data/image/strokes.py`; hardly any training image is below.
        highest: hardly any is above.
    """

    height: int
    width: int
    size: int
    center: tuple[float, ...]
    pen: float
    lowest: tuple[float, ...]
    highest: tuple[float, ...]


@dataclass(frozen=True)
class Images:
    """Images of one size, stored as uint8 in [0, 255].

    `mean` and `std` are per channel, of images scaled to [0, 1]: a network receives
    `(pixel / 255 - mean) / std` as float32 of shape (batch, channels, height, width). An image of another
    size is resized until its shorter side is `resized` pixels long, then center-cropped. If `resized` is 0, it is
    letterboxed: the whole image is fitted between gray bars, so that no box is lost. Before that, an image file is
    inverted, fitted and centered like the training images where those have `strokes` in common.

    A dataset that leaves the choice to the network has a height and width of 0, and an empty `mean` and `std`.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resized: int = 0
    strokes: Strokes | None = None
    noun = "images"


@dataclass(frozen=True)
class Tokens:
    """Texts as rows of int64 token numbers in [0, vocabulary_size), shape (batch, length).

    A row is padded with `padding` to the longest of its batch; that number does not occur within a text.
    `tokenizer` is a tokenizer of the `tokenizers` library, as JSON. Texts of more than `max_length` tokens are
    truncated. A dataset has no tokenizer: the network provides it, and until then `tokenizer` is empty.
    """

    vocabulary_size: int = 0
    padding: int = 0
    max_length: int = 0
    tokenizer: str = field(default="", repr=False)
    noun = "tokens"


@dataclass(frozen=True)
class Series:
    """Windows of a time series: float32 of shape (batch, length, features).

    `mean` and `std` are per feature, of the training split: a network receives `(value - mean) / std`.
    """

    length: int
    features: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    noun = "series"


@dataclass(frozen=True)
class Classes:
    """One class out of several: targets are int64 numbers, indices into `names`."""

    names: tuple[str, ...]
    noun = "classes"


@dataclass(frozen=True)
class Values:
    """Real numbers: targets are float32 of shape (batch, len(names)), `(value - mean) / std`.

    `mean` and `std` are per value, of the training targets in the data's own unit. A network predicts on
    the standardized scale.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    noun = "values"


@dataclass(frozen=True)
class Boxes:
    """Bounding boxes in an image, each of one class out of `names`.

    Targets are float32 of shape (batch, most boxes of an image, 5): number of the class, then center x and y,
    width and height, as fractions of the image's width and height. Unused rows have class -1.
    """

    names: tuple[str, ...]
    noun = "boxes"


Input = Images | Tokens | Series
Target = Classes | Values | Boxes
_INPUTS: dict[str, Callable[..., Input]] = {"Images": Images, "Tokens": Tokens, "Series": Series}
_TARGETS: dict[str, Callable[..., Target]] = {"Classes": Classes, "Values": Values, "Boxes": Boxes}


@dataclass(frozen=True)
class Spec:
    """A dataset's facts; `data` is its name on the command line, after `data=`."""

    data: str
    input: Input
    target: Target

    def to_plain(self) -> Plain:
        """Plain dicts, lists and numbers, so that a checkpoint loads with `weights_only=True`."""
        return {
            "data": self.data,
            "input": _to_plain(self.input),
            "target": _to_plain(self.target),
        }

    @classmethod
    def from_plain(cls, plain: Plain) -> "Spec":
        """The inverse of `to_plain`.

        Raises:
            KeyError: the kind of the input or the target does not exist.
        """
        return cls(plain["data"], _from_plain(_INPUTS, plain["input"]), _from_plain(_TARGETS, plain["target"]))


def _to_plain(kind: Input | Target) -> Plain:
    return {"kind": type(kind).__name__, **asdict(kind, dict_factory=_with_lists)}


def _with_lists(fields: list[tuple[str, Any]]) -> Plain:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields}


def _from_plain(kinds: dict[str, Callable[..., Kind]], plain: Plain) -> Kind:
    fields = _with_tuples(plain)
    if fields.get("strokes"):  # versions up to 0.1.0 did not look for them
        fields["strokes"] = Strokes(**_with_tuples(fields["strokes"]))
    return kinds[str(fields.pop("kind"))](**fields)


def _with_tuples(plain: Plain) -> Plain:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
