"""Optimizers: one function per choice of `optimizer=`, each taking a network's parameter groups.

`fused` runs a whole step in one kernel: on a CPU a step of a small network's Adam then takes about
a third of the time. RMSprop has no such kernel. With float16's scaled gradients `fused` must be off: the
kernel would undo the scaling only after the gradient was measured and clipped.
"""

from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from litmus.config.types import Fraction, NonNegative, Positive, Section
from litmus.config.validate import checked

Groups = list[Section]


@checked
def sgd(groups: Groups, fused: bool, *, lr: Positive, momentum: Fraction, nesterov: bool) -> Optimizer:
    """Stochastic gradient descent with (Nesterov) momentum (Sutskever et al. 2013)."""
    return SGD(_with_lr(groups, lr), lr=lr, momentum=momentum, nesterov=nesterov and momentum > 0, fused=fused)


@checked
def adam(groups: Groups, fused: bool, *, lr: Positive, beta1: Fraction, beta2: Fraction, eps: NonNegative) -> Optimizer:
    """Adam (Kingma and Ba 2015); weight decay enters the gradient, which is L2 exactly."""
    return Adam(_with_lr(groups, lr), lr=lr, betas=(beta1, beta2), eps=eps, fused=fused)


@checked
def adamw(
    groups: Groups, fused: bool, *, lr: Positive, beta1: Fraction, beta2: Fraction, eps: NonNegative
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    return AdamW(_with_lr(groups, lr), lr=lr, betas=(beta1, beta2), eps=eps, fused=fused)


@checked
def rmsprop(
    groups: Groups, fused: bool, *, lr: Positive, alpha: Fraction, momentum: Fraction, eps: NonNegative
) -> Optimizer:
    """RMSprop (Hinton 2012, lecture 6e)."""
    return RMSprop(_with_lr(groups, lr), lr=lr, alpha=alpha, momentum=momentum, eps=eps)


def _with_lr(groups: Groups, lr: float) -> Groups:
    """Each group at its own fraction of the rate: a network may want less for what was pretrained."""
    return [{**{k: v for k, v in g.items() if k != "lr_scale"}, "lr": lr * g.get("lr_scale", 1.0)} for g in groups]
