"""Pictures as addresses that hold them, for a page and for programs."""

import base64

import numpy as np
from numpy.typing import NDArray

from litmus.page.drawing import Pixels, png_of

GAP = 1  # pixel between two maps


def png_address(pixels: Pixels) -> str:
    """A PNG as a data URL, of uint8 (height, width, 1 or 3)."""
    return f"data:image/png;base64,{base64.b64encode(png_of(pixels)).decode()}"


def tiled(maps: NDArray[np.uint8], columns: int) -> Pixels:
    """Maps side by side, with black lines between: uint8 (maps, height, width) -> (height, width, 1) of all."""
    number, height, width = maps.shape
    gap = GAP if height * width > 1 else 0
    rows = -(-number // columns)
    canvas = np.zeros((rows, columns, height + gap, width + gap), np.uint8)
    canvas.reshape(rows * columns, height + gap, width + gap)[:number, :height, :width] = maps
    whole = canvas.transpose(0, 2, 1, 3).reshape(rows * (height + gap), columns * (width + gap))
    return whole[: whole.shape[0] - gap, : whole.shape[1] - gap, None]
