"""A search that was interrupted or killed continues as if nothing had happened."""

import multiprocessing
import random
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import get_storage
from optuna.trial import TrialState
from searching import SPACE, WIDTHS, Composer, play, search, trials_in, write_run

from litmus.errors import UserError
from litmus.record.search import SEARCH, STUDY
from litmus.sweep.pool.job import JobResult

pytestmark = pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")


def test_resuming_counts_the_trials_of_earlier_sessions(tmp_path: Path) -> None:
    play(search(tmp_path, trials=4))
    again = search(tmp_path, trials=4)
    assert again.next_job() is None
    assert [(job.number, result.status) for job, result in again.already_finished] == [
        (i, "finished") for i in range(4)
    ]
    more = search(tmp_path, trials=6, pruner="median", sampler="random")
    assert more.total == 6
    assert [job.number for job in play(more)] == [4, 5]
    assert search(tmp_path, trials=2).total == 6


def test_what_was_running_is_resumed_as_it_was(tmp_path: Path) -> None:
    first = search(tmp_path, trials=5, pruner="median")
    play(first, most=1)
    jobs = [first.next_job() for _ in range(2)]
    for epoch in (1, 2):
        first.report_epoch(jobs[0], epoch, {"val/acc": 0.5})
    first.report_result(jobs[1], JobResult("interrupted", {}))
    second = search(tmp_path, trials=5, pruner="median")
    assert [(job.number, job.overrides, job.folder) for job in (second.next_job(), second.next_job())] == [
        (job.number, job.overrides, job.folder) for job in jobs
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second.report_epoch(jobs[0], 2, {"val/acc": 0.9})  # reported again
        second.report_epoch(jobs[0], 3, {"val/acc": 0.6})
    second.report_result(jobs[0], JobResult("finished", {"val/acc": 0.6}))
    assert [job.number for job in play(second)] == [3, 4]
    assert trials_in(tmp_path)[1].intermediate_values == {1: 0.5, 2: 0.5, 3: 0.6}


@pytest.mark.parametrize(("status", "state"), [("finished", TrialState.COMPLETE), ("pruned", TrialState.PRUNED)])
def test_a_run_that_ended_without_its_launcher_is_restored_from_its_folder(
    tmp_path: Path, status: str, state: TrialState
) -> None:
    job = search(tmp_path, trials=2).next_job()
    assert job is not None
    write_run(job, status, 3, **{"val/acc": 0.7})
    again = search(tmp_path, trials=2)
    assert [(job.number, result.status) for job, result in again.already_finished] == [(0, status)]
    assert [job.number for job in play(again)] == [1]
    trial = trials_in(tmp_path)[0]
    assert (trial.state, trial.value, trial.intermediate_values) == (state, 0.7, {1: 0.7, 2: 0.7, 3: 0.7})


@pytest.mark.wide
@pytest.mark.parametrize(("sampler", "known"), [("tpe", 11), ("grid", 2), ("cmaes", 2)])
@pytest.mark.parametrize("drawn", [0, 1])
def test_a_trial_whose_values_were_being_drawn_gets_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str, known: int, drawn: int
) -> None:
    class Killed(BaseException):
        pass

    storage = type(get_storage("sqlite://"))
    stored = storage.set_trial_param
    count = 0

    def store(*args: Any) -> None:
        nonlocal count
        if count == drawn:
            raise Killed
        count += 1
        stored(*args)

    words = ["model.dropout=range(0,0.6,0.1)", "model.layers=range(1,9)"]
    keys = {"sampler": sampler, "trials": known + 2}
    expected = play(search(tmp_path / "whole", words, **keys))
    source = search(tmp_path / "killed", words, **keys)
    play(source, most=known)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "set_trial_param", store)
        with pytest.raises(Killed):
            source.next_job()
    again = play(search(tmp_path / "killed", words, **keys))
    assert [job.overrides for job in again] == [job.overrides for job in expected[known:]]


