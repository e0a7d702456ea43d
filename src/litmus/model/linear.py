"""Softmax regression for classes, logistic for labels, linear for values: one linear layer."""

from typing import ClassVar

from torch import Tensor, nn

from litmus.config.types import NonNegative, Probability
from litmus.config.validate import checked
from litmus.model._base import Net
from litmus.model._blocks import Dropout
from litmus.model._inputs import as_features
from litmus.spec import Columns, Images, Spec


class Linear(Net):
    """One linear layer under the task's loss: cross-entropy for classes and labels, the squared error for values.

    (Bishop 2006, sections 4.3 and 3.1.) These losses are convex: training ends near the only minimum, which with
    `l2` is that of ridge regression. Inputs are pixels, or a table's numbers, and for each category a one among zeros;
    `dropout` and `batchnorm` act on them.
    """

    input_kinds: ClassVar = (Images, Columns)
    has_hidden_matrices: ClassVar = False

    @checked
    def __init__(self, spec: Spec, *, dropout: Probability, batchnorm: bool, l2: NonNegative) -> None:
        super().__init__(spec, l2)
        flatten, num_inputs = as_features(spec.input, None)
        self.features = nn.Sequential(
            flatten,
            *([nn.BatchNorm1d(num_inputs)] if batchnorm else []),
            *([Dropout(dropout)] if dropout else []),
        )
        self.head = nn.Linear(num_inputs, self.num_outputs)
        nn.init.zeros_(self.head.weight)  # the loss is convex: any start will do, and zeros favor no class
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) or (batch, columns) float -> (batch, names of the target), unbounded."""
        return self.head(self.features(x))
