"""The perceptron of Rosenblatt 1958, for several classes, or for several labels."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from litmus.config.types import NonNegative, Probability
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.model._base import Criterion, Net
from litmus.model._blocks import Dropout
from litmus.model._inputs import as_features
from litmus.spec import Classes, Columns, Images, Labels, Spec


def perceptron_loss(scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    """A loss whose gradient is the multi-class perceptron rule (Duda, Hart and Stork 2001, sec. 5.12).

    With y the true class and k the class of the highest score s, the loss of one sample is
    `s_k - s_y`: zero when k = y, and otherwise with gradient +x for w_k and -x for w_y. A step of
    gradient descent therefore adds x to the weights of the true class and subtracts it from those
    of the wrongly predicted one: the perceptron rule, averaged over the batch.

    Args:
        scores: float (batch, classes).
        targets: int64 (batch,), indices of classes.
        label_smoothing: must be 0.

    Raises:
        UserError: `label_smoothing` is not 0.
    """
    if label_smoothing:
        raise UserError("The perceptron rule of model=perceptron has no soft targets. Set task.label_smoothing=0.")
    return (scores.amax(dim=1) - scores.gather(1, targets[:, None]).squeeze(1)).mean()


def label_loss(scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:  # noqa: ARG001  # a Criterion
    """Rosenblatt's own rule for each label: with y = 1 where it applies, else -1, the loss is -y s if s > 0 is wrong.

    A step of gradient descent adds y x to the weights of every label that is wrong, averaged over the batch.

    Args:
        scores: float (batch, labels).
        targets: (batch, labels), 0 or 1.
        label_smoothing: there are no soft targets.
    """
    applies = targets.bool()
    signed = torch.where(applies, -scores, scores)
    return torch.where((scores > 0) != applies, signed, 0.0).sum(dim=1).mean()


class Perceptron(Net):
    """One linear layer, trained by the perceptron rule. `dropout` and `batchnorm` act on its inputs.

    These are pixels, or a table's numbers, and for each category a one among zeros.
    """

    input_kinds: ClassVar = (Images, Columns)
    target_kinds: ClassVar = (Classes, Labels)
    predicts_probabilities: ClassVar = False  # the rule asks for the right order of the scores alone, or their sign
    rate_matters: ClassVar = False  # see `__init__`
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
        # From zero weights, the rule does not depend on their scale: only the order of the scores matters, so
        # that the learning rate changes nothing but the size of the weights.
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    @property
    def criterion(self) -> Criterion:  # type: ignore[override]  # the target decides
        """The rule for classes, or for labels."""
        return label_loss if isinstance(self.spec.target, Labels) else perceptron_loss

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) or (batch, columns) float -> (batch, classes or labels) scores."""
        return self.head(self.features(x))
