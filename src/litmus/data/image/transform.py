"""From stored pixels to what a network reads: normalization and random augmentation, on whole batches."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import adaptive_avg_pool2d, affine_grid, grid_sample, interpolate

from litmus.config.types import Augment
from litmus.data._ahead import moved
from litmus.data._loader import Rows
from litmus.spec import Images

MAX_SHIFT = 0.08  # of the image's size, to each side: about 2 of 28 pixels
MAX_ROTATION_DEGREES = 12.0
MAX_SCALE = 0.12  # the image is scaled by 1 - MAX_SCALE to 1 + MAX_SCALE
MOST_SHIFTED = 0.125  # of the image's size: 4 of 32 pixels, as He et al. 2016 train on CIFAR-10
MIN_AREA = 0.35  # of an image, that a random crop shows
CHUNK_BYTES = 16 * 2**20  # of images that are counted at a time, which take about five times as much

# From pixels, float (batch, channels, height, width), a generator, the size of the whole batch, and the rows of it
# that these images are, to pixels (batch, channels, *size).
Augmentation = Callable[[Tensor, Generator, int, slice, tuple[int, int]], Tensor]


class Normalize:
    """uint8 pixels -> `(pixel / 255 - mean) / std` as float32, in the size and channels that the network reads.

    Images of another size are resized; grayscale images become RGB if the network reads three channels.

    Args:
        images: size, channels, mean and standard deviation of the network's input.
        augmentation: of training images, or None.
        device: of the result.
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
        """From uint8 (rows, channels, height, width), which are these rows of a batch, to float32."""
        inputs = moved(pixels, self.device).float()
        if self.augmentation:
            inputs = self.augmentation(inputs, generator, batch_size, rows, self.size)
        else:
            inputs = resized(inputs, self.size)
        return torch.addcmul(self.offset, inputs, self.factor)  # broadcasts one channel to as many as the network reads


def random_affine(images: Tensor, generator: Generator, batch_size: int, rows: slice, size: tuple[int, int]) -> Tensor:
    """Shifts, rotates and scales each image of a batch a little, each by its own uniformly drawn amounts.

    Args:
        images: float (rows, channels, height, width); what comes in from outside the image is 0, MNIST's background.
        generator: on the CPU, so that the same seed draws the same amounts on every device.
        batch_size: of the whole batch, for which the amounts are drawn.
        rows: the rows of that batch that `images` are.
        size: height and width of the result.

    Returns:
        A new tensor, bilinearly interpolated.
    """
    uniform = moved(torch.rand(4, batch_size, generator=generator)[:, rows].mul_(2).sub_(1), images.device)
    angle = uniform[0] * math.radians(MAX_ROTATION_DEGREES)
    scale = 1 / (1 + MAX_SCALE * uniform[1])
    # affine_grid's coordinates run from -1 to 1: a shift of the whole width is 2.
    shift = 2 * MAX_SHIFT * uniform[2:]
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    matrix = [torch.stack([cos, -sin, shift[0]], dim=1), torch.stack([sin, cos, shift[1]], dim=1)]
    grid = affine_grid(torch.stack(matrix, dim=1), [*images.shape[:2], *size], align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def random_shift(images: Tensor, generator: Generator, batch_size: int, rows: slice, size: tuple[int, int]) -> Tensor:
    """Shifts each image by whole pixels, at most an eighth of its size to each side; what comes in is black.

    Arguments as of `random_affine`.
    """
    pixels = torch.tensor(images.shape[:1:-1])[:, None]  # width, height
    most = (MOST_SHIFTED * pixels).int()
    uniform = torch.rand(2, batch_size, generator=generator)[:, rows]
    shift = (uniform * (2 * most + 1)).int() - most
    matrix = torch.eye(2, 3).repeat(len(images), 1, 1)
    matrix[:, :, 2] = (2 * shift / pixels).T
    grid = affine_grid(moved(matrix, images.device), list(images.shape), align_corners=False)
    return resized(grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False), size)


