"""What a dataset is: an input kind, and a target kind.

Datasets discover these facts from their data and pass them to networks and tasks; they are never
typed into a configuration. No torch here, so that any module may import it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

IS_MISSING = " is missing"  # after a column's name: its indicator
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

    `mean` and `std` are per feature, of the training split: a network receives `(value - mean) / std`. The first
    feature is the series that is forecast. `scaling` is one of series, window, difference, seasonal and
    seasonal_difference: what a forecast is relative to (`model/_relative.py` has the formulas). A season is
    `period` values long. `columns` are the features' names: after those of the file come indicators of missing
    values, such as "sales is missing". The last `known` columns of the file are known ahead: a row has them of as many
    rows later as are forecast. `step` is from one row to the next, such as "month"; empty where there are no dates of a
    regular step. `group` is the column by which a file holds several series; empty where it holds one. With
    `known_per_step` the forecast of each step reads that step's known values (`model/_known_ahead.py`); networks of
    earlier versions read them row by row. In `thousands`, of `columns`, the point of 1.500 is no decimal one, in a file
    whose cells no commas separate.
    """

    length: int
    features: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scaling: str = "series"
    period: int = 1
    columns: tuple[str, ...] = ()
    step: str = ""
    known: int = 0
    group: str = ""
    known_per_step: bool = False
    thousands: tuple[str, ...] = ()
    noun = "series"

    @property
    def raw(self) -> tuple[str, ...]:
        """The columns of the file; those of a series without names are numbered."""
        named = self.columns or tuple(f"column_{number}" for number in range(1, self.features + 1))
        return named[: len(named) - len(self.indicated)]

    @property
    def indicated(self) -> tuple[int, ...]:
        """The numbers of the columns that have an indicator."""
        found: list[int] = []
        for name in reversed(self.columns):
            column = name.removesuffix(IS_MISSING)
            if column == name or column not in self.columns:
                break
            found.insert(0, self.columns.index(column))
        return tuple(found)


@dataclass(frozen=True)
class Number:
    """A column of numbers, of the training split's facts: a network receives `(value - mean) / std`.

    Where there are `quantiles`, a network receives the normal distribution's value at the rank that the value has among
    them instead. A missing value counts as `fill`, the median. Where training rows lack it (`missing`), a second number
    says so: 1 for a missing value, 0 for another. Of a column of yes and no, `words` are those for 0 and for 1. With
    `thousands` the point of 1.500 is no decimal one, in a file whose cells no commas separate.
    """

    name: str
    mean: float
    std: float
    fill: float
    missing: bool
    quantiles: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    thousands: bool = False


@dataclass(frozen=True)
class Date:
    """A column of dates: days since 1970 as a `Number`, and a sine and a cosine for each of its `cycles`.

    `cycles` are those of "year", "week" and "day" on which training rows differ; `format` is strftime's, empty for
    dates that a file holds as such. Sines and cosines of a missing date are 0.
    """

    days: Number
    format: str
    cycles: tuple[str, ...]


@dataclass(frozen=True)
class Category:
    """A column of categories: a network receives a value's number, from 1; 0 is for missing and unknown ones."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """Rows of a table: float32 of shape (batch, num_numbers + len(categories)).

    First the numbers of `numbers`, then those of `dates`, standardized, then the number of each category: a whole
    number, which float32 holds exactly below 2**24. Column names are those of the table.
    """

    numbers: tuple[Number, ...] = ()
    dates: tuple[Date, ...] = ()
    categories: tuple[Category, ...] = ()
    noun = "columns"

    @property
    def num_numbers(self) -> int:
        """How many numbers a row has before its categories."""
        own = [1 + column.missing for column in self.numbers]
        return sum(own) + sum(1 + date.days.missing + 2 * len(date.cycles) for date in self.dates)

    def by_name(self) -> dict[str, Number | Date | Category]:
        """Each column, by its name in the table."""
        named: dict[str, Number | Date | Category] = {number.name: number for number in self.numbers}
        named |= {date.days.name: date for date in self.dates}
        return named | {category.name: category for category in self.categories}


@dataclass(frozen=True)
class Classes:
    """One class out of several: targets are int64 numbers, indices into `names`."""

    names: tuple[str, ...]
    noun = "classes"


@dataclass(frozen=True)
class Labels:
    """Any number of several labels, none among them: targets are uint8 of shape (batch, len(names)), 1 for each label.

    A network predicts a logit for each label.
    """

    names: tuple[str, ...]
    noun = "labels"


@dataclass(frozen=True)
class Values:
    """Real numbers: targets are float32 of shape (batch, len(names)), `(value - mean) / std`.

    `mean` and `std` are per value, of the training targets in the data's own unit; of a series that is differenced,
    `std` is that of the differences. A network predicts on the standardized scale.
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


Input = Images | Tokens | Series | Columns
Target = Classes | Labels | Values | Boxes
_PARTS = (Strokes, Number, Date, Category)
_KINDS: dict[str, Callable[..., object]] = {
    kind.__name__: kind for kind in (Images, Tokens, Series, Columns, *_PARTS, Classes, Labels, Values, Boxes)
}


@dataclass(frozen=True)
class Spec:
    """A dataset's facts; `data` is its name on the command line, after `data=`."""

    data: str
    input: Input
    target: Target

    def to_plain(self) -> Plain:
        """Plain dicts, lists and numbers, so that a checkpoint loads with `weights_only=True`."""
        return {"data": self.data, "input": _to_plain(self.input), "target": _to_plain(self.target)}

    @classmethod
    def from_plain(cls, plain: Plain) -> "Spec":
        """The inverse of `to_plain`.

        Raises:
            KeyError: a kind does not exist.
            TypeError: what is given as an input or a target is none.
        """
        read, target = _from_plain(plain["input"]), _from_plain(plain["target"])
        if not isinstance(read, Input) or not isinstance(target, Target):
            raise TypeError(f"{type(read).__name__} and {type(target).__name__} are no input and target")
        return cls(plain["data"], read, target)


def _to_plain(value: object) -> object:
    """A kind as a dict that names it, a tuple as a list, whatever they hold."""
    if isinstance(value, tuple):
        return [_to_plain(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        own = {each.name: _to_plain(getattr(value, each.name)) for each in fields(value)}
        return {"kind": type(value).__name__, **own}
    return value


def _from_plain(plain: object) -> object:
    if isinstance(plain, list):
        return tuple(_from_plain(each) for each in plain)
    if isinstance(plain, dict):
        own = {name: _from_plain(value) for name, value in plain.items()}
        return _KINDS[str(own.pop("kind"))](**own)
    return plain
