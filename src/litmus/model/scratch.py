"""The feed-forward network with every gradient derived by hand.

The layers below are `torch.autograd.Function`s: PyTorch calls their `backward`, and sums the
gradients where one tensor is used twice, but derives nothing. Throughout, L is the loss, x a layer's
input, y its output, g = dL/dy the incoming gradient, B the batch size; sums run over the batch.
"""

import math
from collections.abc import Callable
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import Function

from litmus.model._base import Criterion
from litmus.model._blocks import dropout_mask
from litmus.model.fnn import FNN
from litmus.spec import Labels, Values


class Context(Protocol):
    """What torch passes from `forward` to `backward`; torch's own types allow one saved tensor only."""

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class LinearFunction(Function):
    """y = x W^T + b.

    y_ij = sum_k x_ik W_jk + b_j, hence dL/dx = g W, dL/dW = g^T x, dL/db = sum_i g_i.
    """

    @staticmethod
    def forward(ctx: Context, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        # Under autocast the product is bf16. The gradient is of y's dtype, and meets x and the weights in `backward`.
        y = (x @ weight.T).to(x.dtype)
        return y if bias is None else y + bias

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            g @ weight if needs_x else None,
            g.T @ x if needs_weight else None,
            g.sum(dim=0) if needs_bias else None,
        )


class ReluFunction(Function):
    """y = max(0, x); dL/dx = g where x > 0, else 0 (0 is the usual choice of subgradient at x = 0)."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return g * (x > 0)


class LeakyReluFunction(Function):
    """y = x where x > 0, else a x; dL/dx = g where x > 0, else a g; a = 0.01 (Maas et al. 2013)."""

    slope = 0.01

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x > 0, x, LeakyReluFunction.slope * x)

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.where(x > 0, g, LeakyReluFunction.slope * g)


class SigmoidFunction(Function):
    """y = 1 / (1 + exp(-x)); dy/dx = exp(-x) / (1 + exp(-x))^2 = y (1 - y), hence dL/dx = g y (1 - y)."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        # exp of non-positive numbers only, so that it cannot overflow.
        e = torch.exp(-x.abs())
        y = torch.where(x >= 0, 1 / (1 + e), e / (1 + e))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return g * y * (1 - y)


