"""Pictures with boxes: stored as pixels and rows, given to a detector normalised, in training mirrored and mixed."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from litmus.config.protocols import Split
from litmus.data._base import Data
from litmus.data._loader import Batching, BatchLoader, Stored, Transform, select
from litmus.data.image.base import Normalise, on_device
from litmus.spec import Images

VISIBLE = 0.2  # of a box's area, that must be left in a mosaic's window
COLUMNS = 5  # of a box: class, centre x and y, width, height


class BoxData(Data):
    """A dataset of pictures with boxes.

    `mosaic` is how likely a training picture is one of four in a window that shows a part of them (Bochkovskiy et
    al. 2020), `flip` how likely it is mirrored.
    """

    def __init__(self, seed: int, batch_size: int, eval_batch_size: int, mosaic: float, flip: float) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.mosaic = mosaic
        self.flip = flip

    @abstractmethod
    def stored(self, part: Split) -> tuple[Any, Tensor]:
        """Pixels, uint8 (samples, channels, height, width), and boxes, float32 (samples, most, 5), see `spec.Boxes`."""

    def _loader(self, part: Split) -> BatchLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, Images)
        device = self.trainer.strategy.root_device
        pixels, targets = self.stored(part)
        pixels = on_device(pixels, device)
        training = part == "train"
        return BoxLoader(
            pixels,
            targets.to(pixels.device),
            Normalise(self.spec.input, None, device),
            self._batching(part),
            mosaic=self.mosaic if training else 0.0,
            flip=self.flip if training else 0.0,
        )


class BoxLoader(BatchLoader):
    """Batches in which pictures and boxes are moved together.

    Args:
        mosaic: see `BoxData`.
        flip: likewise.
    """

    def __init__(
        self, inputs: Stored, targets: Tensor, transform: Transform, batching: Batching, *, mosaic: float, flip: float
    ) -> None:
        super().__init__(inputs, targets, transform, batching)
        self.mosaic = mosaic
        self.flip = flip

    def _batch(self, rows: Tensor | slice, batch_size: int, within: slice) -> tuple[Tensor, Tensor]:
        if not self.mosaic and not self.flip:
            return super()._batch(rows, batch_size, within)
        inputs, targets = select(self.inputs, rows).float(), select(self.targets, rows)
        if self.mosaic:
            inputs, targets = self._with_mosaics(inputs, targets, batch_size, within)
        if self.flip:
            mirrored = torch.rand(batch_size, generator=self.generator)[within] < self.flip
            inputs, targets = flip(inputs, targets, mirrored.to(inputs.device))
        return self.transform(inputs, self.generator, batch_size, within), targets

    def _with_mosaics(self, inputs: Tensor, targets: Tensor, batch_size: int, within: slice) -> tuple[Tensor, Tensor]:
        """Some of the pictures as mosaics with three others each, drawn for the whole batch."""
        chosen = torch.rand(batch_size, generator=self.generator)[within] < self.mosaic
        others = torch.randint(len(self.targets), (batch_size, 3), generator=self.generator)[within]
        window = torch.rand(batch_size, 3, generator=self.generator)[within]
        if not chosen.any():
            return inputs, targets
        device = inputs.device
        which = others[chosen].flatten().to(device)
        num_mosaics = int(chosen.sum())
        four = torch.cat([inputs[chosen].unsqueeze(1), self.inputs.index_select(0, which).float().unflatten(0, (num_mosaics, 3))], dim=1)
        boxes = torch.cat(
            [targets[chosen].unsqueeze(1), self.targets.index_select(0, which).unflatten(0, (num_mosaics, 3))], dim=1
        )
        mixed, mixed_boxes = mosaic_of_four(four, boxes, window[chosen].to(device))
        inputs = inputs.clone()
        inputs[chosen] = mixed
        room = mixed_boxes.shape[1]
        wide = torch.full((len(targets), max(room, targets.shape[1]), COLUMNS), -1.0, device=device)
        wide[:, : targets.shape[1]] = targets
        wide[chosen] = -1.0
        wide[chosen.nonzero().flatten().to(device), :room] = mixed_boxes
        return inputs, wide


def flip(images: Tensor, boxes: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Mirrors some pictures left to right.

    Args:
        images: (batch, channels, height, width).
        boxes: (batch, most, 5), see `spec.Boxes`.
        which: bool (batch,).
    """
    images = torch.where(which[:, None, None, None], images.flip(3), images)
    turned = boxes.clone()
    turned[..., 1] = torch.where(which[:, None] & (boxes[..., 0] >= 0), 1 - boxes[..., 1], boxes[..., 1])
    return images, turned


def mosaic_of_four(images: Tensor, boxes: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Lays four pictures in a square and shows a part of it, in the size of one.

    Args:
        images: float (mosaics, 4, channels, height, width): left above, right above, left below, right below.
        boxes: float (mosaics, 4, most, 5), see `spec.Boxes`.
        window: float (mosaics, 3) in [0, 1): its size, between a picture's and all four's, and where it lies.

    Returns:
        float (mosaics, channels, height, width), and the boxes that are still seen, cut at the edges.
    """
    square = torch.cat([torch.cat([images[:, i], images[:, i + 1]], dim=3) for i in (0, 2)], dim=2)
    # Parts of the square's side: its centre may lie as far from the middle as keeps the window inside.
    side = 0.5 + 0.5 * window[:, 0]
    middle = side[:, None] / 2 + (1 - side[:, None]) * window[:, 1:]
    matrix = torch.zeros(len(images), 2, 3, device=images.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = side
    matrix[:, :, 2] = 2 * middle - 1
    grid = affine_grid(matrix, [len(images), *images.shape[2:]], align_corners=False)
    seen = grid_sample(square, grid, mode="bilinear", padding_mode="border", align_corners=False)

    place = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [0.5, 0.5]], device=images.device)
    centre, size = boxes[..., 1:3] / 2 + place[None, :, None], boxes[..., 3:5] / 2
    low, high = ((centre + sign * size / 2).flatten(1, 2) for sign in (-1, 1))
    start = (middle - side[:, None] / 2)[:, None]
    low, high = ((edge - start) / side[:, None, None] for edge in (low, high))
    cut_low, cut_high = low.clamp(0, 1), high.clamp(0, 1)
    visible = (cut_high - cut_low).prod(dim=2) / (high - low).prod(dim=2).clamp(min=1e-12)
    names = boxes[..., 0].flatten(1)
    kept = (names >= 0) & (visible > VISIBLE)
    moved = torch.cat([names[..., None], (cut_low + cut_high) / 2, cut_high - cut_low], dim=2)
    moved[~kept] = -1.0
    order = torch.argsort((~kept).int(), dim=1, stable=True)
    room = max(1, int(kept.sum(dim=1).max()))
    return seen, moved.gather(1, order[..., None].expand(-1, -1, COLUMNS))[:, :room]


def rows(boxes: list[Tensor]) -> Tensor:
    """Boxes of each picture, (boxes, 5), as one tensor (pictures, most, 5); rows that are not needed have class -1."""
    most = max([1, *(len(own) for own in boxes)])
    made = torch.full((len(boxes), most, COLUMNS), -1.0)
    for i, own in enumerate(boxes):
        made[i, : len(own)] = own
    return made
