"""Classification of images that are made of two: targets are shares of classes."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from litmus.model.fnn import FNN
from litmus.model.scratch import softmax_cross_entropy
from litmus.optimizer import adam
from litmus.scheduler import none
from litmus.spec import Spec
from litmus.task.classification import Classification, ClassMetrics

ADAM = partial(adam, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8)
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.0])


def drawn() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits, float64 (6, 4); two classes of each; and the share of the first."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, dtype=torch.float64, generator=generator)
    first, second = torch.randint(3, (2, 6), generator=generator)
    return logits, first, second, torch.rand(6, dtype=torch.float64, generator=generator)


def mixed(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    return share[:, None] * one_hot(first, 4) + (1 - share)[:, None] * one_hot(second, 4)


def task(spec: Spec, label_smoothing: float = 0.0, weights: Tensor | None = None) -> Classification:
    net = FNN(spec, widths=[4], activation="relu", init="he", residual=False, dropout=0.0, batchnorm=False, l2=0.0)
    made = Classification(
        net, ADAM, none, label_smoothing=label_smoothing, balanced=weights is not None, baselines=False
    )
    made.weights = weights
    return made


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS.double()], ids=["plain", "weighted"])
def test_whole_shares_are_class_numbers(digits: Spec, smoothing: float, weights: Tensor | None) -> None:
    logits, first, second, _ = drawn()
    own = task(digits, smoothing, weights)
    for split in ("train", "val"):
        expected = own.loss(logits, first, split)
        assert own.loss(logits, mixed(first, second, torch.ones(6, dtype=torch.float64)), split) == pytest.approx(
            float(expected), abs=1e-12
        )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_both_classes_by_their_shares(digits: Spec, smoothing: float) -> None:
    logits, first, second, share = drawn()
    each = [cross_entropy(logits, own, reduction="none", label_smoothing=smoothing) for own in (first, second)]
    expected = (share * each[0] + (1 - share) * each[1]).mean()
    targets = mixed(first, second, share)
    assert float(task(digits, smoothing).loss(logits, targets, "train")) == pytest.approx(float(expected), abs=1e-12)


def test_with_weights_each_class_weighs_by_its_share(digits: Spec) -> None:
    logits, first, second, share = drawn()
    weights = WEIGHTS.double()
    log_p = logits.log_softmax(dim=1)
    total, sum_of_weights = 0.0, 0.0
    for i in range(6):
        for own, part in ((first[i], share[i]), (second[i], 1 - share[i])):
            total -= float(part * weights[own] * log_p[i, own])
            sum_of_weights += float(part * weights[own])
    loss = task(digits, weights=weights).loss(logits, mixed(first, second, share), "train")
    assert float(loss) == pytest.approx(total / sum_of_weights, abs=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_derived_by_hand_is_torch_s(smoothing: float) -> None:
    logits, first, second, share = drawn()
    targets = mixed(first, second, share)
    gradients = []
    for loss in (partial(softmax_cross_entropy, label_smoothing=smoothing), None):
        own = logits.clone().requires_grad_()
        value = loss(own, targets) if loss else cross_entropy(own, targets, label_smoothing=smoothing)
        (3 * value).backward()
        gradients.append(own.grad)
    assert torch.allclose(*gradients, atol=1e-12)


def test_the_share_of_the_predicted_class_is_correct() -> None:
    metrics = ClassMetrics()
    logits = torch.eye(4)[[0, 1, 2, 3]]
    targets = mixed(torch.tensor([0, 0, 2, 0]), torch.tensor([1, 1, 2, 1]), torch.tensor([0.75, 0.75, 0.3, 0.5]))
    metrics.update(torch.tensor(0.7), logits, targets.float())
    assert metrics.compute()["acc"].item() == pytest.approx((0.75 + 0.25 + 1 + 0) / 4)
    assert metrics.compute()["loss"].item() == pytest.approx(0.7)
