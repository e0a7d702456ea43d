"""Which images excite a unit of a network most, and where."""

from typing import cast

import torch
from torch import Tensor, nn

from litmus.config.explanation import Unit
from litmus.config.protocols import Net
from litmus.config.samples import Samples
from litmus.config.validate import did_you_mean
from litmus.errors import UserError

MOST_IMAGES = 6  # of each unit


def layer_names(net: Net) -> list[str]:
    """The layers whose units can be looked at, from input to output: convolutions and dense ones."""
    kinds = (nn.Conv2d, nn.Linear)
    return [name for name, module in net.named_modules() if isinstance(module, kinds) or _has_own_matrix(module)]


def _has_own_matrix(module: nn.Module) -> bool:
    """Whether a layer of one's own has a matrix, as those of the network with hand-derived gradients."""
    return any(own.ndim == 2 for own in module.parameters(recurse=False)) and not isinstance(module, nn.Embedding)


def exciting(samples: Samples, name: str) -> list[Unit]:
    """Of each unit of a layer the test samples for which its output is largest.

    Args:
        samples: images.
        name: of the layer.

    Raises:
        UserError: there is no such layer.
    """
    net = cast(nn.Module, samples.net)
    names = layer_names(samples.net)
    if name not in names:
        raise UserError(
            f"--layer {name}: there is no such layer.{did_you_mean(name, names)} It has: {', '.join(names)}."
        )
    layer = net.get_submodule(name)
    found: list[tuple[Tensor, Tensor]] = []
    size: list[tuple[int, int]] = []

    def look(_: nn.Module, __: object, output: Tensor) -> None:
        maps = output.detach().float()
        maps = maps.reshape(*maps.shape[:2], -1) if maps.ndim == 4 else maps.reshape(len(maps), -1, 1)
        size.append((output.shape[2], output.shape[3]) if output.ndim == 4 else (1, 1))
        largest = maps.max(dim=2)
        found.append((largest.values, largest.indices))

    handle = layer.register_forward_hook(look)
    try:
        with torch.inference_mode():
            for batch in samples.inputs:
                samples.net(batch)
    finally:
        handle.remove()
    outputs, places = (torch.cat(own) for own in zip(*found, strict=True))  # (samples, units)
    best = outputs.topk(min(MOST_IMAGES, len(outputs)), dim=0)
    height, width = size[0]
    units = []
    for number in range(outputs.shape[1]):
        rows = best.indices[:, number].tolist()
        at = [divmod(int(places[row, number]), width) for row in rows]
        centers = [((y + 0.5) / height, (x + 0.5) / width) for y, x in at] if height * width > 1 else []
        units.append(Unit(number, rows, best.values[:, number].tolist(), centers))
    return units


def num_dead(units: list[Unit]) -> int:
    """How many give nothing above 0 for any sample, so that a ReLU behind them gives 0 for all."""
    return sum(max(unit.outputs) <= 0 for unit in units)
