"""The feed-forward network, or multi-layer perceptron (Rumelhart, Hinton and Williams 1986)."""

from collections.abc import Callable
from typing import ClassVar, cast

from torch import Tensor, nn

from litmus.config.types import Activation, Init, NonNegative, Probability, Widths
from litmus.config.validate import checked
from litmus.model._base import Net
from litmus.model._blocks import ACTIVATIONS, Add, Dropout, Residual, initialize
from litmus.model._inputs import as_features
from litmus.spec import Columns, Images, Spec


class FNN(Net):
    """Dense layers of the given widths, each linear -> (batch norm) -> activation -> (dropout), and a linear head.

    With `residual`, each layer's output is added to its input (He et al. 2016); where the width
    changes, the input passes through a linear projection without bias. A table's categories are embedded,
    and the head begins with zeros.
    """

    input_kinds: ClassVar = (Images, Columns)

    # The classes of its layers: `scratch` builds the same network from its own.
    embedding: ClassVar[Callable[..., nn.Module]] = nn.Embedding
    linear: ClassVar[Callable[..., nn.Module]] = nn.Linear
    batch_norm: ClassVar[Callable[..., nn.Module]] = nn.BatchNorm1d
    drop: ClassVar[Callable[..., nn.Module]] = Dropout
    activations: ClassVar[dict[str, Callable[[], nn.Module]]] = ACTIVATIONS
    add: ClassVar[Callable[..., nn.Module]] = Add

    @checked
    def __init__(
        self,
        spec: Spec,
        *,
        widths: Widths,
        activation: Activation,
        init: Init,
        residual: bool,
        dropout: Probability,
        batchnorm: bool,
        l2: NonNegative,
    ) -> None:
        super().__init__(spec, l2)
        flatten, num_inputs = as_features(spec.input, self.embedding)
        layers: list[nn.Module] = []
        for width in widths:
            block = nn.Sequential(
                self.linear(num_inputs, width),
                *([self.batch_norm(width)] if batchnorm else []),
                self.activations[activation](),
                *([self.drop(dropout)] if dropout else []),
            )
            if residual:
                same = num_inputs == width
                shortcut = nn.Identity() if same else self.linear(num_inputs, width, bias=False)
                layers.append(Residual(block, shortcut, self.add()))
            else:
                layers.append(block)
            num_inputs = width
        self.features = nn.Sequential(flatten, *layers)
        self.head = self.linear(num_inputs, self.num_outputs)
        initialize(self, init, activation)
        if isinstance(spec.input, Columns):
            # Tables have few rows, which cannot undo a random function of the start where there are none of them.
            nn.init.zeros_(cast(nn.Linear, self.head).weight)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) or (batch, columns) float -> (batch, names of the target), unbounded."""
        return self.head(self.features(x))