def test_values_that_make_no_job_do_not_stand_in_the_way(tmp_path: Path) -> None:
    composer = Composer()
    source = search(tmp_path, trials=3, composer=composer)
    play(source, most=1)
    composer.refused = {1}
    job = source.next_job()
    assert job is not None
    assert job.number == 2
    assert "these do not go together" in source.invalid[0]
    again = search(tmp_path, trials=3, composer=composer)
    assert len(again.invalid) == 1, "and it is not forgotten"
    assert [job.number for job in play(again)] == [2]


@pytest.mark.parametrize(
    ("words", "keys", "said"),
    [
        (["model.dropout=interval(0,0.5)", SPACE[1]], {}, "model.dropout: interval(0.0,0.6) -> interval(0.0,0.5)"),
        (SPACE[:1], {}, "optimizer.lr: tag(log,interval(0.0001,0.1)) -> not searched"),
        ([*SPACE, WIDTHS], {}, "model.widths: not searched -> choice([64],[128,64])"),
        (SPACE, {"metric": "val/loss"}, "sweep.metric: val/acc -> val/loss\n  sweep.direction: maximize -> minimize"),
        (SPACE, {"direction": "minimize"}, "sweep.direction: maximize -> minimize"),
        (SPACE, {"seed": 1}, "sweep.seed: 0 -> 1"),
    ],
)
def test_another_search_in_the_same_folder_is_refused(
    tmp_path: Path, words: list[str], keys: dict[str, Any], said: str
) -> None:
    play(search(tmp_path, trials=1))
    with pytest.raises(UserError) as refused:
        search(tmp_path, words, **keys)
    assert f"  {said}\n" in str(refused.value)


def test_a_folder_may_have_any_name_and_another_one_later(tmp_path: Path) -> None:
    folder = tmp_path / "a b?{x}#%41'"
    source = search(folder, trials=2)
    play(source)
    source.summary()
    assert sorted(path.name for path in folder.iterdir()) == [SEARCH, STUDY]
    later = folder.rename(tmp_path / "later")
    assert [job.number for job in play(search(later, trials=3))] == [2]


def test_a_file_that_is_no_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / STUDY).write_text(
        "no database, but text that is long enough to be taken for one by its length alone\n" * 9
    )
    with pytest.raises(UserError, match=r"study.db cannot be used"):
        search(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    optuna.create_study(storage=f"sqlite:///{other / STUDY}").ask()
    with pytest.raises(UserError, match="litmus did not create"):
        search(other)


# Being killed


def _work(folder: Path, reported: Path) -> None:
    source = search(folder, trials=10**6, pruner="hyperband")
    with reported.open("a") as log:
        while True:
            (job,) = play(source, most=1)
            print(job.number, file=log, flush=True)


@pytest.mark.wide
def test_sigkill_loses_nothing_whenever_it_comes(tmp_path: Path) -> None:
    generator, reported = random.Random(0), tmp_path / "reported"
    folder = tmp_path / "search"
    reported.touch()
    for session in range(8):
        process = multiprocessing.get_context("fork").Process(target=_work, args=(folder, reported))
        size = reported.stat().st_size
        process.start()
        time.sleep(generator.uniform(0, 0.2))  # the first are killed while the file is made
        while session > 3 and reported.stat().st_size == size and process.is_alive():
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 0.05))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    source = search(folder, trials=1)
    trials = trials_in(folder)
    ended = {trial.number for trial in trials if trial.state.is_finished()}
    seen = {int(line) for line in reported.read_text().split()}
    assert len(seen) >= 4
    assert seen <= ended
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert sum(not trial.state.is_finished() for trial in trials) <= 1  # the one that ran
    assert all(set(trial.params) == set(source.space) for trial in trials)
    assert len({tuple(trial.params.values()) for trial in trials}) == len(trials)


# What it learns
