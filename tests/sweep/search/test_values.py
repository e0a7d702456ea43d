"""What a trial's run is worth: metrics, fronts, divergence, failure."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from searching import EPOCHS, SPACE, WIDTHS, Composer, accuracy, play, search, trials_in, values_of, write_run

from litmus.errors import UserError
from litmus.sweep.pool.job import JobResult

pytestmark = pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")


@pytest.mark.wide
def test_a_run_that_diverged_is_never_the_best_and_the_sampler_keeps_away(tmp_path: Path) -> None:
    source = search(tmp_path, ["optimizer.lr=tag(log,interval(1e-4,1e-1))"], trials=40)
    while (job := source.next_job()) is not None:
        lr = values_of(job)["optimizer.lr"]  # below, one is as good as another
        source.report_result(
            job, JobResult("finished", {"val/acc": math.nan if lr > 0.005 else 0.9 + math.sin(1e6 * lr) / 100})
        )
    trials = trials_in(tmp_path)
    lost = [trial.params["optimizer.lr"] > 0.005 for trial in trials]
    assert {trial.value for trial, bad in zip(trials, lost, strict=True) if bad} == {-math.inf}
    assert all(trial.state is TrialState.COMPLETE for trial in trials)
    assert sum(lost[:10]) >= 3
    assert sum(lost[20:]) <= 3  # 43 % of the space
    assert source.study.best_trial.params["optimizer.lr"] <= 0.005
    assert f"40 trials: {40 - sum(lost)} finished, 0 pruned, 0 failed, {sum(lost)} diverged." in source.summary()


@pytest.mark.parametrize("pruner", ["none", "median"])
def test_a_trial_whose_loss_is_not_finite_is_no_good_trial_whatever_its_accuracy(tmp_path: Path, pruner: str) -> None:
    source = search(tmp_path, trials=6, pruner=pruner)
    stopped = []
    while (job := source.next_job()) is not None:
        bad = job.number % 2 == 0
        metrics = {"val/acc": 0.9 if bad else 0.8, "val/loss": math.nan if bad else 0.5}
        stopped.append(source.report_epoch(job, 1, metrics))
        source.report_result(job, JobResult("finished", metrics))
    assert [trial.value for trial in trials_in(tmp_path)] == [-math.inf, 0.8] * 3
    assert source.study.best_trial.number % 2 == 1
    assert stopped[::2] == [pruner != "none"] * 3


@pytest.mark.wide
@pytest.mark.parametrize("keys", [{}, {"metric": ["val/loss", "val/acc"]}])
def test_where_all_diverge_there_is_no_best(tmp_path: Path, keys: dict[str, Any]) -> None:
    source = search(tmp_path, trials=12, **keys)
    while (job := source.next_job()) is not None:
        source.report_result(
            job, JobResult("finished", {"val/acc": 0.1, "val/loss": math.nan} if keys else {"val/acc": math.nan})
        )
    assert source.summary()[:2] == [
        "No trial has finished with a finite metric.",
        "12 trials: 0 finished, 0 pruned, 0 failed, 12 diverged.",
    ]


def test_a_diverging_trial_is_pruned_if_any_are(tmp_path: Path) -> None:
    for pruner in ("none", "median", "hyperband", "successive_halving"):
        source = search(tmp_path / pruner, pruner=pruner)
        job = source.next_job()
        assert job is not None
        assert source.report_epoch(job, 1, {"val/acc": math.nan}) == (pruner != "none")


def test_a_failed_trial_counts_and_is_recorded(tmp_path: Path) -> None:
    source = search(tmp_path, trials=2)
    job = source.next_job()
    assert job is not None
    source.report_result(job, JobResult("failed", {}, "RuntimeError: out of memory"))
    play(source)
    trial = trials_in(tmp_path)[0]
    assert (trial.state, trial.user_attrs["error"]) == (TrialState.FAIL, "RuntimeError: out of memory")
    assert "Trials that failed are not run again: sweep.trials=3 adds as many new ones." in source.summary()
    again = search(tmp_path, trials=2)
    assert [result.status for _, result in again.already_finished] == ["failed", "finished"]
    assert again.next_job() is None


def test_the_task_s_own_metric_and_direction_are_the_default(tmp_path: Path) -> None:
    found = search(tmp_path, composer=Composer("regression.Regression")).objectives
    assert (found.metrics, found.directions) == (("val/rmse",), ("minimize",))


def test_several_metrics_make_a_front_and_time_comes_from_the_table(tmp_path: Path) -> None:
    source = search(tmp_path, trials=3, metric=["val/acc", "time/epoch_seconds"])
    for acc, seconds in ((0.9, 1.0), (0.8, 0.5), (0.7, 2.0)):
        job = source.next_job()
        assert job is not None
        assert not source.report_epoch(job, 1, {"val/acc": acc, "time/epoch_seconds": seconds})
        write_run(job, "finished", 2, **{"val/acc": acc, "time/epoch_seconds": seconds})
        source.report_result(job, JobResult("finished", {"val/acc": acc}))
    title, *front = source.summary()[:4]
    assert title == "Pareto front (no other trial is better in every metric): 2 of 3"
    assert front[0].startswith("  trial 1     val/acc 0.8000  time/epoch_seconds 0.5000  model.dropout=")
    assert front[1].startswith("  trial 0     val/acc 0.9000  time/epoch_seconds 1.0000  model.dropout=")
    assert [trial.values for trial in trials_in(tmp_path)] == [[0.9, 1.0], [0.8, 0.5], [0.7, 2.0]]


def test_a_metric_that_runs_do_not_have_is_refused_at_the_first_epoch(tmp_path: Path) -> None:
    source = search(tmp_path, metric="val/f1")
    job = source.next_job()
    assert job is not None
    with pytest.raises(
        UserError, match=r"sweep.metric=val/f1 is not a metric of these runs.*trial_0000 has val/acc, val/loss"
    ):
        source.report_epoch(job, 1, {"val/acc": 0.5, "val/loss": 1.0})


def test_the_summary_says_what_to_type(tmp_path: Path) -> None:
    source = search(tmp_path / "mine", [*SPACE, WIDTHS], trials=3)
    jobs = play(source)
    best = max(jobs, key=lambda job: accuracy(job, EPOCHS))
    first, counts, last = source.summary()
    assert first == f"Best is trial {best.number}:  val/acc {accuracy(best, EPOCHS):.4f}  {' '.join(best.shown)}"
    assert not re.search(r"[1-9]\d{4}", first), "numbers as one reads them; the trial's folder has all digits"
    assert best.label == f"trial {best.number} {' '.join(best.shown)}"
    assert counts == "3 trials: 3 finished, 0 pruned, 0 failed."
    assert f"optuna-dashboard sqlite:///{tmp_path}/mine/study.db" in last


# What is refused


@pytest.mark.parametrize("pruner", ["none", "hyperband"])
@pytest.mark.parametrize("metrics", [{}, {"val/acc": 0.99}], ids=["at once", "after good epochs"])
def test_a_diverged_trial_is_never_a_good_one(tmp_path: Path, pruner: str, metrics: dict[str, float]) -> None:
    source = search(tmp_path / "live", trials=2, pruner=pruner)
    job = source.next_job()
    assert job is not None
    source.report_result(job, JobResult("diverged", metrics, "the loss is nan"))
    resumed = search(tmp_path / "resumed", trials=2, pruner=pruner)
    job = resumed.next_job()
    assert job is not None
    write_run(job, "diverged", len(metrics), **metrics)
    resumed = search(tmp_path / "resumed", trials=2, pruner=pruner)
    for found in (source, resumed):
        trial = found.study.trials[0]
        assert (trial.state, trial.value) == (TrialState.COMPLETE, -math.inf)
        assert "diverged" in trial.user_attrs
    proposed = [found.next_job() for found in (source, resumed)]
    assert proposed[0].overrides == proposed[1].overrides


def test_a_failed_trial_is_recorded_though_its_launcher_was_killed(tmp_path: Path) -> None:
    job = search(tmp_path, trials=1).next_job()
    assert job is not None
    write_run(job, "failed", 0)
    again = search(tmp_path, trials=1)
    assert again.next_job() is None
    assert [result.status for _, result in again.already_finished] == ["failed"]
    assert trials_in(tmp_path)[0].state is TrialState.FAIL
