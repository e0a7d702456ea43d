"""The weights of a first layer that sees pixels, as images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from litmus.config.protocols import Net
from litmus.page.charts import images
from litmus.page.drawing import Drawing, Pixels
from litmus.spec import Images

MOST_FILTERS = 64
COLORS = ((213, 94, 0), (255, 255, 255), (0, 114, 178))  # of a weight below 0, of 0, and above
Weights = NDArray[np.float32]


def first_layer(net: Net) -> Weights | None:
    """The weights of a network's first layer, see `as_images`; None where it sees no pixels, or they are no images."""
    spec, first = net.spec.input, next(iter(net.parameters()), None)
    if not isinstance(spec, Images) or first is None:
        return None
    return as_images(first.detach().float().cpu().numpy(), spec)


def as_images(weights: Weights, spec: Images) -> Weights | None:
    """(units, channels, height, width): of a convolution, or a layer with a weight for each pixel; None of others.

    Args:
        weights: of the first layer.
        spec: of what the network sees.
    """
    size = spec.channels * spec.height * spec.width
    if weights.ndim == 4 and weights.shape[1] == spec.channels:
        return weights
    if weights.ndim == 2 and weights.shape[1] == size:
        return weights.reshape(-1, spec.channels, spec.height, spec.width)
    if weights.ndim == 2 and weights.shape[0] == size:
        return weights.T.reshape(-1, spec.channels, spec.height, spec.width)
    return None


def filters(weights: Sequence[Weights] | Weights) -> Drawing:
    """The first of these as images, each on its own scale.

    Args:
        weights: see `as_images`.
    """
    shown = [colored(each) for each in weights[:MOST_FILTERS]]
    return images("filters of the first layer", shown, [""] * len(shown), per_row=16, side=40)


def colored(weights: Weights) -> Pixels:
    """One unit's weights, (channels, height, width), as colors around white; of three channels, as colors of light."""
    largest = float(np.abs(weights).max()) or 1.0
    scaled = np.nan_to_num(weights / largest)
    if len(scaled) == 3:
        return np.asarray((127.5 * (scaled + 1)).transpose(1, 2, 0), dtype=np.uint8)
    value = scaled.mean(axis=0)[:, :, None]
    below, zero, above = (np.array(color, np.float64) for color in COLORS)
    colored = zero + np.maximum(value, 0) * (above - zero) + np.maximum(-value, 0) * (below - zero)
    return colored.round().astype(np.uint8)