class TanhFunction(Function):
    """y = tanh(x); dy/dx = 1 - tanh(x)^2, hence dL/dx = g (1 - y^2)."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return g * (1 - y * y)


class GeluFunction(Function):
    """y = x F(x), F the cumulative normal distribution (Hendrycks and Gimpel 2016), f its density.

    F(x) = (1 + erf(x / sqrt 2)) / 2, f(x) = exp(-x^2 / 2) / sqrt(2 pi); by the product rule
    dy/dx = F(x) + x f(x), hence dL/dx = g (F(x) + x f(x)).
    """

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        cumulative = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
        ctx.save_for_backward(x, cumulative)
        return x * cumulative

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> Tensor:
        x, cumulative = ctx.saved_tensors
        density = torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return g * (cumulative + x * density)


class DropoutFunction(Function):
    """y = x m / (1 - p), m_i = 1 with probability 1 - p, else 0 (Srivastava et al. 2014, scaled in training).

    m does not depend on x, hence dL/dx = g m / (1 - p). The expectation of y is x.
    """

    @staticmethod
    def forward(ctx: Context, x: Tensor, p: float) -> Tensor:
        mask = dropout_mask(x, p)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return g * mask, None


class BatchNormFunction(Function):
    """y = w z + b with z = (x - m) / s, m the batch's mean, s = sqrt(v + eps), v its (biased) variance.

    (Ioffe and Szegedy 2015.) Per feature, with h = dL/dz = g w:
      dL/dw = sum g z;  dL/db = sum g.
    x enters z directly, and through m and s:
      dz_i/dx_j = (d_ij - 1/B - z_i z_j / B) / s, because dm/dx_j = 1/B and ds/dx_j = z_j / B,
    hence dL/dx_j = (h_j - mean(h) - z_j mean(h z)) / s.
    """

    @staticmethod
    def forward(ctx: Context, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        mean = x.mean(dim=0)
        centered = x - mean
        scale = torch.rsqrt((centered * centered).mean(dim=0) + eps)
        z = centered * scale
        ctx.save_for_backward(z, scale, weight)
        return weight * z + bias

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        z, scale, weight = ctx.saved_tensors
        h = g * weight
        d_x = scale * (h - h.mean(dim=0) - z * (h * z).mean(dim=0))
        return d_x, (g * z).sum(dim=0), g.sum(dim=0), None


class AddFunction(Function):
    """y = a + b; dL/da = dL/db = g."""

    @staticmethod
    def forward(ctx: Context, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> tuple[Tensor, Tensor]:
        return g, g


class SoftmaxCrossEntropyFunction(Function):
    """L = -1/B sum_i sum_k t_ik log p_ik, p_i = softmax(z_i), t the targets, smoothed by e: t = (1 - e) y + e / K,
    y the class, as one-hot, or shares of classes.

    log p_k = z_k - log sum_j exp z_j, so d(log p_k)/dz_j = d_kj - p_j; since sum_k t_k = 1,
    dL_i/dz_ij = p_ij - t_ij, and dL/dz = (p - t) / B, times the incoming gradient of L.
    """

    @staticmethod
    def forward(ctx: Context, logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        # Subtracting the largest logit changes no probability, and prevents overflow in exp.
        shifted = logits - logits.amax(dim=1, keepdim=True)
        log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
        num_samples, num_classes = logits.shape
        if targets.is_floating_point():
            t = (1 - label_smoothing) * targets + label_smoothing / num_classes
        else:
            t = torch.full_like(logits, label_smoothing / num_classes)
            t.scatter_(1, targets[:, None], 1 - label_smoothing + label_smoothing / num_classes)
        ctx.save_for_backward(log_p, t)
        return -(t * log_p).sum() / num_samples

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> tuple[Tensor, None, None]:
        log_p, t = ctx.saved_tensors
        return g * (log_p.exp() - t) / len(t), None, None


class SigmoidCrossEntropyFunction(Function):
    """L = -1/n sum_ij t_ij log p_ij + (1 - t_ij) log(1 - p_ij), p = sigmoid(z), t 0 or 1, n the outputs in the batch.

    log p = -log(1 + e^-z) and log(1 - p) = -z - log(1 + e^-z), hence L_ij = (1 - t) z + log(1 + e^-z); since
    d log(1 + e^-z)/dz = -(1 - p), dL_ij/dz = 1 - t - (1 - p) = p - t, and dL/dz = (p - t) / n.
    """

    @staticmethod
    def forward(ctx: Context, logits: Tensor, targets: Tensor) -> Tensor:
        t = targets.to(logits.dtype)
        ctx.save_for_backward(logits, t)
        # log(1 + e^-z) = max(-z, 0) + log(1 + e^-|z|), which does not overflow.
        losses = (1 - t) * logits + (-logits).clamp(min=0) + (1 + (-logits.abs()).exp()).log()
        return losses.sum() / losses.numel()

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> tuple[Tensor, None]:
        logits, t = ctx.saved_tensors
        return g * (1 / (1 + (-logits).exp()) - t) / t.numel(), None


class SquaredErrorFunction(Function):
    """L = 1/n sum_ij (y_ij - t_ij)^2, n the number of outputs in the batch; dL/dy = 2 (y - t) / n."""

    @staticmethod
    def forward(ctx: Context, outputs: Tensor, targets: Tensor) -> Tensor:
        errors = outputs - targets
        ctx.save_for_backward(errors)
        return (errors * errors).sum() / errors.numel()

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> tuple[Tensor, None]:
        (errors,) = ctx.saved_tensors
        return g * 2 * errors / errors.numel(), None


class EmbeddingFunction(Function):
    """y_i = W_k, k = c_i the sample's category: a product with a one among zeros, hence dL/dW_k = sum_{c_i = k} g_i."""

    @staticmethod
    def forward(ctx: Context, codes: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(codes, weight)
        return weight[codes]

    @staticmethod
    def backward(ctx: Context, g: Tensor) -> tuple[None, Tensor]:
        codes, weight = ctx.saved_tensors
        return None, torch.zeros_like(weight).index_add_(0, codes, g.to(weight.dtype))


class Embedding(nn.Embedding):
    """A learned vector for each category."""

    def forward(self, codes: Tensor) -> Tensor:
        """int64 (batch,) -> (batch, embedding_dim)."""
        return EmbeddingFunction.apply(codes, self.weight)


class Linear(nn.Linear):
    """A linear layer: (batch, in) -> (batch, out)."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_features) -> (batch, out_features)."""
        return LinearFunction.apply(x, self.weight, self.bias)


class Dropout(nn.Dropout):
    """Drops units in training; the identity in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        return DropoutFunction.apply(x, self.p) if self.training else x


class BatchNorm(nn.BatchNorm1d):
    """Batch statistics in training, running ones (updated with momentum 0.1) in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features) -> the same shape.

        Raises:
            ValueError: a training batch has one sample only.
        """
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        if not self.training:
            # No gradient is needed in evaluation, so that there is none to derive.
            return self.weight * (x - self.running_mean) * torch.rsqrt(self.running_var + self.eps) + self.bias
        if len(x) < 2:
            raise ValueError("Batch norm needs at least two samples in a training batch.")
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(x.mean(dim=0), self.momentum)
            self.running_var.lerp_(x.var(dim=0, unbiased=True), self.momentum)
        return BatchNormFunction.apply(x, self.weight, self.bias, self.eps)


class Add(nn.Module):
    """Elementwise sum."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two tensors of the same shape -> their sum."""
        return AddFunction.apply(a, b)


