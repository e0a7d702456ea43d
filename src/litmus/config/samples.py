"""Test samples of a run as its network receives them: what `run/samples.py` gives, and explanations read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from litmus.config.protocols import Data, Net

if TYPE_CHECKING:
    from torch import Tensor


MOST_SAMPLES = 2_000  # of the test split, among which mistakes are looked for, and what excites a unit


@dataclass(frozen=True)
class Samples:
    """Some samples of the test split.

    Attributes:
        data: of the run, prepared.
        net: with the run's best weights, on the CPU, in evaluation mode.
        inputs: in batches, as evaluation reads them: a batch of texts is as long as its longest.
        numbers: of the samples, as `Data.sample` and `Data.targets` count them, int64 (samples,).
    """

    data: Data
    net: Net
    inputs: "list[Tensor]"
    numbers: "Tensor"

    def input(self, place: int) -> "Tensor":
        """That of a sample, by its place in `numbers`: (1, ...)."""
        for batch in self.inputs:
            if place < len(batch):
                return batch[place : place + 1].clone()  # no tensor of inference, whose gradients are refused
            place -= len(batch)
        raise IndexError(place)
