"""What the first layer of a network that sees pixels looks for."""

import numpy as np
from numpy.typing import NDArray

from litmus.config.protocols import Net
from litmus.page.charts import images
from litmus.page.drawing import Pixels
from litmus.report.parts import Chart, Section
from litmus.spec import Images

MOST = 64
COLORS = ((213, 94, 0), (255, 255, 255), (0, 114, 178))  # of a weight below 0, of 0, and above


def filters(net: Net) -> list[Section]:
    """The weights of the first layer as images, where that layer has a weight for each pixel, or is a convolution."""
    spec = net.spec.input
    first = next(iter(net.parameters()), None)
    if not isinstance(spec, Images) or first is None:
        return []
    weights = _as_images(first.detach().float().cpu().numpy(), spec)
    if weights is None:
        return []
    shown = [_colored(each) for each in weights[:MOST]]
    many = f"{len(shown)} of {len(weights)}" if len(shown) < len(weights) else str(len(weights))
    how = "blue where a bright pixel raises the output, orange where it lowers it"
    how = how if spec.channels == 1 else "as colors"
    drawing = images("filters of the first layer", shown, [""] * len(shown), per_row=16, side=40)
    said = f"The weights of {many} units of the first layer, {how}; each on its own scale."
    return [Section("filters", "What the first layer looks for", [Chart("filters", said, drawing)])]


def _as_images(weights: NDArray[np.float32], spec: Images) -> NDArray[np.float32] | None:
    """(units, channels, height, width), or None."""
    size = spec.channels * spec.height * spec.width
    if weights.ndim == 4 and weights.shape[1] == spec.channels:
        return weights
    if weights.ndim == 2 and weights.shape[1] == size:
        return weights.reshape(-1, spec.channels, spec.height, spec.width)
    if weights.ndim == 2 and weights.shape[0] == size:
        return weights.T.reshape(-1, spec.channels, spec.height, spec.width)
    return None


def _colored(weights: NDArray[np.float32]) -> Pixels:
    """One unit's weights, (channels, height, width), as colors around white; of three channels, as colors of light."""
    largest = float(np.abs(weights).max()) or 1.0
    scaled = np.nan_to_num(weights / largest)
    if len(scaled) == 3:
        return np.asarray((127.5 * (scaled + 1)).transpose(1, 2, 0), dtype=np.uint8)
    value = scaled.mean(axis=0)[:, :, None]
    below, zero, above = (np.array(color, np.float64) for color in COLORS)
    colored = zero + np.maximum(value, 0) * (above - zero) + np.maximum(-value, 0) * (below - zero)
    return colored.round().astype(np.uint8)