class Elementwise(nn.Module):
    """An activation without parameters."""

    def __init__(self, function: type[Function]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        return self.function.apply(x)

    def extra_repr(self) -> str:
        return self.function.__name__.removesuffix("Function")


def softmax_cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross-entropy of (batch, classes) logits, in nats.

    The targets are int64 (batch,) indices of classes, or float (batch, classes) shares of them.
    """
    return SoftmaxCrossEntropyFunction.apply(logits, targets, label_smoothing)


def sigmoid_cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:  # noqa: ARG001
    """Mean binary cross-entropy of (batch, labels) logits and 0 or 1 for each, in nats."""
    return SigmoidCrossEntropyFunction.apply(logits, targets)


def mean_squared_error(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:  # noqa: ARG001
    """Mean squared error of (batch, values), of both, which has no labels to smooth."""
    return SquaredErrorFunction.apply(outputs, targets)


_FUNCTIONS: dict[str, type[Function]] = {
    "relu": ReluFunction,
    "leaky_relu": LeakyReluFunction,
    "sigmoid": SigmoidFunction,
    "tanh": TanhFunction,
    "gelu": GeluFunction,
}


class Scratch(FNN):
    """`fnn` with hand-derived gradients: the same settings, names of weights and results."""

    embedding: ClassVar = Embedding
    linear: ClassVar = Linear
    batch_norm: ClassVar = BatchNorm
    drop: ClassVar = Dropout
    activations: ClassVar[dict[str, Callable[[], nn.Module]]] = {
        name: lambda function=function: Elementwise(function)  # type: ignore[misc]
        for name, function in _FUNCTIONS.items()
    }
    add: ClassVar = Add

    def activation_of(self, module: nn.Module) -> str | None:
        named = {ReluFunction: "relu", SigmoidFunction: "sigmoid", TanhFunction: "tanh"}
        return named.get(module.function) if isinstance(module, Elementwise) else None

    @property
    def criterion(self) -> Criterion:  # type: ignore[override]  # the target decides
        """The loss for classes, for labels, or for values."""
        if isinstance(self.spec.target, Values):
            return mean_squared_error
        return sigmoid_cross_entropy if isinstance(self.spec.target, Labels) else softmax_cross_entropy
