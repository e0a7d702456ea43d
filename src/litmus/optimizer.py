"""Optimizers: one function per choice of `optimizer=`, each taking a network's parameter groups.

`fused` runs a whole step in one kernel: on a CPU a step of a small network's Adam then takes about
a third of the time. RMSprop, Lion and Adafactor have no such kernel. With float16's scaled gradients `fused` must be
off: the kernel would undo the scaling only after the gradient was measured and clipped.

A group has `lr_scale`, its fraction of the rate, and `is_hidden`, which says of each of its parameters whether it is a
matrix between layers: see `litmus.model._base.Net.hidden_matrices`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, Adafactor, Adam, AdamW, Muon, Optimizer, RMSprop

from litmus.config.preflight import NO_MATRICES
from litmus.config.types import Fraction, NonNegative, Positive, Section
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.parallel.sharding import is_shard

Groups = list[Section]
OWN = ("lr_scale", "is_hidden")  # keys of a group that torch does not know


@checked
def sgd(groups: Groups, fused: bool, *, lr: Positive, momentum: Fraction, nesterov: bool) -> Optimizer:
    """Stochastic gradient descent with (Nesterov) momentum (Sutskever et al. 2013)."""
    shards = any(is_shard(weight) for group in groups for weight in group["params"])  # which torch's kernel is not for
    own, nesterov = _with_lr(groups, lr), nesterov and momentum > 0
    foreach = True if shards else None
    return SGD(own, lr, momentum, nesterov=nesterov, foreach=foreach, fused=fused and not shards)


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


@checked
def adafactor(groups: Groups, fused: bool, *, lr: Positive, decay: Fraction, eps: Positive) -> Optimizer:
    """Adafactor (Shazeer and Stern 2018): of a matrix, it remembers a number for each row and column.

    `lr` is relative to a weight's root mean square, or to `eps` where that is more, and at most 1 / sqrt(step); weight
    decay is decoupled.
    """
    return Adafactor(_with_lr(groups, lr), lr=lr, beta2_decay=-decay, eps=(None, eps), foreach=True)


@checked
def lion(groups: Groups, fused: bool, *, lr: Positive, beta1: Fraction, beta2: Fraction) -> Optimizer:
    """Lion (Chen et al. 2023): each weight moves by the rate, in the direction of an average of gradients."""
    return Lion(_with_lr(groups, lr), beta1, beta2)


@checked
def muon(
    groups: Groups,
    fused: bool,
    *,
    lr: Positive,
    momentum: Fraction,
    nesterov: bool,
    beta1: Fraction,
    beta2: Fraction,
    eps: NonNegative,
) -> Optimizer:
    """Muon (Jordan et al. 2024) for the matrices between layers, and AdamW for all others.

    Muon's updates have the size of AdamW's (Liu et al. 2025, section 2.2), so that one rate suits both.

    Raises:
        UserError: there are no such matrices.
    """
    matrices, others = _divided(groups)
    if not matrices:
        raise UserError(NO_MATRICES)
    own = Muon(_with_lr(matrices, lr), lr, momentum=momentum, nesterov=nesterov, adjust_lr_fn="match_rms_adamw")
    adamw = AdamW(_with_lr(others, lr), lr=lr, betas=(beta1, beta2), eps=eps, fused=fused)
    return Joint(own, adamw)


class Lion(Optimizer):
    """The optimizer of Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2.

    torch has none, and the packages that do are an installation for twenty lines.

    Args:
        groups: of parameters, each with its rate and weight decay.
        beta1: how much of a step's direction is the average's; the rest is the gradient's.
        beta2: how much of the average stays, each step.
    """

    def __init__(self, groups: Groups, beta1: float, beta2: float) -> None:
        super().__init__(groups, {"beta1": beta1, "beta2": beta2, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # whatever the closure gives
        loss = _called(closure)
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            gradients = [weight.grad for weight in weights]
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["average"] = torch.zeros_like(weight)
            averages = [self.state[weight]["average"] for weight in weights]
            # Private: one call for all tensors, as torch's own optimizers do.
            moves = torch._foreach_lerp(averages, gradients, 1 - group["beta1"])
            torch._foreach_sign_(moves)
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(weights, moves, alpha=-group["lr"])
            torch._foreach_lerp_(averages, gradients, 1 - group["beta2"])
        return loss


class Joint(Optimizer):
    """Two optimizers, each with parameters of its own, that are one to Lightning, schedules and checkpoints."""

    def __init__(self, first: Optimizer, second: Optimizer) -> None:
        self.parts = (first, second)
        super().__init__([*first.param_groups, *second.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Both work on the groups and the state that this one has."""
        first, second = self.parts
        number = len(first.param_groups)
        first.param_groups, second.param_groups = self.param_groups[:number], self.param_groups[number:]
        first.state = second.state = self.state

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # whatever the closure gives
        loss = _called(closure)
        for part in self.parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: Section) -> None:
        super().load_state_dict(state_dict)
        self._share()


def _called(closure: Callable[[], Any] | None) -> Any:  # whatever the closure gives
    with torch.enable_grad():
        return None if closure is None else closure()


def _with_lr(groups: Groups, lr: float) -> Groups:
    """Each group at its own fraction of the rate: a network may want less for what was pretrained."""
    return [{**{k: v for k, v in g.items() if k not in OWN}, "lr": lr * g.get("lr_scale", 1.0)} for g in groups]


def _divided(groups: Groups) -> tuple[Groups, Groups]:
    """The groups of the matrices between layers, and those of all other parameters."""

    def only(wanted: bool) -> Groups:
        pairs = [(group, zip(group["params"], group["is_hidden"], strict=True)) for group in groups]
        chosen = [{**group, "params": [p for p, is_hidden in own if is_hidden is wanted]} for group, own in pairs]
        return [group for group in chosen if group["params"]]

    return only(True), only(False)
