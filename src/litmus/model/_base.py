"""What every network shares: its contract with a dataset, its regularizers, its parameter groups."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from litmus import model as siblings
from litmus.errors import UserError
from litmus.spec import Classes, Images, Input, Series, Spec, Target, Tokens

Criterion = Callable[[Tensor, Tensor, float], Tensor]


class Net(nn.Module):
    """A network that reads `spec.input` and answers with `spec.target`.

    Subclasses name what they can read and answer, and take their own settings as keyword arguments
    without defaults (those live in `conf/model/`).

    Attributes:
        reads: the input kinds the network can read.
        answers: the target kinds it can produce.
        gains_from_bf16: whether bf16 arithmetic makes it faster where the device has it; small
            dense networks lose more to conversions than they win.
        provenance: where its weights come from, in a sentence, if from anywhere.
        criterion: a training loss that is part of what the network is, `(outputs, targets,
            label_smoothing) -> scalar`; None leaves the loss to the task.
    """

    input_kinds: ClassVar[tuple[type[Input], ...]] = ()
    target_kinds: ClassVar[tuple[type[Target], ...]] = (Classes,)
    gains_from_bf16: ClassVar[bool] = False
    criterion: Criterion | None = None
    provenance: str = ""

    def __init__(self, spec: Spec, l2: float) -> None:
        super().__init__()
        self.check_fits(spec)
        self.spec = spec
        self.l2 = l2

    @classmethod
    def fits(cls, spec: Spec) -> bool:
        """Whether the network reads this input and answers with this target."""
        return isinstance(spec.input, cls.input_kinds) and isinstance(spec.target, cls.target_kinds)

    @classmethod
    def check_fits(cls, spec: Spec) -> None:
        """Raises `UserError`, with networks that would fit, if this one does not."""
        if not cls.fits(spec):
            raise UserError(_refusal(cls, spec))

    @property
    def num_outputs(self) -> int:
        """Size of the network's answer: the number of classes, or of values."""
        return len(self.spec.target.names)

    @classmethod
    def token_spec(cls, settings: dict[str, Any], texts: Sequence[str]) -> Tokens | None:  # noqa: ARG003  # networks use them
        """How the network wants texts as numbers; None for one that does not read texts.

        Args:
            settings: the network's own keys and values.
            texts: of the training part, for a vocabulary to be made of.
        """
        return None

    @classmethod
    def image_spec(cls, settings: dict[str, Any], images: Images) -> Images:  # noqa: ARG003  # networks use them
        """How the network wants pictures; as they are, if it does not mind.

        Args:
            settings: the network's own keys and values.
            images: how the data has them, with a size of 0 and no mean where it leaves them to the network.
        """
        return images

    @classmethod
    def pretrained_spec(cls, arch: str) -> tuple[str, Spec]:
        """The value of `model.weights` that means published weights, and what they read and answer.

        Raises:
            UserError: there are none, or they cannot be had.
        """
        raise UserError(f"There are no published weights of {arch}.")

    @property
    def frozen_part(self) -> Callable[[Tensor], Tensor] | None:
        """The part in front that training does not change, `images -> features`, if `forward` takes its results, too.

        Those features need computing only once.
        """
        return None

    def rebuild_settings(self) -> dict[str, Any]:
        """Settings by which a checkpoint rebuilds the network without the files that it was made of; plain values."""
        return {}

    def max_differences(self, answer: Tensor, other: Tensor) -> list[tuple[float, float]]:
        """The largest difference between two answers to the same inputs, and the largest number, for numbers of a kind.

        Args:
            answer: of `forward`, in evaluation.
            other: another program's.
        """
        return [(float((other - answer).abs().max()), float(answer.abs().max()))]

    def example(self, batch_size: int) -> Tensor:
        """An input of the right shape and type, of zeros (a text: 8 tokens that are not padding)."""
        read = self.spec.input
        if isinstance(read, Images):
            return torch.zeros(batch_size, read.channels, read.height, read.width)
        if isinstance(read, Series):
            return torch.zeros(batch_size, read.length, read.features)
        return torch.full((batch_size, 8), 1 if read.padding == 0 else 0)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Optimizer groups: weights under L2, then everything else.

        The loss gains `l2 * sum(w**2)`, whose gradient is `2 * l2 * w`: a weight decay of 2 * l2.
        """
        decayed = self._decayed()
        others = [p for p in self.parameters() if p.requires_grad and all(p is not d for d in decayed)]
        groups = [{"params": decayed, "weight_decay": 2 * self.l2}, {"params": others, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    def l2_penalty(self) -> Tensor:
        """`l2 * sum(w**2)` over the weights under L2, a float32 scalar."""
        with torch.no_grad():
            return self.l2 * sum((w.float().square().sum() for w in self._decayed()), torch.zeros(()))

    def _decayed(self) -> list[nn.Parameter]:
        """Matrices and kernels; not biases and norms (vectors), not embeddings."""
        embeddings = {id(m.weight) for m in self.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
        return [p for p in self.parameters() if p.requires_grad and p.ndim >= 2 and id(p) not in embeddings]


def by_depth(groups: list[dict[str, Any]], depth: dict[int, int], lr_decay: float) -> list[dict[str, Any]]:
    """Divides parameter groups by how many steps below the head a parameter lies, the deepest first.

    Args:
        groups: as `Net.parameter_groups` gives them.
        depth: steps, by a parameter's `id`; 0 for those that are not in it.
        lr_decay: each step learns so many times as fast as the one above it (Howard and Ruder 2018).
    """
    return [
        {**group, "params": at, "lr_scale": lr_decay**steps}
        for steps in sorted({0, *depth.values()}, reverse=True)
        for group in groups
        if (at := [p for p in group["params"] if depth.get(id(p), 0) == steps])
    ]


def _refusal(wanted: type[Net], spec: Spec) -> str:
    """`model=cnn reads images; data=sentiment gives tokens. Try model=lstm or model=bert.`"""
    name = wanted.__module__.rpartition(".")[2]
    if isinstance(spec.input, wanted.input_kinds):
        said = f"model={name} answers with {_nouns(wanted.target_kinds)}; data={spec.data} asks for {spec.target.noun}."
    else:
        said = f"model={name} reads {_nouns(wanted.input_kinds)}; data={spec.data} gives {spec.input.noun}."
    fitting = [f"model={other}" for other in _names() if _fits(other, spec)]
    return f"{said} Try {' or '.join(fitting)}." if fitting else f"{said} No network here fits that data."


def _nouns(kinds: tuple[Any, ...]) -> str:
    return " or ".join(kind.noun for kind in kinds)


def _names() -> list[str]:
    return [m.name for m in pkgutil.iter_modules(siblings.__path__) if not m.name.startswith("_")]


def _fits(name: str, spec: Spec) -> bool:
    try:
        module = importlib.import_module(f"{siblings.__name__}.{name}")
    except ImportError:  # its library is an extra that is not installed: nothing to propose
        return False
    nets = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Net)]
    return any(net.__module__ == module.__name__ and net.fits(spec) for net in nets)
