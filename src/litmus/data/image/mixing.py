"""mixup and CutMix: training images that are made of two, and whose targets are shares of two classes."""

from collections.abc import Callable

import torch
from torch import Tensor

from litmus.data._ahead import moved
from litmus.data._loader import Batching, BatchLoader, Stored, Transform

# From images, as many others, both float (batch, channels, height, width), and three numbers in [0, 1) for each, to the
# mixed images and the first ones' shares, (batch,).
Mix = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class MixingLoader(BatchLoader):
    """Batches in which each image is mixed with the next one of the epoch's order.

    Random numbers are drawn for the whole batch, and the next image of a process' last one is the next process' first:
    a step is the same, whatever the number of processes. The epoch's last image is mixed with its first.

    Args:
        inputs: see `BatchLoader`; the transform gives all images one size.
        targets: class numbers, int64 (samples,).
        transform: see `BatchLoader`.
        batching: see `BatchLoader`; of training.
        mix: of two images.
        num_classes: their number. Each batch's targets are shares of them, float32 (batch, classes).
    """

    def __init__(
        self, inputs: Stored, targets: Tensor, transform: Transform, batching: Batching, *, mix: Mix, num_classes: int
    ) -> None:
        super().__init__(inputs, targets, transform, batching)
        self.mix = mix
        self.num_classes = num_classes

    def _order(self, generator: torch.Generator) -> Tensor | None:
        order = super()._order(generator)
        assert order is not None
        return torch.cat([order, order[:1]])

    def _rows(self, order: Tensor | None, first: int, last: int) -> Tensor | slice:
        return super()._rows(order, first, last + 1)

    def _batch(self, rows: Tensor | slice, batch_size: int, within: slice) -> tuple[Tensor, Tensor]:
        images, numbers = super()._batch(rows, batch_size + 1, slice(within.start, within.stop + 1))
        drawn = moved(torch.rand(3, batch_size, generator=self.generator)[:, within], images.device)
        mixed, share = self.mix(images[:-1], images[1:], drawn)
        classes = torch.zeros(len(numbers), self.num_classes, device=numbers.device)
        classes.scatter_(1, numbers[:, None], 1.0)
        return mixed, torch.lerp(classes[1:], classes[:-1], share[:, None])


def mixup(images: Tensor, others: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """A weighted mean of both (Zhang et al. 2018), the weight uniform: their Beta distribution with alpha = 1."""
    share = drawn[0]
    return torch.lerp(others, images, share[:, None, None, None]), share


def cutmix(images: Tensor, others: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """A rectangle of the other image is pasted, of the image's shape, anywhere (Yun et al. 2019, with alpha = 1).

    What is beyond the edge is cut off; the share is that of the pixels that remain.
    """
    half = (1 - drawn[0]).sqrt() / 2
    in_rows, in_columns = (_around(size, half, drawn[i]) for i, size in enumerate(images.shape[2:], 1))
    pasted = in_rows[:, :, None] & in_columns[:, None, :]
    return torch.where(pasted[:, None], others, images), 1 - pasted.float().mean(dim=(1, 2))


def _around(size: int, half: Tensor, place: Tensor) -> Tensor:
    """Which pixels of a side are at most a part `half` of it away from a random one, bool (batch, size)."""
    center, reach = ((each * size).floor()[:, None] for each in (place, half))
    pixels = torch.arange(size, device=half.device)
    return (pixels >= center - reach) & (pixels < center + reach)


MIXES: dict[str, Mix] = {"mixup": mixup, "cutmix": cutmix}
