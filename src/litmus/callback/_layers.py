"""What a step shows of a network's layers: gradients, updates, activations; nothing waits for the device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from litmus.config.protocols import Net
from litmus.page.selection import evenly
from litmus.parallel.sharding import whole

MOST_LAYERS = 60  # that are examined; of more, evenly chosen ones
MOST_SAMPLES, MOST_NUMBERS = 32, 2_000_000  # of a batch, and of outputs, where an activation gives maps
EDGE = 0.02  # of an activation's range, within which it is saturated
RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
Sums = dict[str, Tensor]


@dataclass(frozen=True)
class Watched:
    """A layer to be examined: one with a matrix or kernel that is trained, or an activation.

    Attributes:
        name: in the network.
        module: itself.
        weight: its matrix or kernel, if it has one.
        bias: that of the same layer, if it has one.
        activation: relu, sigmoid or tanh; None for others.
    """

    name: str
    module: nn.Module
    weight: nn.Parameter | None
    bias: nn.Parameter | None
    activation: str | None


def watched(net: Net) -> list[Watched]:
    """The layers of a network that can be examined, from input to output.

    Embeddings are not: a step changes few of their rows.
    """
    found = [
        Watched(name, module, _matrix(module), _bias(module), net.activation_of(module))
        for name, module in net.named_modules()
        if not isinstance(module, nn.Embedding | nn.EmbeddingBag)
    ]
    found = [each for each in found if each.weight is not None or each.activation is not None]
    return [found[row] for row in evenly(len(found), MOST_LAYERS)]


def _matrix(module: nn.Module) -> nn.Parameter | None:
    own = (p for p in module.parameters(recurse=False) if p.requires_grad and p.ndim >= 2)
    return next(own, None)


def _norm(tensor: Tensor) -> Tensor:
    return whole(tensor.detach().float().norm())


def _bias(module: nn.Module) -> nn.Parameter | None:
    own = (p for name, p in module.named_parameters(recurse=False) if name == "bias" and p.requires_grad)
    return next(own, None)


class Probe:
    """The layers of a network, examined in single steps of its training.

    Args:
        layers: which.

    Attributes:
        sums: by layer and what was measured, summed over the steps so far.
        first: the same of the training's first step alone.
    """

    def __init__(self, layers: list[Watched]) -> None:
        self.layers = layers
        self.sums: dict[int, Sums] = {}
        self.first: dict[int, Sums] = {}
        self._before: list[Tensor | None] = []
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def begin(self) -> None:
        """Called before a step: keeps the weights, and looks at what activations give in it."""
        self._before = [None if each.weight is None else each.weight.detach().clone() for each in self.layers]
        for number, each in enumerate(self.layers):
            if each.activation is not None:
                self._hooks.append(each.module.register_forward_hook(self._hook(number, each.activation)))

    def end(self, is_first: bool) -> None:
        """Called after the step, whose gradients are still there.

        Args:
            is_first: whether it was the first one of the training.
        """
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        for number, (each, before) in enumerate(zip(self.layers, self._before, strict=True)):
            if each.weight is not None and before is not None and each.weight.grad is not None:
                self._add_step(number, each.weight.detach(), each.weight.grad, before)
                if each.bias is not None and each.bias.grad is not None:
                    self._add(number, bias=_norm(each.bias.grad) / each.bias.numel() ** 0.5)
        self._before = []
        if is_first:
            self.first = {
                number: {name: each.clone() for name, each in own.items()} for number, own in self.sums.items()
            }

    def _add_step(self, number: int, weight: Tensor, gradient: Tensor, before: Tensor) -> None:
        self._add(
            number,
            steps=torch.ones((), device=weight.device),
            gradient=_norm(gradient) / weight.numel() ** 0.5,
            change=_norm(weight - before),
            size=_norm(weight),  # afterwards: a head may begin with zeros
        )

    def _hook(self, number: int, activation: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def look(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
            if not module.training:
                return
            with torch.no_grad():
                out = output.detach()
                if not len(out):  # of a process that has no rows of the last batch
                    return
                if out.ndim > 2:  # a map has many outputs of each unit: a part of the batch shows as much
                    out = out[: max(1, min(MOST_SAMPLES, MOST_NUMBERS // out[0].numel()))]
                    out = out.movedim(1, -1).reshape(-1, out.shape[1])
                own = {"calls": torch.ones((), device=out.device), "mean": out.mean(dtype=torch.float32)}
                own["square"] = torch.linalg.vector_norm(out, dtype=torch.float32).square() / out.numel()
                if activation == "relu":
                    own["active"] = (out.amax(dim=0) > 0).float()
                elif activation in RANGES:
                    low, high = RANGES[activation]
                    edge = EDGE * (high - low)
                    own["saturated"] = ((out < low + edge) | (out > high - edge)).float().mean()
                self._add(number, **own)

        return look

    def _add(self, number: int, **values: Tensor) -> None:
        own = self.sums.setdefault(number, {})
        for name, value in values.items():
            own[name] = own[name] + value if name in own else value


def measured(sums: dict[int, Sums], num_layers: int) -> dict[str, list[float | None]]:
    """Means over the steps that were examined, by `doctor.evidence.Health`'s names; reads the device once.

    Args:
        sums: of `Probe`.
        num_layers: how many there are; those that were not examined have None.
    """
    tensors: list[Tensor] = []
    places: list[tuple[str, int]] = []
    for number, own in sums.items():
        found: Sums = {}
        if "steps" in own:
            found["gradient"] = own["gradient"] / own["steps"]
            found["update"] = own["change"] / own["size"].clamp(min=1e-12)
        if "bias" in own:
            found["bias"] = own["bias"] / own["gradient"].clamp(min=1e-30)
        if "calls" in own:
            found["rms"] = (own["square"] / own["calls"]).sqrt()
        if "mean" in own:  # not in a checkpoint of an earlier version
            found["mean"] = own["mean"] / own["calls"]
        if "active" in own:
            found["dead"] = (own["active"] == 0).float().mean()
        if "saturated" in own:
            found["saturated"] = own["saturated"] / own["calls"]
        places += [(name, number) for name in found]
        tensors += found.values()
    values = torch.stack([each.float().reshape(()) for each in tensors]).tolist() if tensors else []
    rows: dict[str, list[float | None]] = {
        name: [None] * num_layers for name in ("gradient", "update", "bias", "rms", "mean", "dead", "saturated")
    }
    for (name, number), value in zip(places, values, strict=True):
        rows[name][number] = value
    return rows
