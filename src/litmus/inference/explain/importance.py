"""Which columns a network relies on over a whole split: how much worse it gets when one of them is shuffled.

Permutation importance (Breiman 2001; Fisher et al. 2019). Of two columns that say the same, each may seem unimportant:
the network reads the other.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from litmus.config.explanation import Importance, Importances
from litmus.config.protocols import Net
from litmus.inference.explain.columns import column_groups
from litmus.spec import Classes, Columns, Labels, Values

SHUFFLES = 5  # of each column
MOST_ROWS = 20_000
BATCH = 4096
Measure = Callable[[Tensor], float]  # of the outputs for all rows


def permutation_importance(net: Net, inputs: Tensor, targets: Tensor) -> Importances:
    """How much worse the answers get when a column's values change places among the rows.

    Args:
        net: in evaluation mode; its input are columns.
        inputs: as the network receives them, float32 (rows, numbers).
        targets: as of the dataset, (rows, ...).
    """
    assert isinstance(net.spec.input, Columns)
    names, places = column_groups(net.spec.input)
    groups = torch.tensor(places)
    metric, measure, sign = _measure(net, targets)
    value = measure(_outputs(net, inputs))
    generator = torch.Generator().manual_seed(0)
    found = []
    for place, name in enumerate(names):
        own = (groups == place).nonzero()[:, 0]
        losses = []
        for _ in range(SHUFFLES):
            shuffled = inputs.clone()
            order = torch.randperm(len(inputs), generator=generator)
            shuffled[:, own] = inputs[order][:, own]
            losses.append(sign * (value - measure(_outputs(net, shuffled))))
        found.append(Importance(name, float(np.mean(losses)), float(np.std(losses))))
    found.sort(key=lambda each: each.mean, reverse=True)
    return Importances(metric, value, len(inputs), found)


@torch.inference_mode()
def _outputs(net: Net, inputs: Tensor) -> Tensor:
    return torch.cat([net(batch).float() for batch in inputs.split(BATCH)])


def _measure(net: Net, targets: Tensor) -> tuple[str, Measure, int]:
    """The metric's name, what computes it, and 1 if more is better, else -1."""
    target = net.spec.target
    if isinstance(target, Classes):
        return "accuracy", lambda outputs: float((outputs.argmax(dim=1) == targets).float().mean()), 1
    if isinstance(target, Labels):
        return "accuracy of a label", lambda outputs: float(((outputs > 0) == targets.bool()).float().mean()), 1
    assert isinstance(target, Values)
    std = torch.tensor(target.std)
    return "rmse", lambda outputs: float((((outputs - targets) * std) ** 2).mean().sqrt()), -1
