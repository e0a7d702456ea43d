"""Layers and initialization that several networks share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd import Function

LEVELS = 2**16  # of the random numbers by which units are dropped on a CPU
LEAST_DROPPED = 4_096  # values of a layer from which on that is faster than PyTorch's way
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


class _Drop(Function):
    """y = x m, m_i = 1 / q with probability q, else 0, where q is 1 - p to the nearest 2**-16; dL/dx = g m.

    The generator gives 64 bits at a time, which decide about four values; PyTorch's own takes 64 bits for each.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, p: float) -> Tensor:
        dropped = min(round(LEVELS * p), LEVELS - 1)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        levels = words.view(torch.int16)[: x.numel()].view(x.shape)  # uniform from -2**15 to 2**15 - 1
        mask = (levels >= dropped - LEVELS // 2).to(x.dtype).mul_(LEVELS / (LEVELS - dropped))
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx: torch.autograd.function.BackwardCFunction, g: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return g * mask, None


class Dropout(nn.Dropout):
    """PyTorch's dropout, whose random numbers take a third of the time on a CPU: a tenth of BERT's step."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        is_native = x.device.type != "cpu" or x.numel() < LEAST_DROPPED or torch.compiler.is_compiling()
        if is_native or not self.training or not x.is_floating_point() or not round(LEVELS * self.p):
            return super().forward(x)
        return _Drop.apply(x, self.p)


def with_fast_dropout(module: nn.Module) -> None:
    """Replaces dropout in a network of another library."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p).train(child.training))


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
