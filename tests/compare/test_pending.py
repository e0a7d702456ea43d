"""Runs that ended before their final settings were known, and the row they belong to."""

import shutil
from pathlib import Path

import pytest
from comparing import lr_of, printed_by, rank, row_of
from made_runs import made

from litmus.compare.comparison import compare

LRS = (0.001, 0.01)


EARLY = {"resolved": {}, "epochs": 0}  # a job that has no epoch yet


BY_HAND = {"epochs": 0}


RESOLVED = {"trainer": {"precision": "32"}}


VALUES = {"_target_": "litmus.task.regression.Regression"}


@pytest.mark.parametrize(
    "resolved",
    [RESOLVED, {**RESOLVED, "data": {"source": "bundled"}}, {**RESOLVED, "task": VALUES}],
    ids=["precision", "fallback", "task"],
)
def test_a_job_that_ended_early_is_lost_to_the_row_of_its_request(tmp_path: Path, resolved: dict) -> None:
    metric = "val/rmse" if "task" in resolved else "val/acc"
    for lr in LRS:
        for seed in range(2):
            changes = lr_of(lr)
            made(tmp_path / f"{lr},{seed}", "model=fnn", seed=seed, changes=changes, resolved=resolved, metric=metric)
    made(tmp_path / "failed", "model=fnn", seed=2, status="failed", changes=lr_of(0.01), **EARLY)
    made(tmp_path / "stopped", "model=fnn", seed=3, status="interrupted", changes=lr_of(0.01), **EARLY)
    made(tmp_path / "begun", "model=fnn", seed=4, status=None, changes=lr_of(0.01), **EARLY)
    ranking, comparison = rank(tmp_path)
    assert {run.folder.name for run in row_of(ranking, 0.01).excluded} == {"failed", "stopped", "begun"}
    assert (row_of(ranking, 0.001).excluded, ranking.running) == ((), ())
    assert any("1 setting has lost seeds" in note for note in comparison.notes)
    assert "2 (1 failed, 1 interrupted, 1 unfinished)" in printed_by(tmp_path, "--format", "markdown")


def test_jobs_and_runs_by_hand_meet_in_a_row(tmp_path: Path) -> None:
    fell_back = {**RESOLVED, "data": {"source": "bundled"}}
    made(tmp_path / "job", "model=fnn", seed=0, resolved=fell_back)
    made(tmp_path / "run", "model=fnn", seed=1, changes=fell_back)
    assert [row.value.n for row in rank(tmp_path)[0].rows] == [2]
    made(tmp_path / "run-failed", "model=fnn", seed=2, status="failed", **BY_HAND)
    assert [len(row.excluded) for row in rank(tmp_path)[0].rows] == [1], "requested as the job was"
    shutil.rmtree(tmp_path / "job")
    made(tmp_path / "job-failed", "model=fnn", seed=3, status="failed", **EARLY)
    assert [len(row.excluded) for row in rank(tmp_path)[0].rows] == [2], "as the run may have been requested"


def test_an_early_end_does_not_count_against_another_setting(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", resolved={}, changes=RESOLVED)  # 32 was requested
    made(tmp_path / "b", "model=fnn", seed=1, status="failed", **EARLY)
    (row,) = rank(tmp_path)[0].rows
    assert row.excluded == ()


def test_jobs_with_the_same_request_that_learnt_from_other_data_are_ranked_apart(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0, resolved=RESOLVED)
    made(tmp_path / "b", "model=fnn", seed=1, value=0.5, resolved={**RESOLVED, "data": {"source": "bundled"}})
    made(tmp_path / "c", "model=fnn", seed=2, status=None, resolved={"trainer": {"precision": "bf16-mixed"}})
    auto, bundled = compare([tmp_path], None, None).rankings
    assert [len(auto.rows), len(bundled.rows)] == [1, 1]
    assert bundled.title == "mnist data.source=bundled, val/acc"
    assert [run.folder.name for run in auto.running] == ["c"], "it has epochs: its settings are its own"


def test_a_requested_yaml_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", resolved=RESOLVED)
    made(tmp_path / "b", "model=fnn", seed=1, status="failed", **EARLY)
    (tmp_path / "b" / "requested.yaml").write_text("model: [")
    ranking, comparison = rank(tmp_path)
    assert [len(row.excluded) for row in ranking.rows] == [1], "its config.yaml still holds the request"
    (said,) = comparison.damaged
    assert said.startswith(f"{tmp_path / 'b' / 'requested.yaml'} is damaged and ignored: ")


def test_a_lone_row_says_which_setting_it_is(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", changes={"optimizer": {"lr": 0.1}})
    made(tmp_path / "b", "model=fnn", status=None, changes={"optimizer": {"lr": 0.2}})
    (ranking,) = compare([tmp_path], None, None).rankings
    assert ranking.keys == ("optimizer.lr",)
    assert ranking.label(ranking.rows[0]) == "optimizer.lr=0.1"
