"""What a network gave in the test: gathered batch by batch, as an observer of the task, within a bounded memory."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from litmus.config import protocols

if TYPE_CHECKING:
    from torch import Tensor

MOST = 20_000_000  # numbers that are kept: 80 MB
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Outputs:
    """Outputs and targets of test samples.

    Attributes:
        total: how many samples the test had.
        numbers: of the samples whose outputs are kept, in the dataset: int64 (kept,).
        outputs: as the task's observers get them, float64 (kept, outputs); empty for boxes.
        targets: the same: int64 (kept,), or (kept, outputs).
        predicted: of classes, the class with the largest output of every sample: int64 (total,).
        true: of classes, that of every sample: int64 (total,).
        boxes: of each image, those that were found, float64 (found, 6), and those that are there, float64 (boxes, 5).
    """

    total: int
    numbers: Ints
    outputs: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    targets: NDArray[np.generic] = field(default_factory=lambda: np.zeros(0))
    predicted: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    true: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    boxes: list[tuple[Floats, Floats]] = field(default_factory=list)


class Gathering:
    """An observer of a test.

    Of more samples than there is room for it keeps every second, third and so on; of classes, what is predicted and
    what is true of every sample.

    Args:
        data: that is tested.
        keeps_all: whether outputs are kept at all: a sweep's job needs only the numbers of its result.
    """

    def __init__(self, data: protocols.Data, keeps_all: bool = True) -> None:
        self.data, self.keeps_all = data, keeps_all
        self.total = 0
        self._size = 0  # of what is kept
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._numbers: list[Ints] = []
        self._classes: list[tuple[Tensor, Tensor]] = []
        self._boxes: list[tuple[Tensor, Tensor]] = []
        self._outputs: Outputs | None = None

    def __call__(self, outputs: protocols.Outputs, targets: protocols.Outputs) -> None:
        first, self.total = self.total, self.total + len(targets)
        if isinstance(outputs, list):
            self._keep_boxes(first, outputs, cast("list[Tensor]", targets))
            return
        assert not isinstance(targets, list)
        if targets.ndim == 1:
            self._classes.append((outputs.argmax(dim=1), targets))
        if not self.keeps_all:
            return
        every = max(1, -(-self.data.sizes["test"] * outputs.shape[1] // MOST))
        rows = slice(-first % every, None, every)
        copies = outputs[rows].clone(), targets[rows].clone()  # a view would hold the whole batch
        self._kept.append(copies)
        self._numbers.append(np.arange(first, self.total)[rows])

    def _keep_boxes(self, first: int, found: "list[Tensor]", ground_truth: "list[Tensor]") -> None:
        for number, pair in enumerate(zip(found, ground_truth, strict=True), start=first):
            self._size += sum(boxes.numel() for boxes in pair)
            if self._size <= MOST:
                self._boxes.append(pair)
                self._numbers.append(np.array([number]))

    def outputs(self) -> Outputs:
        """All that was kept, off the device."""
        if self._outputs is None:
            self._outputs = self._gathered()
        return self._outputs

    def _gathered(self) -> Outputs:
        numbers = np.concatenate([np.zeros(0, np.int64), *self._numbers])
        order = self.data.evaluation_order("test")
        if order is not None:
            numbers = order.numpy()[numbers]
        boxes = [(_floats(found), _floats(ground_truth)) for found, ground_truth in self._boxes]
        classes = [np.concatenate([each.cpu().numpy() for each in own]) for own in zip(*self._classes, strict=True)]
        if not self._kept:
            none = np.zeros(0, np.int64)
            predicted, true = classes or (none, none)
            return Outputs(self.total, numbers, predicted=predicted, true=true, boxes=boxes)
        outputs = np.concatenate([_floats(own) for own, _ in self._kept])
        targets = np.concatenate([own.cpu().numpy() for _, own in self._kept])
        predicted, true = classes or (np.zeros(0, np.int64),) * 2
        return Outputs(self.total, numbers, outputs, targets, predicted, true, boxes)


def _floats(tensor: "Tensor") -> Floats:
    return tensor.float().cpu().numpy().astype(np.float64)
