"""From an image of any size to what a network reads, in operations that every exported format has.

The same pixels as `data/image/decode.py` makes with Pillow: its bilinear filter, which averages over as many pixels as
one pixel of the result stands for ("antialiasing"), is linear in each direction, so that resizing, cropping and placing
between bars are one matrix for the rows and one for the columns.
"""

import torch
from torch import Tensor, nn

from litmus.data.image.decode import PADDING
from litmus.data.image.transform import Normalize
from litmus.spec import Images

LUMA = (19595, 38470, 7471)  # of red, green and blue in gray, of 65536: ITU-R 601-2, as Pillow rounds it


class Pixels(nn.Module):
    """Upright RGB images of any size, cropped or letterboxed and normalized.

    Args:
        images: size, channels, mean and standard deviation of the network's input.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, images: Images) -> None:
        super().__init__()
        self.images = images
        normalize = Normalize(images, None, torch.device("cpu"))
        self.register_buffer("factor", normalize.factor, persistent=False)
        self.register_buffer("offset", normalize.offset, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (batch, height, width, 3) -> float32 (batch, channels, rows, columns), normalized."""
        rows, columns, bars = self.matrices(images)
        pixels = gray(images) if self.images.channels == 1 else images.permute(0, 3, 1, 2).float()
        pixels = eight_bits(pixels @ columns.T)  # columns first, and 8 bits in between, as Pillow does it
        pixels = eight_bits(rows @ pixels) + bars
        return torch.addcmul(self.offset, pixels, self.factor)

    def matrices(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Float32 (rows, height) and (columns, width) to multiply an image with, and what to add, (rows, columns)."""
        height, width = length(images, 1), length(images, 2)
        own = self.images
        if own.resized:
            shorter = torch.minimum(height, width)
            sides = [torch.floor(own.resized * side / shorter) for side in (height, width)]
            starts = [torch.round((side - kept) / 2) for side, kept in zip(sides, (own.height, own.width), strict=True)]
        else:
            sides, starts = place(height, width, own)
            starts = [-start for start in starts]
        rows = bilinear(images.shape[1], height, own.height, sides[0], starts[0])
        columns = bilinear(images.shape[2], width, own.width, sides[1], starts[1])
        shown = (rows.sum(dim=1) > 0)[:, None] & (columns.sum(dim=1) > 0)
        return rows, columns, PADDING * (1 - shown.float())


def place(height: Tensor, width: Tensor, images: Images) -> tuple[list[Tensor], list[Tensor]]:
    """As `decode.letterbox_geometry`: height and width of the image in a letterbox; its top and its left.

    All are float64 without dimensions.
    """
    scale = torch.minimum(images.width / width, images.height / height)
    sides = [torch.round(side * scale).clamp(min=1) for side in (height, width)]
    room = [whole - side for whole, side in zip((images.height, images.width), sides, strict=True)]
    return sides, [torch.floor(each / 2) for each in room]


def length(images: Tensor, dimension: int) -> Tensor:
    """How long a dimension is, as float64 without dimensions."""
    return torch.full((), images.shape[dimension], dtype=torch.float64)


def bilinear(num_in: int, length_in: Tensor, num_out: int, resized: Tensor, start: Tensor) -> Tensor:
    """Pillow's bilinear filter as a matrix, float32 (num_out, num_in).

    Args:
        num_in: pixels of a side.
        length_in: the same as a tensor.
        num_out: pixels of the result; those outside the resized side are rows of zeros.
        resized: pixels to which the side is resized.
        start: where the result begins in the resized side.
    """
    place = torch.arange(num_out, dtype=torch.float64)
    first, last = ((edge * length_in / resized).float() for edge in (start, start + num_out))  # as Pillow keeps a box
    step = (last - first).double() / num_out
    reach = step.clamp(min=1)
    center = (first + (place + 0.5) * step)[:, None]
    first = torch.floor((center - reach + 0.5).clamp(min=0))
    last = torch.minimum(torch.floor(center + reach + 0.5), length_in)
    pixel = torch.arange(num_in, dtype=torch.float64)
    weights = (1 - ((pixel - center + 0.5) / reach).abs()).clamp(min=0)
    weights = torch.where((pixel >= first) & (pixel < last), weights, 0.0)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    inside = (place + start >= 0) & (place + start < resized)
    return torch.where(inside[:, None], weights, 0.0).float()


def eight_bits(pixels: Tensor) -> Tensor:
    """Rounded to whole numbers as Pillow does it: half up."""
    return torch.floor(pixels + 0.5).clamp(0, 255)


def gray(images: Tensor) -> Tensor:
    """uint8 (batch, height, width, 3) -> float32 (batch, 1, height, width), whole numbers."""
    weighted = images.double() @ torch.tensor(LUMA, dtype=torch.float64)
    return torch.floor((weighted + 32768) / 65536).float()[:, None]
