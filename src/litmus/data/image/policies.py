"""RandAugment and TrivialAugment on whole batches, each image with operations of its own.

Operations and their ranges are torchvision's. Its classes do the same to every image of a batch, and draw from the
global generator, which knows nothing of a run that is resumed, or that has several processes. Only runs that have such
a policy import this module: torchvision takes a second.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms.v2 import functional

from litmus.data._ahead import moved

LEVELS = 30  # steps of a strength, from none to the most
MOST_MOVED = 150 / 331  # of the image's size: of ImageNet's images, as AutoAugment had them
GRAY = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601

# Of images, float in [0, 255], and a strength for each, (images, 1, 1, 1).
Operation = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Policy:
    """Which operations are done, and how strongly at most.

    Attributes:
        rounds: operations of each image.
        level: strength in [0, 1] of each; None draws it.
        shear: ratio of the shift to the distance from the corner.
        degrees: of rotations.
        blend: how far brightness, color, contrast and sharpness are from 1.
        bits: that posterizing takes away.
    """

    rounds: int
    level: float | None
    shear: float
    degrees: float
    blend: float
    bits: int

    def __call__(self, images: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
        """Float (rows, 1 or 3 channels, height, width) in [0, 255] -> the same; arguments as of `random_affine`.

        Of grayscale images the color cannot change: that operation is not among theirs.
        """
        names = [name for name in OPERATIONS if name != "color" or images.shape[1] == 3]
        for _ in range(self.rounds):
            which = torch.randint(len(names), (batch_size,), generator=generator)[rows]
            drawn = torch.rand(2, batch_size, generator=generator)[:, rows]
            level = torch.full_like(drawn[0], self.level or 0.0)
            if self.level is None:
                level = (drawn[0] * (LEVELS + 1)).floor() / LEVELS
            signed = torch.where(drawn[1] < 0.5, -level, level)
            changed = images.clone()
            for number, name in enumerate(names):
                own = (which == number).nonzero().flatten()
                if len(own) and name != "identity":
                    strength = self.strength(name, level[own], signed[own])[:, None, None, None]
                    strength, own = moved(strength, images.device), moved(own, images.device)
                    changed[own] = OPERATIONS[name](images[own], strength)
            images = changed
        return images

    def strength(self, name: str, level: Tensor, signed: Tensor) -> Tensor:
        """What an operation is given.

        Args:
            name: of it.
            level: in [0, 1], for each image.
            signed: the same, half of them negative.
        """
        if name in MOVES:
            most = self.shear if "shear" in name else math.radians(self.degrees) if name == "rotate" else MOST_MOVED
            return signed * most
        if name == "posterize":
            return 8 - (self.bits * level).round()
        return level if name == "solarize" else 1 + self.blend * signed


# Cubuk et al. 2020 (two operations, strength 9), and Müller and Hutter 2021 (one, of any strength, and further).
# The latter's translations, by up to 32 pixels whatever the size, would move small images out of sight.
RAND_AUGMENT = Policy(rounds=2, level=9 / LEVELS, shear=0.3, degrees=30, blend=0.9, bits=4)
TRIVIAL_AUGMENT = Policy(rounds=1, level=None, shear=0.99, degrees=135, blend=0.99, bits=6)


POLICIES = {"randaugment": RAND_AUGMENT, "trivialaugment": TRIVIAL_AUGMENT}


def _warped(images: Tensor, matrix: Tensor) -> Tensor:
    """Each image with its own map from the result's coordinates to its own, (images, 2, 3); what comes in is black."""
    grid = affine_grid(matrix, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _matrix(images: Tensor) -> Tensor:
    return torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)


def shear_x(images: Tensor, strength: Tensor) -> Tensor:
    """Rows are shifted in proportion to their distance from the first one."""
    height, width = images.shape[2:]
    matrix = _matrix(images)
    matrix[:, 0, 1] = matrix[:, 0, 2] = strength.flatten() * height / width  # from -1 on
    return _warped(images, matrix)


def shear_y(images: Tensor, strength: Tensor) -> Tensor:
    """Columns, likewise."""
    return shear_x(images.mT, strength).mT


def translate_x(images: Tensor, strength: Tensor) -> Tensor:
    """Shifted by that part of the width, in whole pixels."""
    width = images.shape[3]
    matrix = _matrix(images)
    matrix[:, 0, 2] = -2 * (strength.flatten() * width).trunc() / width
    return _warped(images, matrix)


def translate_y(images: Tensor, strength: Tensor) -> Tensor:
    """By that part of the height."""
    return translate_x(images.mT, strength).mT


def rotate(images: Tensor, strength: Tensor) -> Tensor:
    """Turned about the middle, counterclockwise, in radians."""
    height, width = images.shape[2:]
    cos, sin = torch.cos(strength.flatten()), torch.sin(strength.flatten())
    matrix = _matrix(images)
    matrix[:, 0, 0] = matrix[:, 1, 1] = cos
    matrix[:, 0, 1], matrix[:, 1, 0] = -sin * height / width, sin * width / height
    return _warped(images, matrix)


def _gray(images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(GRAY, device=images.device)[:, None, None]
    return (images * weights).sum(dim=1, keepdim=True)


def _blended(images: Tensor, others: Tensor | float, strength: Tensor) -> Tensor:
    """0 is the other image, 1 this one, and more is beyond it."""
    return (others + strength * (images - others)).clamp(0, 255)


def brightness(images: Tensor, strength: Tensor) -> Tensor:
    """From black."""
    return _blended(images, 0.0, strength)


def color(images: Tensor, strength: Tensor) -> Tensor:
    """From gray."""
    return _blended(images, _gray(images), strength)


def contrast(images: Tensor, strength: Tensor) -> Tensor:
    """From the mean gray of the image."""
    return _blended(images, _gray(images).mean(dim=(1, 2, 3), keepdim=True), strength)


def sharpness(images: Tensor, strength: Tensor) -> Tensor:
    """From the blurred image, but for its edge."""
    blurred = images.clone()
    inner = blurred[..., 1:-1, 1:-1]
    columns = images[..., :-2, :] + images[..., 1:-1, :] + images[..., 2:, :]
    around = columns[..., :-2] + columns[..., 1:-1] + columns[..., 2:]
    inner.copy_((around + 4 * inner) / 13)  # Pillow's SMOOTH: the pixel counts five times, the eight around it once
    return _blended(images, blurred, strength)


def posterize(images: Tensor, strength: Tensor) -> Tensor:
    """Only so many bits of a pixel remain."""
    step = 2.0 ** (8 - strength)
    return (images / step).floor() * step


def solarize(images: Tensor, strength: Tensor) -> Tensor:
    """The brightest part of the scale is inverted."""
    return torch.where(images >= 255 * (1 - strength), 255 - images, images)


def autocontrast(images: Tensor, strength: Tensor) -> Tensor:  # noqa: ARG001  # an Operation
    """Each channel is stretched to the whole scale."""
    return functional.autocontrast(images / 255) * 255


def equalize(images: Tensor, strength: Tensor) -> Tensor:  # noqa: ARG001  # an Operation
    """Each channel has all brightnesses about equally often."""
    return functional.equalize(images.round().to(torch.uint8)).to(images.dtype)


MOVES = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
OPERATIONS: dict[str, Operation] = {
    "identity": lambda images, strength: images,  # noqa: ARG005
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translate_x,
    "translate_y": translate_y,
    "rotate": rotate,
    "brightness": brightness,
    "color": color,
    "contrast": contrast,
    "sharpness": sharpness,
    "posterize": posterize,
    "solarize": solarize,
    "autocontrast": autocontrast,
    "equalize": equalize,
}
