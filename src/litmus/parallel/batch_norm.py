"""Batch norm over the samples of all processes, where torch has none: its SyncBatchNorm is for GPUs alone."""

from types import MethodType

import torch
import torch.distributed as dist
from lightning.pytorch.plugins.layer_sync import LayerSync
from torch import Tensor, nn
from torch.autograd.function import Function, FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm


class SharedStatistics(LayerSync):
    """Lets a network's batch norm layers train with the mean and variance of all processes' samples together.

    The layers stay what they are: `forward` is replaced in each, and only computes otherwise in training.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        for layer in _layers(model):
            layer.forward = MethodType(_forward, layer)  # type: ignore[method-assign]
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        for layer in _layers(model):
            vars(layer).pop("forward", None)
        return model


def _layers(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


class _Sum(Function):
    """The sum over all processes; the gradient of a process' own part is the sum of all their gradients."""

    @staticmethod
    def forward(ctx: FunctionCtx, own: Tensor) -> Tensor:  # noqa: ARG004
        whole = own.clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:  # noqa: ARG004
        whole = gradient.contiguous().clone()
        dist.all_reduce(whole)
        return whole


def _forward(layer: _BatchNorm, x: Tensor) -> Tensor:
    """The layer's output.

    Args:
        layer: with running statistics.
        x: (samples, features, ...); a process without a share of the last batch has no samples.
    """
    if not layer.training:
        return type(layer).forward(layer, x)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    assert layer.num_batches_tracked is not None
    others = [axis for axis in range(x.ndim) if axis != 1]
    shape = [-1] + [1] * (x.ndim - 2)
    values = x.float()  # sums of bf16 would lose what they are to find
    sums = _Sum.apply(torch.cat([values.sum(others), values.new_tensor([values.numel() / layer.num_features])]))
    number = sums[-1].detach()
    mean = sums[:-1] / number
    values = values - mean.view(shape)
    variance = _Sum.apply(values.square().sum(others)) / number
    with torch.no_grad():
        layer.num_batches_tracked += 1
        factor = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
        layer.running_mean.lerp_(mean, factor)
        layer.running_var.lerp_(variance * number / (number - 1).clamp(min=1), factor)
    values = values * (variance + layer.eps).rsqrt().view(shape)
    if layer.affine:
        values = values * layer.weight.view(shape) + layer.bias.view(shape)
    return values.to(x.dtype)
