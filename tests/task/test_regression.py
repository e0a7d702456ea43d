from dataclasses import replace

import pytest
import torch
from helpers import COLUMNS, WINDOWS

from litmus.record.metrics import mode_of
from litmus.spec import Values
from litmus.task.classification import DetailedMetrics
from litmus.task.regression import Regression, ValueMetrics


def test_errors_and_correlation_by_hand_over_uneven_batches() -> None:
    score = ValueMetrics(torch.tensor([2.0]), None)
    scaled_answers, scaled_targets = torch.tensor([[1.0], [0.0], [2.0]]), torch.tensor([[0.0], [0.0], [4.0]])
    score.update(scaled_answers[:1], scaled_targets[:1])
    score.update(scaled_answers[1:], scaled_targets[1:])
    found = {name: float(value) for name, value in score.compute().items()}
    # Errors 1, 0, -2 in scaled units; one scaled unit is 2.
    assert found["loss"] == pytest.approx(5 / 3)
    assert found["rmse"] == pytest.approx(2 * (5 / 3) ** 0.5)
    assert found["mae"] == pytest.approx(2 * 1.0)
    expected = torch.corrcoef(torch.stack([scaled_answers[:, 0], scaled_targets[:, 0]]))[0, 1]
    assert found["r"] == pytest.approx(float(expected), rel=1e-5)


def test_targets_of_several_units_count_alike() -> None:
    """Errors of a hundredth of the large one's deviation, and of twice the small one's."""

    class Constant(torch.nn.Module):
        spec = replace(COLUMNS, target=Values(("big", "small"), (0.0, 0.0), (1e6, 1.0)))
        criterion = None
        untrained = None

    task = Regression(Constant(), None, None, baselines=True, min_gain=None)
    score = task.make_metrics("val")
    score.update(torch.tensor([[0.01, 2.0], [-0.01, 2.0]]), torch.zeros(2, 2))
    found = {name: float(value) for name, value in score.compute().items()}
    assert found["rmse"] == pytest.approx(((0.01**2 + 2**2) / 2) ** 0.5)
    assert found["mae"] == pytest.approx((0.01 + 2) / 2)
    assert (found["rmse_big"], found["rmse_small"]) == pytest.approx((1e4, 2.0))
    assert (found["mae_big"], found["mae_small"]) == pytest.approx((1e4, 2.0))
    errors = torch.tensor([[1e4, 2.0], [-1e4, 2.0]], dtype=torch.float64)
    measured = task.measure(errors, torch.zeros(2, 2, dtype=torch.float64))
    assert measured == pytest.approx({name: found[name] for name in measured})
    assert set(measured) == set(found) - {"loss", "r"}
    assert task.net.errors.tolist() == [pytest.approx([1e4, 2.0])] * 2, "for intervals, each in its unit"


def test_directions_of_what_is_measured_of_a_target() -> None:
    assert {mode_of(name) for name in ("val/rmse_acc", "val/ridge_rmse_acc", "val/rmse_km/h", "val/ridge_rmse")} == {
        "min"
    }
    assert {mode_of(name) for name in ("val/logistic_exact_match", "val/logistic_f1_weighted", "val/skill_mae")} == {
        "max"
    }


def test_a_constant_forecast_has_no_correlation() -> None:
    score = ValueMetrics(torch.tensor([1.0]), None)
    score.update(torch.zeros(4, 1), torch.arange(4.0)[:, None])
    assert float(score.compute()["r"]) == 0.0


def test_the_correlation_of_values_far_from_the_training_s() -> None:
    score = ValueMetrics(torch.tensor([1.0]), None)
    targets = 5000 + torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    answers = targets + 0.1 * torch.randn(200, 1, generator=torch.Generator().manual_seed(1))
    score.update(answers, targets)
    expected = torch.corrcoef(torch.cat([answers, targets], dim=1).T.double())[0, 1]
    assert float(score.compute()["r"]) == pytest.approx(float(expected), abs=1e-4)


def test_answers_of_another_shape_are_not_broadcast() -> None:
    class Wide(torch.nn.Module):
        spec, criterion, untrained = WINDOWS, None, None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 1)

    with pytest.raises(ValueError, match=r"outputs have the shape \(2, 1\), the targets \(2, 3\)"):
        Regression(Wide(), None, None, baselines=False, min_gain=None).step(
            (torch.zeros(2, 12, 1), torch.zeros(2, 3)), "val"
        )


def test_targets_are_scaled_and_metrics_are_not() -> None:
    class Constant(torch.nn.Module):
        spec, criterion, untrained = WINDOWS, None, None  # mean 1, deviation 2

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 1)

    task = Regression(Constant(), None, None, baselines=True, min_gain=None)
    loss = task.step((torch.zeros(2, 12, 1), torch.tensor([[0.0], [2.0]])), "val")
    assert float(loss) == pytest.approx(2.0), "errors 0 and 2, in scaled units"
    assert float(task.metrics("val").compute()["mae"]) == pytest.approx(2.0), "answers are the mean, 1"


def test_skill_is_the_gain_over_the_better_naive_forecast() -> None:
    class Constant(torch.nn.Module):
        spec, criterion, untrained = WINDOWS, None, None

    class Data:
        def measure_baselines(self) -> dict[str, dict[str, dict[str, float]]]:
            return {"test": {"naive": {"rmse": 4.0, "mae": 3.0}, "seasonal": {"rmse": 5.0, "mae": 2.0}}}

    class Trainer:
        datamodule = Data()

    task = Regression(Constant(), None, None, baselines=True, min_gain=None)
    task._trainer = Trainer()
    found = task.with_baselines("test", {"rmse": torch.tensor(3.0), "mae": torch.tensor(1.0)})
    assert float(found["skill"]) == pytest.approx(1 - 3 / 4)
    assert float(found["skill_mae"]) == pytest.approx(1 - 1 / 2)
    assert (found["naive_rmse"], found["seasonal_mae"]) == (4.0, 2.0)
    assert task.with_baselines("train", {"rmse": torch.tensor(3.0)}) == {"rmse": torch.tensor(3.0)}


def test_f1_precision_and_recall_by_hand() -> None:
    score = DetailedMetrics(("a", "b", "c"), per_class=True)
    answers, targets = torch.tensor([0, 0, 1, 1, 1, 0]), torch.tensor([0, 1, 1, 1, 0, 2])
    logits = torch.nn.functional.one_hot(answers, 3).float()
    score.update(torch.tensor(0.5), logits[:4], targets[:4])
    score.update(torch.tensor(0.5), logits[4:], targets[4:])
    found = {name: float(value) for name, value in score.compute().items()}
    # a: answered 3, right 1, occurring 2. b: answered 3, right 2, occurring 3. c: never answered.
    assert found["precision_a"] == pytest.approx(1 / 3)
    assert found["recall_a"] == pytest.approx(1 / 2)
    assert (found["precision_b"], found["recall_b"]) == pytest.approx((2 / 3, 2 / 3))
    assert (found["precision_c"], found["recall_c"]) == (0.0, 0.0)
    f1 = [2 / 5, 4 / 6, 0.0]
    assert found["f1"] == pytest.approx(sum(f1) / 3)
    assert found["f1_weighted"] == pytest.approx((2 * f1[0] + 3 * f1[1] + 1 * f1[2]) / 6)
    assert found["acc"] == pytest.approx(3 / 6)
