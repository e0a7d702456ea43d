"""What each layer of a network answers to an image, as small maps."""

import math
from collections.abc import Callable
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from litmus.config.protocols import Net
from litmus.inference.serve.pictures import png_address, tiled
from litmus.model.cnn import CNN
from litmus.model.fnn import FNN
from litmus.page.selection import evenly

MOST_MAPS, MOST_UNITS = 64, 1024  # of a layer that are shown: evenly chosen ones
# Their outputs are shown as the next layer gives them.
PASSED = (nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.MaxPool2d, nn.Dropout, nn.Dropout1d, nn.Dropout2d)


class Layer(TypedDict):
    """A layer's output for one image.

    `maps` of `height` by `width`, side by side in rows of `columns`, are the pixels of `png`: black is the lowest value
    of the layer, `low`, white the highest, `high`. `units` is how many there are; of many, some are shown.
    """

    name: str
    units: int
    maps: int
    height: int
    width: int
    columns: int
    low: float
    high: float
    png: str


def layers_of(net: Net) -> list[nn.Module]:
    """The hidden layers that are shown, then the last; none of a network whose layers are another library's."""
    if not isinstance(net, FNN | CNN):
        return []
    return [*(module for module in net.features.children() if not isinstance(module, PASSED)), net.head]


class Activations:
    """Notes what the layers of a network give while it predicts.

    Args:
        net: in evaluation mode.
    """

    def __init__(self, net: Net) -> None:
        self.layers = layers_of(net)

    def during(self, predict: Callable[[], object]) -> list[Layer]:
        """The outputs of the layers for the first sample of what is predicted."""
        found: list[Tensor] = []

        def note(_: nn.Module, __: object, output: Tensor) -> None:
            found.append(output[0].detach())

        handles = [layer.register_forward_hook(note) for layer in self.layers]
        try:
            with torch.inference_mode():
                predict()
        finally:
            for handle in handles:
                handle.remove()
        if not found:  # the image could not be read
            return []
        names = [*(f"layer {number}" for number in range(1, len(found))), "output"]
        return [_shown(name, output) for name, output in zip(names, found, strict=True)]


def _shown(name: str, output: Tensor) -> Layer:
    values = output.float().cpu().numpy()
    units = len(values)
    values = values[evenly(units, MOST_MAPS if values.ndim == 3 else MOST_UNITS)]
    maps = values if values.ndim == 3 else values.reshape(-1, 1, 1)
    columns = len(maps) if len(maps) <= 16 and maps.shape[1] == 1 else math.ceil(math.sqrt(2 * len(maps)))
    scaled, low, high = _as_pixels(maps)
    return {
        "name": name,
        "units": units,
        "maps": len(maps),
        "height": maps.shape[1],
        "width": maps.shape[2],
        "columns": columns,
        "low": low,
        "high": high,
        "png": png_address(tiled(scaled, columns)),
    }


def _as_pixels(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, float]:
    """From the layer's lowest value, 0, to its highest, 255; what is no number is black."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255 / ((high - low) or 1.0))).round().astype(np.uint8), low, high
