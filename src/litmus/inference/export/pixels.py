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

UNIT = 2**22  # of Pillow's weights, which are whole numbers: sums of 8 bits times these are exact in float64
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
        pixels = gray(images) if self.images.channels == 1 else images.permute(0, 3, 1, 2).double()
        pixels = eight_bits(pixels @ columns.T)  # columns first, and 8 bits in between, as Pillow does it
        pixels = eight_bits(rows @ pixels).float() + bars
        return torch.addcmul(self.offset, pixels, self.factor)

    def matrices(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Float64 (rows, height) and (columns, width) to multiply an image with, and what to add, (rows, columns)."""
        own, lengths = self.images, (length(images, 1), length(images, 2))
        kept = (own.height, own.width)
        if own.resized:
            shorter = torch.minimum(*lengths)
            sides = [torch.floor(own.resized * each / shorter) for each in lengths]
            starts = [torch.round((side - size) / 2) for side, size in zip(sides, kept, strict=True)]
            rows, columns = map(cropped, images.shape[1:3], lengths, kept, sides, starts)
        else:
            rows, columns = map(placed, images.shape[1:3], lengths, kept, *place(*lengths, own))
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


def cropped(num_in: int, length_in: Tensor, num_out: int, side: Tensor, start: Tensor) -> Tensor:
    """As `bilinear`: a side that is resized to `side` pixels, of which those from `start` on are kept."""
    scale = length_in / side
    first, last = ((edge * scale).float() for edge in (start, start + num_out))  # as Pillow keeps a box
    step = (last - first).double() / num_out
    return bilinear(num_in, length_in, torch.arange(num_out, dtype=torch.float64), first.double(), step)


def placed(num_in: int, length_in: Tensor, num_out: int, side: Tensor, start: Tensor) -> Tensor:
    """As `bilinear`: a side that is resized to `side` pixels, which begin at `start`; rows of zeros around them."""
    place = torch.arange(num_out, dtype=torch.float64) - start
    weights = bilinear(num_in, length_in, place, torch.zeros_like(start), length_in / side)
    return torch.where(((place >= 0) & (place < side))[:, None], weights, 0.0)


def bilinear(num_in: int, length_in: Tensor, place: Tensor, first: Tensor, step: Tensor) -> Tensor:
    """Pillow's bilinear filter as a matrix, float64 (num_out, num_in); weights have as many bits as Pillow's.

    Args:
        num_in: pixels of a side.
        length_in: the same as a tensor.
        place: of each pixel of the result, (num_out,).
        first: where the first of them begins, in pixels of the side.
        step: from one to the next.
    """
    reach = step.clamp(min=1)
    center = (first + (place + 0.5) * step)[:, None]
    lowest = torch.floor((center - reach + 0.5).clamp(min=0))
    highest = torch.minimum(torch.floor(center + reach + 0.5), length_in)
    pixel = torch.arange(num_in, dtype=torch.float64)
    weights = (1 - ((pixel - center + 0.5) / reach).abs()).clamp(min=0)
    weights = torch.where((pixel >= lowest) & (pixel < highest), weights, 0.0)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    return torch.floor(weights * UNIT + 0.5) / UNIT


def eight_bits(pixels: Tensor) -> Tensor:
    """Rounded to whole numbers as Pillow does it: half up."""
    return torch.floor(pixels + 0.5).clamp(0, 255)


def gray(images: Tensor) -> Tensor:
    """uint8 (batch, height, width, 3) -> float64 (batch, 1, height, width), whole numbers."""
    weighted = images.double() @ torch.tensor(LUMA, dtype=torch.float64)
    return torch.floor((weighted + 32768) / 65536)[:, None]
