"""What a dataset is: an input kind, and a target kind.

Datasets discover these facts from their data and hand them to networks and tasks; nobody types
them into a configuration. No torch here, so that anything may import it.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Images:
    """Pictures of one size, stored as uint8 in [0, 255].

    `mean` and `std` are per channel, of pictures scaled to [0, 1]: a network receives
    `(pixel / 255 - mean) / std` as float32 of shape (batch, channels, height, width). A photo of any
    size becomes one of that size by `resized`: its shorter side is made that long, then the middle is
    cut out; with 0 the whole of it is fitted in, bars to its sides, so that no box is lost.

    A dataset that leaves the choice to the network gives a size of 0, and no mean and deviation.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resized: int = 0
    noun = "images"


@dataclass(frozen=True)
class Tokens:
    """Texts as rows of int64 token numbers in [0, vocabulary_size), shape (batch, length).

    A row ends in `padding` where it is shorter than the longest of its batch; within a text that number does not occur.
    `tokenizer` is what turns a text into numbers: a tokenizer of the `tokenizers` library, as JSON. Texts of more
    than `max_length` tokens are cut. A dataset knows no tokenizer of its own: the network brings it, and until
    then `tokenizer` is empty.
    """

    vocabulary_size: int = 0
    padding: int = 0
    max_length: int = 0
    tokenizer: str = field(default="", repr=False)
    noun = "tokens"


@dataclass(frozen=True)
class Series:
    """Windows of a time series: float32 of shape (batch, length, features).

    `mean` and `std` are per feature, of the training part: a network receives `(value - mean) / std`.
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

    `mean` and `std` are per value, of the training targets in the data's own unit. A network answers in
    the same scale.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    noun = "values"


@dataclass(frozen=True)
class Boxes:
    """Boxes in a picture, each of one class out of `names`.

    Targets are float32 of shape (batch, most boxes of a picture, 5): number of the class, then centre x and y,
    width and height, as parts of the picture's width and height. Rows that are not needed have class -1.
    """

    names: tuple[str, ...]
    noun = "boxes"


Input = Images | Tokens | Series
Target = Classes | Values | Boxes
_KINDS = {kind.__name__: kind for kind in (Images, Tokens, Series, Classes, Values, Boxes)}


@dataclass(frozen=True)
class Spec:
    """A dataset's facts; `data` is the name one types after `data=`."""

    data: str
    input: Input
    target: Target

    def to_plain(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, so that a checkpoint loads with `weights_only=True`."""
        return {
            "data": self.data,
            "input": {"kind": type(self.input).__name__, **_listed(asdict(self.input))},
            "target": {"kind": type(self.target).__name__, **_listed(asdict(self.target))},
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Spec":
        """The inverse of `to_plain`; raises `KeyError` for a kind that does not exist."""
        return cls(plain["data"], _revived(plain["input"]), _revived(plain["target"]))


def _listed(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _revived(plain: dict[str, Any]) -> Any:
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    kind: Any = _KINDS[str(fields.pop("kind"))]
    return kind(**fields)
