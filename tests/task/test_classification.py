import math
from functools import partial

import lightning.pytorch as lightning
import pytest
import torch

from litmus.errors import UserError
from litmus.model.fnn import FNN
from litmus.model.perceptron import Perceptron
from litmus.optimizer import adam
from litmus.scheduler import none
from litmus.spec import Spec
from litmus.task.classification import Classification, ClassMetrics, DetailedMetrics

ADAM = partial(adam, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8)


def test_worked_numbers_over_batches_of_different_sizes() -> None:
    metrics = ClassMetrics()
    metrics.update(torch.tensor(0.5), torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0]]), torch.tensor([0, 1, 1]))
    metrics.update(torch.tensor(2.0), torch.tensor([[1.0, 2.0]]), torch.tensor([0]))
    assert {k: v.item() for k, v in metrics.compute().items()} == {"loss": (0.5 * 3 + 2.0) / 4, "acc": 2 / 4}
    metrics.reset()
    metrics.update(torch.tensor(1.0), torch.tensor([[1.0, 2.0]]), torch.tensor([1]))
    assert {k: v.item() for k, v in metrics.compute().items()} == {"loss": 1.0, "acc": 1.0}


@pytest.mark.parametrize("names", ["abc", "abcde"], ids=["all present", "two absent"])
def test_f1_is_scikit_learn_s_whatever_classes_are_absent(names: str) -> None:
    """Of a, b, c: a is right once and missed once, b is predicted though it does not occur, c is always right."""
    from sklearn.metrics import f1_score, precision_score, recall_score

    targets, predicted = torch.tensor([0, 0, 2, 2]), torch.tensor([0, 1, 2, 2])
    metrics = DetailedMetrics(tuple(names), per_class=True)
    metrics.update(torch.tensor(1.0), torch.eye(len(names))[predicted], targets)
    got = {name: float(value) for name, value in metrics.compute().items()}
    assert got["f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    for name, average in (("f1", "macro"), ("f1_weighted", "weighted")):
        assert got[name] == pytest.approx(f1_score(targets, predicted, average=average))
    for name, score in (("precision", precision_score), ("recall", recall_score)):
        expected = score(targets, predicted, average=None, zero_division=0.0)
        assert [value for key, value in got.items() if key.startswith(f"{name}_")] == pytest.approx(list(expected))


def task(spec: Spec, label_smoothing: float, balanced: bool = False) -> Classification:
    net = FNN(spec, widths=[4], activation="relu", init="he", residual=False, dropout=0.0, batchnorm=False, l2=0.0)
    return Classification(net, ADAM, none, label_smoothing=label_smoothing, balanced=balanced, baselines=False)


def test_labels_are_smoothed_in_training_alone(digits: Spec) -> None:
    logits, targets = torch.zeros(1, 10), torch.tensor([3])
    logits[0, 3] = 2.0
    log_sum = math.log(9 + math.exp(2))
    hard = log_sum - 2
    soft = 0.9 * hard + 0.1 * (0.1 * hard + 0.9 * log_sum)
    smoothed = task(digits, 0.1)
    assert smoothed.loss(logits, targets, "train").item() == pytest.approx(soft, abs=1e-6)
    assert smoothed.loss(logits, targets, "val").item() == pytest.approx(hard, abs=1e-6)
    assert smoothed.loss(logits, targets, "test").item() == pytest.approx(hard, abs=1e-6)


class Counted(lightning.LightningDataModule):
    """Data whose last two classes are not in the training split."""

    class_counts = torch.tensor([4, 1, 1, 1, 1, 1, 1, 2, 0, 0])


def test_a_class_without_training_samples_weighs_nothing(digits: Spec) -> None:
    balanced = task(digits, 0.1, balanced=True)
    balanced.trainer = lightning.Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    balanced.trainer.datamodule = Counted()
    balanced.on_fit_start()
    logits = torch.randn(3, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = balanced.loss(logits, torch.tensor([0, 1, 7]), "train")
    weights = torch.tensor([12 / (10 * count) if count else 0.0 for count in Counted.class_counts.tolist()])
    log_p = logits.log_softmax(dim=1)
    smoothed = -(0.9 * weights[[0, 1, 7]] * log_p[[0, 1, 2], [0, 1, 7]] + 0.01 * (weights * log_p).sum(dim=1))
    assert loss.item() == pytest.approx((smoothed.sum() / weights[[0, 1, 7]].sum()).item())
    loss.backward()
    assert logits.grad.isfinite().all()


def test_a_network_s_own_loss_is_used_and_says_what_it_cannot(digits: Spec) -> None:
    net = Perceptron(digits, dropout=0.0, batchnorm=False, l2=0.0)
    own = Classification(net, ADAM, none, label_smoothing=0.0, balanced=False, baselines=False)
    assert own.loss(torch.tensor([[1.0, 3.0]]), torch.tensor([0]), "train").item() == 2.0
    with pytest.raises(UserError, match="label_smoothing=0"):
        Classification(net, ADAM, none, label_smoothing=0.1, balanced=False, baselines=False)


def test_many_classes_take_little_memory() -> None:
    """A confusion matrix of 50,000 classes would take 20 GB."""
    names = tuple(map(str, range(50_000)))
    metrics = DetailedMetrics(names, per_class=True)
    targets = torch.arange(6) * 9000
    metrics.update(torch.tensor(1.0), torch.zeros(6, len(names)).scatter_(1, targets[:, None], 1.0), targets)
    assert sum(value.nbytes for value in metrics.sums.values()) < 2_000_000
    assert metrics.compute()["f1"].item() == 1.0
