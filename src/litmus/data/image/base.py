"""Pictures of one size: stored as pixels, given to a network normalised, and in training moved a little."""

import logging
import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from litmus.config.protocols import Split
from litmus.data._base import Data, counted
from litmus.data._loader import BatchLoader, as_stored
from litmus.spec import Images

log = logging.getLogger(__name__)

SHIFT = 0.08  # of the picture's size to each side: about 2 of 28 pixels
TURN_DEGREES = 12.0
SCALE = 0.12  # between 1 - SCALE and 1 + SCALE times as large
LEAST_AREA = 0.35  # of a photo, that a random cut shows
RESIDENT = 0.25  # of a GPU's free memory that pictures may take

# From pixels as float (batch, channels, height, width), with a generator, the whole batch's size and the rows of it
# that these are, to pixels (batch, channels, *size).
Augmentation = Callable[[Tensor, Generator, int, slice, tuple[int, int]], Tensor]


class ImageData(Data):
    """A dataset of pictures.

    Features of a network's frozen part are computed once where nothing moves the pictures.
    """

    augmentation: Augmentation | None = None  # of training pictures

    @abstractmethod
    def stored(self, part: Split) -> tuple[Any, Tensor]:
        """Pixels, uint8 (samples, channels, height, width) or what can be indexed like them, and int64 (samples,)."""

    @property
    def class_counts(self) -> Tensor:
        """Training samples of each class."""
        return counted(self.stored("train")[1], self.spec)

    def _loader(self, part: Split) -> BatchLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, Images)
        device = self.trainer.strategy.root_device
        pixels, targets = self.stored(part)
        pixels = on_device(pixels, device)
        augmentation = self.augmentation if part == "train" else None
        transform: Any = Normalise(self.spec.input, augmentation, device)
        if self.frozen_part is not None and part != "test":  # which is seen only once
            if augmentation is None:
                pixels, transform = self._features(part, pixels, targets, transform), as_stored
            else:
                log.warning(
                    "data.augment=true: what the network's frozen part makes of a picture is computed in every epoch, "
                    "because each time the picture is moved otherwise."
                )
        return BatchLoader(pixels, targets.to(pixels.device), transform, self._batching(part))

    def _features(self, part: Split, pixels: Any, targets: Tensor, transform: Any) -> Tensor:
        """What the network's frozen part makes of every picture, float32, on the device that trains."""
        assert self.trainer is not None
        assert self.frozen_part is not None
        whole = replace(self._batching("val"), rank=0, world_size=1)
        loader = BatchLoader(pixels, targets.to(pixels.device), transform, whole)
        errors = Console(stderr=True)
        with torch.no_grad(), self.trainer.precision_plugin.forward_context():
            batches = track(loader, f"features, {part}", len(loader), console=errors, disable=not errors.is_terminal)
            features = torch.cat([self.frozen_part(inputs).float() for inputs, _ in batches])
        log.info("%s: %d features of each picture were computed once, for all epochs", part, features.shape[1])
        return features


def on_device(pixels: Any, device: torch.device) -> Any:
    """The pictures on the device that trains, if they fit; those that do not are brought there batch by batch."""
    if not isinstance(pixels, Tensor):
        return pixels
    if device.type == "cuda" and pixels.nbytes > RESIDENT * torch.cuda.mem_get_info(device)[0]:
        return pixels
    return pixels.to(device)


class Normalise:
    """uint8 pixels -> `(pixel / 255 - mean) / std` as float32, in the size and channels that the network reads.

    Pictures of another size are scaled to fit; grey ones become colours if colours are asked for.
    """

    def __init__(self, images: Images, augmentation: Augmentation | None, device: torch.device) -> None:
        shape = (1, images.channels, 1, 1)
        std = torch.tensor(images.std, device=device)
        self.factor = (1 / (255 * std)).reshape(shape)
        self.offset = (-torch.tensor(images.mean, device=device) / std).reshape(shape)
        self.size = (images.height, images.width)
        self.augmentation = augmentation
        self.device = device

    def __call__(self, pixels: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
        inputs = pixels.to(self.device, non_blocking=True).float()
        if self.augmentation:
            inputs = self.augmentation(inputs, generator, batch_size, rows, self.size)
        elif inputs.shape[2:] != self.size:
            inputs = _resized(inputs, self.size)
        return torch.addcmul(self.offset, inputs, self.factor)  # one channel is broadcast to as many as there are


def _resized(inputs: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(inputs, size, mode="bilinear", align_corners=False, antialias=True)


def random_affine(images: Tensor, generator: Generator, batch_size: int, rows: slice, size: tuple[int, int]) -> Tensor:
    """Moves each picture of a batch a little: its own shift, rotation and scale, uniformly drawn.

    Args:
        images: float (batch, channels, height, width); what is moved in from outside is 0, MNIST's paper.
        generator: on the CPU, so that the same seed draws the same moves on every device.
        batch_size: of the whole batch, for which the moves are drawn.
        rows: of that batch, that `images` are.
        size: height and width of the result.

    Returns:
        A new tensor, bilinearly interpolated.
    """
    uniform = torch.rand(4, batch_size, generator=generator)[:, rows].mul_(2).sub_(1).to(images.device)
    angle = uniform[0] * math.radians(TURN_DEGREES)
    scale = 1 / (1 + SCALE * uniform[1])
    # affine_grid's coordinates run from -1 to 1: a shift of the whole width is 2.
    shift = 2 * SHIFT * uniform[2:]
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    matrix = [torch.stack([cos, -sin, shift[0]], dim=1), torch.stack([sin, cos, shift[1]], dim=1)]
    grid = affine_grid(torch.stack(matrix, dim=1), [*images.shape[:2], *size], align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def random_resized_crop(
    images: Tensor, generator: Generator, batch_size: int, rows: slice, size: tuple[int, int]
) -> Tensor:
    """Cuts a part of each photo out at random, of at least 35 % of its area, and mirrors every other one.

    After Szegedy et al. 2015, section 6, without its changes of the aspect ratio. Arguments as of `moved`.
    """
    uniform = torch.rand(4, batch_size, generator=generator)[:, rows].to(images.device)
    scale = (LEAST_AREA + (1 - LEAST_AREA) * uniform[0]).sqrt()
    shift = (1 - scale) * (2 * uniform[1:3] - 1)
    mirrored = torch.where(uniform[3] < 0.5, -scale, scale)
    none = torch.zeros_like(scale)
    matrix = [torch.stack([mirrored, none, shift[0]], dim=1), torch.stack([none, scale, shift[1]], dim=1)]
    grid = affine_grid(torch.stack(matrix, dim=1), [*images.shape[:2], *size], align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def mean_and_deviation(pixels: Any, rows: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Per channel, of pictures scaled to [0, 1].

    Args:
        pixels: uint8 (samples, channels, height, width), or what can be indexed like that.
        rows: which of them; taken a few at a time, over counts of the 256 values: exact, and in little memory.
    """
    counts: Tensor | None = None
    for some in rows.split(4096):
        channels = pixels.index_select(0, some).unbind(1)
        own = torch.stack([torch.bincount(channel.flatten().int(), minlength=256) for channel in channels])
        counts = own if counts is None else counts + own
    assert counts is not None
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts.double() / counts.sum(dim=1, keepdim=True)
    mean = share @ values
    variance = (share * (values - mean[:, None]) ** 2).sum(dim=1)
    return tuple(mean.tolist()), tuple(variance.clamp(min=1e-12).sqrt().tolist())
