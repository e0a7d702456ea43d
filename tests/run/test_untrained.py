"""Epoch 0, the network before its training: the best until an epoch is better by more than chance."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import Fault, fail
from helpers import ON_WAVE

import litmus
from litmus.inference.forecast import load_forecaster
from litmus.record.folder import RunDir
from litmus.record.metrics import GAIN, best_row
from litmus.run.ending import ending
from litmus.sweep.search.objectives import Objectives
from litmus.task.regression import ForecastMetrics

Train = Callable[..., RunDir]
ON_WALK = ["model=lstm", "model.widths=[8]", "data=series", "data.path=walk.csv", "trainer=cpu", "trainer.max_epochs=4"]


@pytest.fixture
def walk(tmp_path: Path) -> list[float]:
    """Writes a random walk, of which nothing but the last value can be known."""
    values = (100 + np.random.default_rng(3).normal(size=200).cumsum()).round(4).tolist()
    (tmp_path / "walk.csv").write_text("value\n" + "".join(f"{value}\n" for value in values))
    return values


def test_what_was_kept_is_the_best_whatever_the_metric_says() -> None:
    rows = [{"epoch": i, "step": 10 * i, "val/rmse": 1.0 - i / 100, "val/loss": 1.0} for i in range(3)]
    task = "litmus.task.regression.Regression"
    assert [best_row(rows, task, step)["epoch"] for step in (0, 10, 20, 30, None)] == [0, 1, 2, 2, 2]


def test_gain_by_hand() -> None:
    score = ForecastMetrics(torch.tensor([2.0, 2.0]), each_step=False, keep=None)
    targets, own = torch.zeros(3, 2), torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    untrained = torch.tensor([[1.0, 1.0], [1.0, 2.0], [1.0, 1.0]])
    for batch in (slice(0, 1), slice(1, 3)):
        score.compare(own[batch], untrained[batch], targets[batch])
        score.update(own[batch], targets[batch])
    own_errors = np.array([0.0, 0.5, 1.0])
    error = own_errors.std(ddof=1) / np.sqrt(3 / 2)  # two steps, of which windows share one
    assert float(score.compute()["gain"]) == pytest.approx((np.mean([1.0, 2.5, 1.0]) - own_errors.mean()) / error)


def test_a_gain_in_few_windows_counts() -> None:
    """As of two groups, where the errors of one are far larger: the difference spreads as wide as it is large."""
    score = ForecastMetrics(torch.ones(7), each_step=False, keep=None)
    before = torch.cat([torch.full((20, 7), 0.01), torch.full((6, 7), 1.0)])
    score.compare(before / 4, before, torch.zeros(26, 7))
    score.update(before / 4, torch.zeros(26, 7))
    assert float(score.compute()["gain"]) > 1


@pytest.mark.wide
def test_of_a_random_walk_the_last_value_is_kept(
    walk: list[float], train: Train, resume: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(*ON_WALK, small=[])
    result, table = run.read_result(), run.read_metrics()
    assert [row["epoch"] for row in table] == [0, 1, 2, 3, 4]
    assert (result["best_epoch"], result["epochs"]) == (0, 4)
    assert result["metrics"]["test/rmse"] == pytest.approx(result["metrics"]["test/naive_rmse"], rel=1e-6)
    assert result["baselines"]["beaten"] is False
    said = " ".join(capsys.readouterr().out.split())
    assert "No epoch is better than before the training by more than chance: the lowest val/loss is" in said
    assert "task.min_gain is 1. So the run keeps epoch 0, which forecasts the last value." in said
    assert not torch.load(run.best, weights_only=True)["state_dict"]["net.head.weight"].any()
    assert load_forecaster(run).is_untrained
    (forecast,) = litmus.load(run.path).forecast()
    assert forecast["value"] == pytest.approx(walk[-1], rel=1e-6)
    for epoch in (0, 2):
        parted = train(
            *ON_WALK, small=[], folder=f"parted{epoch}", watching=[Fault(fail("gone"), epoch=epoch, batch=3)]
        )
        assert parted.read_result()["best_epoch"] == 0
        assert ending(resume(parted)) == ending(run)


@pytest.mark.wide
def test_a_lost_checkpoint_makes_the_next_epochs_the_best(walk: list[float], train: Train, resume: Train) -> None:
    run = train(*ON_WALK, small=[])
    run.best.unlink()
    resume(run, "trainer.max_epochs=6")
    result = run.read_result()
    assert result["best_epoch"] > 4
    assert result["metrics"]["val/rmse"] == run.read_metrics()[result["best_epoch"]]["val/rmse"]


@pytest.mark.parametrize("least", ["null", "0"])
def test_less_may_be_asked_of_an_epoch(walk: list[float], train: Train, least: str) -> None:
    run = train(*ON_WALK, f"task.min_gain={least}", small=[])
    table = run.read_metrics()
    assert [row["epoch"] for row in table] == [*([0] if least == "0" else []), 1, 2, 3, 4]
    assert (GAIN in table[0]) == (least == "0")


def test_what_is_searched_for_in_the_training_is_that_of_the_last_epoch(walk: list[float], train: Train) -> None:
    run = train(*ON_WALK, small=[])
    objectives = Objectives(("val/rmse", "train/loss"), ("minimize", "minimize"))
    table = run.read_metrics()
    found = objectives.at_best_epoch(run.read_result()["metrics"], run.path)
    assert found == [table[0]["val/rmse"], table[-1]["train/loss"]]


def test_a_network_that_learned_something_is_kept(tables: None, train: Train) -> None:
    run = train("model=lstm", "model.widths=[8]", *ON_WAVE, "trainer.max_epochs=4", small=[])
    result = run.read_result()
    assert result["best_epoch"] > 0
    assert run.read_metrics()[result["best_epoch"]][GAIN] > 1


def test_an_averaged_network_begins_with_the_last_value_too(walk: list[float], train: Train) -> None:
    run = train(*ON_WALK, "callback.ema.decay=0.9", small=[])
    first = run.read_metrics()[0]
    assert first["val/rmse"] == pytest.approx(first["val/naive_rmse"], rel=1e-6)
    assert run.read_result()["status"] == "finished"


def test_a_network_that_is_no_forecaster_has_no_epoch_0(train: Train) -> None:
    assert [row["epoch"] for row in train("model=fnn").read_metrics()] == [1, 2]
