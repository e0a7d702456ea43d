"""A sample of a dataset as a person looks at it: `Data.sample` gives it, pages and pictures show it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNKNOWN, CUT = "unknown", "cut"


class Piece(NamedTuple):
    """A piece of a text.

    Attributes:
        text: of the piece; all pieces in order are the whole text.
        kind: `UNKNOWN` for what the tokenizer does not know, `CUT` for what the network does not get, or empty.
    """

    text: str
    kind: str


@dataclass(frozen=True)
class Sample:
    """What there is to see of a sample; what it does not have is None or empty.

    Attributes:
        image: as it is stored, uint8 (height, width, channels).
        text: its pieces, what the network does not know or get apart.
        cells: of a row that the network sees, the column's name and the value.
        past: what comes before a forecast, float64 (values,), in the data's unit.
        row: of a forecast, the number of its first value in the series.
        date: of that value.
        name: where it comes from: a file, or the group of a series.
    """

    image: "NDArray[np.uint8] | None" = None
    text: tuple[Piece, ...] = ()
    cells: tuple[tuple[str, str | float], ...] = ()
    past: "NDArray[np.float64] | None" = None
    row: int = 0
    date: str = ""
    name: str = ""
