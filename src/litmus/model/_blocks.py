"""Layers and initialization that several networks share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
}


def initialize(module: nn.Module, init: str, activation: str) -> None:
    """Initializes every linear and convolutional layer of `module` in place; biases become zero.

    `he` is He et al. 2015, eq. 10, fan-in, with the activation's gain where it is known; `xavier`
    is Glorot and Bengio 2010, eq. 16; `normal` is N(0, 0.01**2), the historical choice, with which deep
    networks train badly; `default` keeps PyTorch's own (uniform in +-1/sqrt(fan_in)).
    """
    if init == "default":
        return
    # torch defines no gain for gelu; away from zero, it behaves like relu.
    gain_name = {"gelu": "relu"}.get(activation, activation)
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            if init == "he":
                nn.init.kaiming_normal_(layer.weight, nonlinearity=gain_name)  # type: ignore[arg-type]  # one of its names
            elif init == "xavier":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Residual(nn.Module):
    """`y = block(x) + shortcut(x)`: He et al. 2016, eq. 2, the shortcut a projection where shapes differ."""

    def __init__(self, block: nn.Module, shortcut: nn.Module, add: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.shortcut = shortcut
        self.add = add

    def forward(self, x: Tensor) -> Tensor:
        """Any input of `block` -> a tensor of the shape of its output."""
        return self.add(self.block(x), self.shortcut(x))


class Add(nn.Module):
    """Elementwise sum, a module so that `scratch` can replace it."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two tensors of the same shape -> their sum."""
        return torch.add(a, b)
