"""Several labels: the loss, F1 against scikit-learn's, and what rare labels weigh."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from helpers import COLUMNS
from sklearn.metrics import f1_score, precision_score, recall_score
from torch.nn.functional import binary_cross_entropy_with_logits

from litmus.errors import UserError
from litmus.model.linear import Linear
from litmus.model.perceptron import Perceptron
from litmus.spec import Labels
from litmus.task.multilabel import LabelMetrics, Multilabel

SPEC = replace(COLUMNS, target=Labels(("big", "old", "red", "never")))
OFF = {"dropout": 0.0, "batchnorm": False, "l2": 0.0}
GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(40, 4, generator=GENERATOR) - torch.tensor([0.0, 0.5, 1.0, 100.0])
TARGETS = (torch.rand(40, 4, generator=GENERATOR) < torch.tensor([0.6, 0.3, 0.1, 0.0])).to(torch.uint8)


def task(balanced: bool = False) -> Multilabel:
    return Multilabel(Linear(SPEC, **OFF), None, None, balanced=balanced, baselines=True)


def test_f1_is_scikit_learn_s_over_batches() -> None:
    metrics = LabelMetrics(SPEC.target.names, per_label=True)
    for rows in (slice(0, 25), slice(25, 40)):
        loss = binary_cross_entropy_with_logits(LOGITS[rows], TARGETS[rows].float())
        metrics.update(loss, LOGITS[rows], TARGETS[rows])
    found = {name: float(value) for name, value in metrics.compute().items()}
    predicted, here = LOGITS > 0, [0, 1, 2]  # the fourth is neither there nor predicted
    assert found["loss"] == pytest.approx(float(binary_cross_entropy_with_logits(LOGITS, TARGETS.float())))
    assert found["f1_micro"] == pytest.approx(f1_score(TARGETS, predicted, average="micro"))
    assert found["f1_macro"] == pytest.approx(f1_score(TARGETS[:, here], predicted[:, here], average="macro"))
    assert found["exact_match"] == pytest.approx((predicted == TARGETS).all(dim=1).float().mean())
    for what, score in (("precision", precision_score), ("recall", recall_score)):
        for i in here:
            expected = score(TARGETS[:, i], predicted[:, i])
            assert found[f"{what}_{SPEC.target.names[i]}"] == pytest.approx(expected)
    assert "recall_never" not in found


def test_nothing_predicted_and_nothing_there_is_no_error() -> None:
    metrics = LabelMetrics(SPEC.target.names, per_label=True)
    metrics.update(torch.tensor(0.1), torch.full((3, 4), -1.0), torch.zeros(3, 4, dtype=torch.uint8))
    found = {name: float(value) for name, value in metrics.compute().items()}
    assert (found["f1_micro"], found["f1_macro"], found["exact_match"]) == (0.0, 0.0, 1.0)


def test_the_baselines_measure_and_skill() -> None:
    measured = task().measure(LOGITS > 0, TARGETS)
    assert measured["f1_micro"] == pytest.approx(f1_score(TARGETS, LOGITS > 0, average="micro"))
    own = {"f1_micro": torch.tensor(0.9)}
    assert task().skill(own, {"majority": {"f1_micro": 0.0}, "logistic": {"f1_micro": 0.8}})["skill"] == pytest.approx(
        0.5
    )
    assert task().skill(own, {"logistic": {"f1_micro": 1.0}}) == {}


def test_balanced_weighs_what_is_there_as_much_as_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    made = task(balanced=True)
    data = SimpleNamespace(class_counts=TARGETS.sum(dim=0), sizes={"train": len(TARGETS)})
    monkeypatch.setattr(Multilabel, "data", data)
    made.on_fit_start()
    positives = TARGETS.sum(dim=0)
    there = positives > 0
    assert torch.allclose((made.weights * positives)[there], (len(TARGETS) - positives)[there].float())
    assert made.weights.isfinite().all()


def test_a_network_with_a_loss_of_its_own_cannot_weigh() -> None:
    with pytest.raises(UserError, match="task.balanced=true cannot be used"):
        Multilabel(Perceptron(SPEC, **OFF), None, None, balanced=True, baselines=True)
