"""Why a network says what it says of one input: plain values, to be drawn, printed and kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from litmus.config.types import Section

MOST_ERROR = 0.01  # of the difference that the parts should sum to
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """A part of a text, a row or a window.

    Attributes:
        name: the words, the column, or the step.
        shown: its value, where it has one.
        value: what it adds to the output; None for what the network does not see.
        column: of a step, that of the file.
    """

    name: str
    shown: str
    value: float | None
    column: str = ""


@dataclass(frozen=True)
class Heat:
    """How much each pixel counts.

    Attributes:
        method: that says so.
        values: float32 (height, width).
    """

    method: str
    values: Floats


@dataclass(frozen=True)
class Explanation:
    """What parts of one input add to one output of a network.

    Attributes:
        name: of the input.
        answer: the class, label, value or box whose output it is.
        prediction: of the network.
        output: for the input: of classes and labels before softmax or sigmoid, of values in the data's unit.
        reference: for the baseline.
        baseline: what the input is compared with, in words.
        method: by which the parts, or the first of the heats, were found.
        error: how far the parts' sum is from `output - reference`, as a fraction of it; None where they do not add up.
        kind: of the input: image, text, row or window.
        parts: of a text, a row or a window, in its order.
        heats: of an image.
        pixels: of an image as the network sees it, uint8 (height, width, 1 or 3).
        box: of a detection, in pixels of that image: left, top, right, bottom.
        truth: the class of a test sample; empty where it is not known.
        notes: what is odd about the input.
    """

    name: str
    answer: str
    prediction: Section
    output: float
    reference: float
    baseline: str
    method: str
    error: float | None
    kind: Literal["image", "text", "row", "window"] = "image"
    parts: Sequence[Part] = ()
    heats: Sequence[Heat] = ()
    pixels: NDArray[np.uint8] | None = None
    box: tuple[float, ...] | None = None
    truth: str = ""
    notes: Sequence[str] = field(default=())

    @property
    def said(self) -> str:
        """What the figures add up to, in a sentence."""
        rise = self.output - self.reference
        if self.error is None:
            return f"The output is {self.output:.4g}."
        more = "more" if rise >= 0 else "less"
        begin = (
            f"The output is {self.output:.4g}, {abs(rise):.4g} {more} than that of {self.baseline}; that is what the "
            "parts add."
        )
        if self.error <= MOST_ERROR:
            return begin
        return f"{begin} They miss it by {self.error:.0%}: do not read small ones."

    def to_plain(self) -> Section:
        """Its keys in JSON; heats as lists of rows."""
        plain: Section = {
            "input": self.name,
            "answer": self.answer,
            "prediction": {key: value for key, value in self.prediction.items() if key not in ("image", "text")},
            "method": self.method,
            "output": self.output,
        }
        if self.error is not None:
            plain |= {"baseline": self.baseline, "reference": self.reference, "error": self.error}
        if self.parts:
            plain["parts"] = [{"name": own.name, "shown": own.shown, "value": own.value} for own in self.parts]
        if self.heats:
            plain["heats"] = {own.method: np.round(own.values.astype(float), 5).tolist() for own in self.heats}
        if self.box is not None:
            plain["box"] = list(self.box)
        if self.notes:
            plain["note"] = "; ".join(self.notes)
        return plain


@dataclass(frozen=True)
class Importance:
    """Of a column.

    Attributes:
        name: of the column.
        mean: how much the metric gets worse, in the mean of the shuffles.
        deviation: its standard deviation over the shuffles.
    """

    name: str
    mean: float
    deviation: float


@dataclass(frozen=True)
class Importances:
    """Of all columns, the most important first.

    Attributes:
        metric: that gets worse.
        value: of the rows as they are.
        rows: how many there were.
    """

    metric: str
    value: float
    rows: int
    columns: Sequence[Importance]


@dataclass(frozen=True)
class Explanations:
    """Of a run's own test samples.

    Attributes:
        samples: some of them.
        importances: of the columns of a table; None of other data.
    """

    samples: Sequence[Explanation]
    importances: Importances | None


@dataclass(frozen=True)
class Unit:
    """A unit of a layer, or a filter of a convolution.

    Attributes:
        number: counted from 0.
        images: the places of the samples that excite it most, the most first.
        outputs: what it gives for each of them, the largest of its map.
        centers: where in each, as fractions of its height and width; none of a unit that sees the whole image.
    """

    number: int
    images: list[int]
    outputs: list[float]
    centers: list[tuple[float, float]]
