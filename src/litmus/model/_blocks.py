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


def dropout_mask(x: Tensor, p: float) -> Tensor:
    """What dropout multiplies `x` by: 1 / (1 - p) with probability 1 - p, else 0; of its shape and dtype.

    On a CPU, the generator gives 64 bits at a time. PyTorch's own takes that many for each value; here they decide
    about four of a larger layer, with p to the nearest 2**-16.
    """
    if not _is_fast(x, p):
        return torch.empty_like(x).bernoulli_(1 - p).div_(1 - p)
    dropped = min(round(LEVELS * p), LEVELS - 1)
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    levels = words.view(torch.int16)[: x.numel()].view(x.shape)  # uniform from -2**15 to 2**15 - 1
    return (levels >= dropped - LEVELS // 2).to(x.dtype).mul_(LEVELS / (LEVELS - dropped))


def _is_fast(x: Tensor, p: float) -> bool:
    is_plain = x.device.type == "cpu" and x.is_floating_point() and not torch.compiler.is_compiling()
    return is_plain and x.numel() >= LEAST_DROPPED and round(LEVELS * p) > 0


class _Drop(Function):
    """y = x m, m the mask; dL/dx = g m."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, p: float) -> Tensor:
        mask = dropout_mask(x, p)
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
        return _Drop.apply(x, self.p) if self.training and _is_fast(x, self.p) else super().forward(x)


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
