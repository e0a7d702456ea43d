"""Pieces that several networks are built of."""

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


def initialise(module: nn.Module, init: str, activation: str) -> None:
    """Initialises every linear and convolutional layer of `module` in place; biases become zero.

    `he` is He et al. 2015, eq. 10, fan-in, with the activation's gain where it is known; `xavier`
    is Glorot and Bengio 2010, eq. 16; `normal` is N(0, 0.01**2), the classic that trains badly when
    deep; `default` leaves PyTorch's own (uniform in +-1/sqrt(fan_in)).
    """
    if init == "default":
        return
    # torch knows no gain for gelu; it behaves like relu away from zero.
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
        """Any shape that `block` takes; the shape that `block` gives."""
        return self.add(self.block(x), self.shortcut(x))


class Add(nn.Module):
    """Elementwise sum, as a module so that `scratch` can replace it."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two tensors of one shape; their sum."""
        return torch.add(a, b)
