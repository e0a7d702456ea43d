"""What a network makes of each place of a plane, or of a line, over the epochs: plain arrays, to be drawn and kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE, PLACES = 64, 256  # of the grid: in each direction of a plane, and on a line
MOST_CLASSES = 6  # as many as there are colors
MOST_SAMPLES = 300
MOST_UNITS = 16  # whose lines are drawn


@dataclass(frozen=True)
class Boundaries:
    """A network of two numbers and a class, or of one number and a value, over the epochs.

    Places lie on a grid, whose first coordinate changes fastest, from `low` to `high`; all are in the data's own units.

    Attributes:
        names: of the inputs: one or two.
        classes: their names; empty where the target is a value.
        target: the name of the value; empty where the target is a class.
        epochs: of which there is a picture, int64 (epochs,); 0 is before the training.
        outputs: of each place: probabilities of the classes in 255ths, uint8 (epochs, places, classes), or values,
            float32 (epochs, places, 1).
        units: of each hidden unit of the first layer the weights of its inputs and its bias, whose sum is 0 on
            a line; float64 (epochs, units, inputs + 1). No units where there is no such layer, or too
            many of them.
        low: the smallest coordinates, float64 (inputs,).
        high: the largest ones.
        inputs: of some training samples, float64 (samples, inputs).
        targets: their classes, or values, float64 (samples,).
    """

    names: Sequence[str]
    classes: Sequence[str]
    target: str
    epochs: NDArray[np.int64]
    outputs: NDArray[np.uint8] | NDArray[np.float32]
    units: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]

    @property
    def side(self) -> int:
        """Places beside each other."""
        places = self.outputs.shape[1]
        return round(places**0.5) if len(self.names) == 2 else places