def random_resized_crop(
    images: Tensor, generator: Generator, batch_size: int, rows: slice, size: tuple[int, int], flip: float
) -> Tensor:
    """Crops each image at random, to at least 35 % of its area, and flips it left to right with a probability `flip`.

    After Szegedy et al. 2015, section 6, without its changes of the aspect ratio. Arguments as of `random_affine`.
    """
    uniform = moved(torch.rand(4, batch_size, generator=generator)[:, rows], images.device)
    scale = (MIN_AREA + (1 - MIN_AREA) * uniform[0]).sqrt()
    shift = (1 - scale) * (2 * uniform[1:3] - 1)
    flipped = torch.where(uniform[3] < flip, -scale, scale)
    zero = torch.zeros_like(scale)
    matrix = [torch.stack([flipped, zero, shift[0]], dim=1), torch.stack([zero, scale, shift[1]], dim=1)]
    grid = affine_grid(torch.stack(matrix, dim=1), [*images.shape[:2], *size], align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def augmentation(choice: Augment, flip: float, light: Augmentation) -> Augmentation | None:
    """What `data.augment` and `data.flip` say of single images; None changes none.

    Args:
        choice: all but "none" begin with `light`; mixing two images is the loader's.
        flip: probability that an image is mirrored, before all else.
        light: the small random changes that are usual for the data.
    """
    if choice == "none":
        return flipping(flip, None)
    return flipping(flip, _then(light, choice) if choice in ("randaugment", "trivialaugment") else light)


def _then(light: Augmentation, choice: str) -> Augmentation:
    from litmus.data.image.policies import POLICIES  # and with it torchvision

    policy = POLICIES[choice]

    def both(images: Tensor, generator: Generator, batch_size: int, rows: slice, size: tuple[int, int]) -> Tensor:
        return policy(light(images, generator, batch_size, rows, size), generator, batch_size, rows)

    return both


def flipping(flip: float, augmentation: Augmentation | None) -> Augmentation | None:
    """Flips each image left to right with that probability before another augmentation, if there is one."""
    if not flip:
        return augmentation

    def flipped(images: Tensor, generator: Generator, batch_size: int, rows: slice, size: tuple[int, int]) -> Tensor:
        chosen = moved(torch.rand(batch_size, generator=generator)[rows] < flip, images.device)
        images = torch.where(chosen[:, None, None, None], images.flip(3), images)
        if augmentation:
            return augmentation(images, generator, batch_size, rows, size)
        return resized(images, size)

    return flipped


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Float (batch, channels, height, width) -> (batch, channels, *size), anti-aliased."""
    if images.shape[2:] == size:
        return images
    return interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


def mean_and_std(pixels: Rows, rows: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, of images scaled to [0, 1].

    Args:
        pixels: uint8 (samples, channels, height, width).
        rows: the samples to use, int64. They are read in chunks, and the 256 values counted: exact, in little memory.
    """
    counts: Tensor | None = None
    size = pixels.index_select(0, rows[:1]).numel()
    for chunk in rows.split(max(1, CHUNK_BYTES // size)):
        channels = pixels.index_select(0, chunk).unbind(1)
        own = torch.stack([torch.bincount(channel.flatten().int(), minlength=256) for channel in channels])
        counts = own if counts is None else counts + own
    assert counts is not None
    values = torch.arange(256, dtype=torch.float64) / 255
    frequency = counts.double() / counts.sum(dim=1, keepdim=True)
    mean = frequency @ values
    variance = (frequency * (values - mean[:, None]) ** 2).sum(dim=1)
    return tuple(mean.tolist()), tuple(variance.clamp(min=1e-12).sqrt().tolist())


def flat_pixels(images: Tensor, side: int) -> NDArray[np.float32]:
    """Images as rows of numbers in [0, 1], float32 (images, channels * height * width).

    Args:
        images: uint8 (images, channels, height, width).
        side: the most pixels of a side; more are averaged, at least 2 x 2 of those that each result stands for.
    """
    rows, columns = (max(1, pixels // (2 * side)) for pixels in images.shape[2:])
    images = images[:, :, ::rows, ::columns]  # of a large image, all would take most of the time
    size = (min(side, images.shape[2]), min(side, images.shape[3]))
    return adaptive_avg_pool2d(images.float() / 255, size).flatten(1).numpy()
