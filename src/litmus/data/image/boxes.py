"""Images with bounding boxes: normalized for a detector, in training with random flips and mosaics."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from litmus.config.protocols import Split
from litmus.config.sample import Sample
from litmus.config.types import BatchSize
from litmus.data._ahead import moved, placed_targets
from litmus.data._base import Data
from litmus.data._loader import Batching, BatchLoader, Part, Stored, Transform, select
from litmus.data.image.base import shown_image, to_device
from litmus.data.image.transform import Normalize
from litmus.spec import Boxes, Images

MIN_VISIBLE = 0.2  # of a box's area, that a mosaic's window must show
COLUMNS = 5  # of a box: class, center x and y, width, height


class BoxData(Data):
    """A dataset of images with bounding boxes.

    `mosaic` is the probability that a training image becomes a mosaic with three others (Bochkovskiy et al. 2020),
    `flip` that it is flipped left to right.
    """

    input_kinds: ClassVar = (Images,)
    target_kinds: ClassVar = (Boxes,)

    def __init__(self, seed: int, batch_size: BatchSize, eval_batch_size: int, mosaic: float, flip: float) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.mosaic = mosaic
        self.flip = flip

    @abstractmethod
    def stored(self, split: Split) -> tuple[Stored, Tensor]:
        """Pixels, uint8 (samples, channels, height, width), and boxes, float32 (samples, most, 5), as `spec.Boxes`."""

    def sample(self, split: Split, number: int) -> Sample:
        return Sample(image=shown_image(self.stored(split)[0], number))

    def counts(self, split: Split) -> Tensor:
        """Boxes of each class, int64 (classes,)."""
        numbers = self.stored(split)[1][..., 0]
        return numbers[numbers >= 0].long().bincount(minlength=len(self.spec.target.names))

    def _loader(self, split: Split) -> BatchLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, Images)
        device = self.trainer.strategy.root_device
        pixels, targets = self.stored(split)
        pixels = to_device(pixels, device)
        training = split == "train"
        return BoxLoader(
            pixels,
            placed_targets(targets, device),
            Normalize(self.spec.input, None, device),
            self._batching(split),
            mosaic=self.mosaic if training else 0.0,
            flip=self.flip if training else 0.0,
        )


class BoxLoader(BatchLoader):
    """Batches in which images and boxes are transformed together.

    Args:
        inputs: see `BatchLoader`.
        targets: boxes, float32 (num_samples, most, 5), see `spec.Boxes`.
        transform: see `BatchLoader`.
        batching: see `BatchLoader`.
        mosaic: probability of a mosaic, see `BoxData`.
        flip: probability of a horizontal flip.
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
        inputs, targets = select(self.inputs, rows).float(), self._select_targets(rows)
        if self.mosaic:
            inputs, targets = self._with_mosaics(inputs, targets, batch_size, within)
        if self.flip:
            flipped = torch.rand(batch_size, generator=self.generator)[within] < self.flip
            inputs, targets = horizontal_flip(inputs, targets, moved(flipped, inputs.device))
        return self.transform(inputs, self.generator, batch_size, within), targets

    def _needed(self, part: Part) -> list[Tensor | slice]:
        """Also the images that mosaics will be completed with, by numbers that the generator will draw again."""
        if not self.mosaic:
            return super()._needed(part)
        generator = Generator()
        generator.set_state(self.generator.get_state())
        chosen, others, _ = self._draw_mosaics(generator, part.batch_size, part.within)
        return [part.rows, others[chosen].flatten()] if chosen.any() else [part.rows]

    def _draw_mosaics(self, generator: Generator, batch_size: int, within: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Which images become mosaics, bool (rows,), with which others, (rows, 3), and with which windows, (rows, 3).

        Random numbers are drawn for the whole batch, of which the rows `within` are returned.
        """
        chosen = torch.rand(batch_size, generator=generator)[within] < self.mosaic
        others = torch.randint(len(self.targets), (batch_size, 3), generator=generator)[within]
        window = torch.rand(batch_size, 3, generator=generator)[within]
        return chosen, others, window

    def _with_mosaics(self, inputs: Tensor, targets: Tensor, batch_size: int, within: slice) -> tuple[Tensor, Tensor]:
        """Replaces some images by mosaics with three others each."""
        chosen, others, window = self._draw_mosaics(self.generator, batch_size, within)
        if not chosen.any():
            return inputs, targets
        device, numbers = inputs.device, chosen.nonzero().flatten()
        # Numbers that lie on the device already: indexing with those of the CPU would wait for it.
        here = moved(numbers, device)
        which = others[numbers].flatten()
        other_inputs = select(self.inputs, moved(which, self.inputs.device)).float()
        images = torch.cat([inputs[here].unsqueeze(1), other_inputs.unflatten(0, (len(numbers), 3))], dim=1)
        other_targets = self._select_targets(which).unflatten(0, (len(numbers), 3))
        boxes = torch.cat([targets[here].unsqueeze(1), other_targets], dim=1)
        mosaics, mosaic_boxes = mosaic(images, boxes, moved(window[numbers], device))
        room = mosaic_boxes.shape[1]
        wide = torch.full((len(targets), max(room, targets.shape[1]), COLUMNS), -1.0, device=device)
        wide[:, : targets.shape[1]] = targets
        wide[here] = -1.0
        wide[here, :room] = mosaic_boxes
        return inputs.index_copy(0, here, mosaics), wide


def horizontal_flip(images: Tensor, boxes: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Flips some images, and their boxes, left to right.

    Args:
        images: (batch, channels, height, width).
        boxes: (batch, most, 5), see `spec.Boxes`.
        which: the images to flip, bool (batch,).
    """
    images = torch.where(which[:, None, None, None], images.flip(3), images)
    boxes = boxes.clone()
    boxes[..., 1] = torch.where(which[:, None] & (boxes[..., 0] >= 0), 1 - boxes[..., 1], boxes[..., 1])
    return images, boxes


def mosaic(images: Tensor, boxes: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Tiles four images in a square and crops a window out of it, resized to one image.

    Args:
        images: float (mosaics, 4, channels, height, width): top left, top right, bottom left, bottom right.
        boxes: float (mosaics, 4, most, 5), see `spec.Boxes`.
        window: float (mosaics, 3) in [0, 1): its size, from one image's to that of all four, and its x and y position.

    Returns:
        float (mosaics, channels, height, width), and the boxes that are still visible, clipped at the edges, and first;
        on the CPU, as many as the most of an image.
    """
    square = torch.cat([torch.cat([images[:, i], images[:, i + 1]], dim=3) for i in (0, 2)], dim=2)
    # Fractions of the square's side; the window stays inside.
    side = 0.5 + 0.5 * window[:, 0]
    center = side[:, None] / 2 + (1 - side[:, None]) * window[:, 1:]
    matrix = torch.zeros(len(images), 2, 3, device=images.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = side
    matrix[:, :, 2] = 2 * center - 1
    grid = affine_grid(matrix, [len(images), *images.shape[2:]], align_corners=False)
    cropped = grid_sample(square, grid, mode="bilinear", padding_mode="border", align_corners=False)

    place = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [0.5, 0.5]], device=images.device)
    center_in_square, size = boxes[..., 1:3] / 2 + place[None, :, None], boxes[..., 3:5] / 2
    low, high = ((center_in_square + sign * size / 2).flatten(1, 2) for sign in (-1, 1))
    start = (center - side[:, None] / 2)[:, None]
    low, high = ((edge - start) / side[:, None, None] for edge in (low, high))
    clipped_low, clipped_high = low.clamp(0, 1), high.clamp(0, 1)
    visible = (clipped_high - clipped_low).prod(dim=2) / (high - low).prod(dim=2).clamp(min=1e-12)
    names = boxes[..., 0].flatten(1)
    kept = (names >= 0) & (visible > MIN_VISIBLE)
    clipped = torch.cat([names[..., None], (clipped_low + clipped_high) / 2, clipped_high - clipped_low], dim=2)
    clipped = torch.where(kept[..., None], clipped, -1.0)
    order = torch.argsort((~kept).int(), dim=1, stable=True)
    sorted_boxes = clipped.gather(1, order[..., None].expand(-1, -1, COLUMNS))
    if boxes.device.type != "cpu":  # to read how many are left would wait for the device
        return cropped, sorted_boxes
    return cropped, sorted_boxes[:, : max(1, int(kept.sum(dim=1).max()))]


def pad_boxes(boxes: list[Tensor]) -> Tensor:
    """Boxes of each image, (boxes, 5), as one tensor (images, most, 5), padded with rows of class -1."""
    most = max([1, *(len(own) for own in boxes)])
    padded = torch.full((len(boxes), most, COLUMNS), -1.0)
    for i, own in enumerate(boxes):
        padded[i, : len(own)] = own
    return padded
