"""From stored pixels to what a network receives: normalised, and in training shifted, turned and scaled."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from litmus.spec import Images

SHIFT = 0.08  # of the picture's size to each side: about 2 of 28 pixels
TURN_DEGREES = 12.0
SCALE = 0.12  # between 1 - SCALE and 1 + SCALE times as large


class Normalise:
    """uint8 pixels (batch, channels, height, width) -> `(pixel / 255 - mean) / std` as float32."""

    def __init__(self, images: Images, augment: bool, device: torch.device) -> None:
        shape = (1, images.channels, 1, 1)
        std = torch.tensor(images.std, device=device)
        self.factor = (1 / (255 * std)).reshape(shape)
        self.offset = (-torch.tensor(images.mean, device=device) / std).reshape(shape)
        self.augment = augment

    def __call__(self, pixels: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
        inputs = augmented(pixels.float(), generator, batch_size, rows) if self.augment else pixels.float()
        return torch.addcmul(self.offset, inputs, self.factor)


def augmented(images: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
    """Moves each picture of a batch a little: its own shift, rotation and scale, uniformly drawn.

    Args:
        images: float (batch, channels, height, width); what is moved in from outside is 0, MNIST's paper.
        batch_size: of the whole batch, for which the moves are drawn.
        rows: of that batch, that `images` are.
        generator: on the CPU, so that the same seed draws the same moves on every device.

    Returns:
        A new tensor of the same shape, bilinearly interpolated.
    """
    uniform = torch.rand(4, batch_size, generator=generator)[:, rows].mul_(2).sub_(1).to(images.device)
    angle = uniform[0] * math.radians(TURN_DEGREES)
    scale = 1 / (1 + SCALE * uniform[1])
    # affine_grid's coordinates run from -1 to 1: a shift of the whole width is 2.
    shift = 2 * SHIFT * uniform[2:]
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    matrix = [torch.stack([cos, -sin, shift[0]], dim=1), torch.stack([sin, cos, shift[1]], dim=1)]
    grid = affine_grid(torch.stack(matrix, dim=1), list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
