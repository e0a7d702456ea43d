"""What a search proposes, what it learns, and which trials it prunes."""

import json
import os
import pickle
import sqlite3
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers import composed
from optuna.samplers import TPESampler
from optuna.trial import TrialState
from searching import EPOCHS, SPACE, WIDTHS, accuracy, play, search, trials_in

from litmus.errors import UserError
from litmus.record.search import STUDY
from litmus.sweep.search.study import make_pruner

pytestmark = pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trainer.max_steps=9", r"trainer\.max_steps=9 may end a trial before"),
        ("trainer.val_check_interval=9", "leaves open how many epochs there are"),
    ],
)
def test_hyperband_has_to_know_the_number_of_epochs(override: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        make_pruner("hyperband", composed(override)["trainer"])


@pytest.mark.wide
@pytest.mark.parametrize("pruner", ["none", "hyperband"])
def test_the_same_search_goes_the_same_way_in_any_folder_and_in_any_number_of_sessions(
    tmp_path: Path, pruner: str
) -> None:
    words = [*SPACE, WIDTHS]
    whole = play(search(tmp_path / "a", words, trials=14, pruner=pruner))
    parts = play(search(tmp_path / "b", words, trials=12, pruner=pruner))
    parts += play(search(tmp_path / "b", words, trials=14, pruner=pruner))
    assert [job.overrides for job in parts] == [job.overrides for job in whole]
    assert [job.number for job in parts] == list(range(14))
    assert len({job.overrides for job in whole}) == 14
    other = play(search(tmp_path / "c", words, trials=5, seed=1))
    assert {job.overrides for job in other}.isdisjoint(job.overrides for job in whole)


@pytest.mark.wide
def test_tpe_comes_nearer_than_chance(tmp_path: Path) -> None:
    reached = {}
    for sampler in ("tpe", "random"):
        jobs = play(search(tmp_path / sampler, trials=25, sampler=sampler))
        reached[sampler] = sum(accuracy(job, EPOCHS) for job in jobs[10:])  # ten to learn from
    assert reached["tpe"] > reached["random"]


@pytest.mark.wide
@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [(sampler, "hyperband") for sampler in ("tpe", "random", "grid", "cmaes", "gp")]
    + [("tpe", pruner) for pruner in ("median", "successive_halving")]
    + [("cmaes", "none"), ("gp", "none")],
)
def test_samplers_and_pruners_work_without_a_word(
    tmp_path: Path, sampler: str, pruner: str, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["model.dropout=range(0,0.6,0.1)", "model.layers=range(1,4)"] if sampler == "grid" else SPACE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jobs = play(search(tmp_path, words, trials=12, sampler=sampler, pruner=pruner))
    assert [job.number for job in jobs] == list(range(12))
    assert len({job.overrides for job in jobs}) == 12
    assert capfd.readouterr() == ("", "")


def test_a_grid_tries_every_point_once_whatever_came_before(tmp_path: Path) -> None:
    words = ["model.dropout=range(0,0.4,0.1)", WIDTHS]
    play(search(tmp_path, words, sampler="random", trials=3))
    before = {job.overrides for job, _ in search(tmp_path, words, trials=3).already_finished}
    source = search(tmp_path, words, sampler="grid", pruner="hyperband")
    assert source.total == 3 + 8 - len(before)
    play(source, most=2)
    rest = play(search(tmp_path, words, sampler="grid", pruner="hyperband"))
    assert len(rest) == 8 - len(before) - 2
    assert len({job.overrides for job, _ in search(tmp_path, words, sampler="grid").already_finished}) == 8


# Pruning


def test_hyperband_s_sampler_learns_from_every_bracket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    own = TPESampler.sample_independent

    def noting(self: TPESampler, study: optuna.Study, *rest: Any) -> Any:
        seen.append(len(study.get_trials(deepcopy=False)))
        return own(self, study, *rest)

    monkeypatch.setattr(TPESampler, "sample_independent", noting)
    jobs = play(search(tmp_path, trials=6, pruner="hyperband"))
    assert len(jobs) == 6
    assert sorted(set(seen)) == [1, 2, 3, 4, 5, 6], "and not those of a bracket alone"


@pytest.mark.wide
@pytest.mark.parametrize("pruner", ["median", "hyperband", "successive_halving"])
def test_pruning_stops_the_bad_and_keeps_the_best(tmp_path: Path, pruner: str) -> None:
    play(search(tmp_path, trials=30, sampler="random", pruner=pruner))
    trials = trials_in(tmp_path)
    run = sum(len(trial.intermediate_values) for trial in trials)
    assert run < 30 * EPOCHS / (1.1 if pruner == "median" else 2)
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    best = max(trial.value or 0 for trial in trials if trial.state is TrialState.COMPLETE)
    assert best > 0.97  # of 0.98


def test_nothing_is_pruned_unless_asked(tmp_path: Path) -> None:
    source = search(tmp_path, trials=8)
    assert not source.prunes
    play(source, most=7)
    job = source.next_job()
    assert job is not None
    assert not any(source.report_epoch(job, epoch, {"val/acc": 0.0}) for epoch in range(1, EPOCHS + 1))
    assert trials_in(tmp_path)[-1].intermediate_values == dict.fromkeys(range(1, EPOCHS + 1), 0.0)


# Resuming


@pytest.mark.wide
def test_cmaes_goes_on_from_its_state(tmp_path: Path) -> None:
    pytest.importorskip("cmaes")
    whole = play(search(tmp_path / "a", trials=16, sampler="cmaes"))
    parts = play(search(tmp_path / "b", trials=9, sampler="cmaes"))
    parts += play(search(tmp_path / "b", trials=16, sampler="cmaes"))
    assert [job.overrides for job in parts] == [job.overrides for job in whole]
    assert any("cma:optimizer:0" in trial.system_attrs for trial in trials_in(tmp_path / "a"))


class _Payload:
    """Executes a command where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda file: pickle.dumps(_Payload(file)).hex(), r"holds posix.system, which could run code"),
        (lambda file: pickle.dumps({"mean": 1.0}).hex(), r"is damaged: it is dict\. Choose another sampler"),
        (lambda file: pickle.dumps([1] * 100).hex()[:-20], r"is damaged: .*\. Choose another sampler"),
        (lambda file: "no hex", r"is damaged: .*\. Choose another sampler"),
    ],
    ids=["code", "other", "cut", "text"],
)
def test_a_state_of_cmaes_that_is_none_is_refused(made: Callable[[Path], str], said: str, tmp_path: Path) -> None:
    pytest.importorskip("cmaes")
    play(search(tmp_path, trials=2, sampler="cmaes"))
    with sqlite3.connect(tmp_path / STUDY) as study:
        row = "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (2, 'cma:optimizer:0', ?)"
        study.execute(row, (json.dumps(made(tmp_path / "executed")),))
    study.close()
    source = search(tmp_path, trials=4, sampler="cmaes")
    with pytest.raises(UserError, match=said):
        source.next_job()
    assert not (tmp_path / "executed").exists()
