"""The search: what it proposes, what it learns, and that it survives being killed."""

import json
import math
import multiprocessing
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers import CONF, ROOT
from omegaconf import OmegaConf
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.sweep.optuna import Optuna
from litmus.sweep.pool.job import Job, JobResult
from litmus.sweep.pool.source import STUDY

pytestmark = pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")

SPACE = ["model.dropout=interval(0,0.6)", "optimizer.lr=tag(log,interval(1e-4,1e-1))"]
WIDTHS = "model.widths=choice([64],[128,64])"
EPOCHS = 9


@pytest.fixture(autouse=True, scope="module")
def _schema_read_once() -> Iterator[None]:
    """Optuna compares a file's version with scripts that it compiles anew each time."""
    with pytest.MonkeyPatch.context() as patch:
        scripts = RDBStorage("sqlite://")._version_manager._create_alembic_script()
        patch.setattr("optuna.storages._rdb.storage._VersionManager._create_alembic_script", lambda self: scripts)
        yield


class Composer:
    """Makes jobs without a configuration to speak of."""

    def __init__(self, task: str = "classification.Classification") -> None:
        self.task = task
        self.refused: set[int] = set()

    def job(self, overrides: list[str], own: list[str], number: int, folder: Path) -> Job:
        if number in self.refused:
            raise UserError("these do not go together")
        config = {"task": {"_target_": f"litmus.task.{self.task}"}, "trainer": {"max_epochs": EPOCHS}}
        return Job(number, tuple(own), folder, config, {}, tuple(overrides))


def search(folder: Path, words: list[str] = SPACE, composer: Composer | None = None, **keys: Any) -> Optuna:
    """A search that has begun, with the values of its YAML."""
    defaults = OmegaConf.merge(
        OmegaConf.load(CONF / "sweep" / "_pool.yaml"), OmegaConf.load(CONF / "sweep/optuna.yaml")
    )
    section: dict[str, Any] = OmegaConf.to_container(defaults)
    section = {key: value for key, value in section.items() if key not in ("defaults", "_target_")}
    made = Optuna(**{**section, **keys})
    made.start(folder, words, composer or Composer())
    return made


def values_of(job: Job) -> dict[str, Any]:
    pairs = (word.partition("=") for word in job.overrides)
    return {key: float(value) if "[" not in value else value for key, _, value in pairs}


def accuracy(job: Job, epoch: int) -> float:
    """Best at dropout 0.2 and a learning rate of 0.01; comes near what it reaches in a few epochs."""
    found = values_of(job)
    lr, dropout = found.get("optimizer.lr", 0.01), found.get("model.dropout", 0.2)
    reached = 0.98 - 0.05 * math.log10(lr / 0.01) ** 2 - 0.5 * (dropout - 0.2) ** 2
    return reached * (1 - math.exp(-epoch))


def play(source: Optuna, most: float = math.inf, curve: Callable[[Job, int], float] = accuracy) -> list[Job]:
    """Runs jobs one after the other, as the pool would; of those that nothing prunes, the last epoch will do."""
    epochs = range(1, EPOCHS + 1) if source.prunes else [EPOCHS]
    jobs: list[Job] = []
    while len(jobs) < most and (job := source.next_job()) is not None:
        jobs.append(job)
        status, best = "finished", -math.inf
        for epoch in epochs:
            best = max(best, curve(job, epoch))
            if source.report_epoch(job, epoch, {"val/acc": curve(job, epoch), "val/loss": 1.0}):
                status = "pruned"
                break
        source.report_result(job, JobResult(status, {"val/acc": best, "val/loss": 1.0}))
    return jobs


def trials_in(folder: Path) -> list[optuna.trial.FrozenTrial]:
    (name,) = optuna.get_all_study_names(f"sqlite:///{folder / STUDY}")
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / STUDY}").get_trials()


def write_run(job: Job, status: str, epochs: int, **metrics: float) -> None:
    """What a run leaves behind in its folder."""
    run = RunDir(job.folder)
    run.write_metrics([{"epoch": epoch, "step": epoch, **metrics} for epoch in range(1, epochs + 1)])
    kept = {name: value for name, value in metrics.items() if name.startswith("val/")}
    run.write_result({"status": status, "metrics": kept, "best_epoch": epochs, "error": None})


# What it proposes


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


def test_tpe_comes_nearer_than_chance(tmp_path: Path) -> None:
    reached = {}
    for sampler in ("tpe", "random"):
        jobs = play(search(tmp_path / sampler, trials=25, sampler=sampler))
        reached[sampler] = sum(accuracy(job, EPOCHS) for job in jobs[10:])  # ten to learn from
    assert reached["tpe"] > reached["random"]


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


@pytest.mark.parametrize(("sampler", "known"), [("tpe", 11), ("grid", 2), ("cmaes", 2)])
@pytest.mark.parametrize("drawn", [0, 1])
def test_a_trial_whose_values_were_being_drawn_gets_the_rest(
    tmp_path: Path, sampler: str, known: int, drawn: int
) -> None:
    words = ["model.dropout=range(0,0.6,0.1)", "model.layers=range(1,9)"]
    keys = {"sampler": sampler, "trials": known + 2}
    expected = play(search(tmp_path / "whole", words, **keys))
    source = search(tmp_path / "killed", words, **keys)
    play(source, most=known)
    source.study.sampler = source._make_sampler(known)
    trial = source.study.ask()
    for key in list(source.space)[:drawn]:
        trial._suggest(key, source.space[key])
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
    assert [path.name for path in folder.iterdir()] == [STUDY]
    later = folder.rename(tmp_path / "later")
    assert [job.number for job in play(search(later, trials=3))] == [2]


def test_a_file_that_is_no_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / STUDY).write_text(
        "no database, but text that is long enough to be taken for one by its length alone\n" * 9
    )
    with pytest.raises(UserError, match=r"study.db cannot be read"):
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
    assert first == f"Best is trial {best.number}:  val/acc {accuracy(best, EPOCHS):.4f}  {' '.join(best.overrides)}"
    assert counts == "3 trials: 3 finished, 0 pruned, 0 failed."
    assert f"optuna-dashboard sqlite:///{tmp_path}/mine/study.db" in last


# What is refused


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"metric": ["val/acc", "val/loss"], "pruner": "median"}, "sweep.pruner=median compares trials by one metric"),
        ({"metric": ["val/acc", "val/loss"], "sampler": "cmaes"}, "sweep.sampler=cmaes searches for one metric"),
        ({"metric": ["val/acc", "val/acc"]}, "sweep.metric must be one metric, or a list of different ones"),
        ({"metric": []}, "sweep.metric must be one metric"),
        ({"metric": "val/ac"}, "sweep.metric=val/ac cannot be searched for. Did you mean val/acc?"),
        ({"metric": ["val/acc", "val/map"]}, "sweep.metric=val/map cannot be searched for. It is for task=det"),
        ({"metric": "test/acc"}, "sweep.metric=test/acc: a search that looks at the test set"),
        ({"metric": ["val/acc", "val/loss"], "direction": "minimize"}, "sweep.direction has 1, sweep.metric has 2"),
        ({"direction": ["minimize", "maximize"]}, "sweep.direction has 2, sweep.metric has 1"),
        ({"metric": "optim/grad_norm"}, "add sweep.direction=minimize"),
        ({"sampler": "grid"}, "sweep.sampler=grid tries every value, but model.dropout is continuous"),
        ({"sampler": "tp"}, "sampler=tp is not allowed. Did you mean tpe?"),
        ({"pruner": "halving"}, "pruner=halving is not allowed."),
        ({"trials": 0}, "trials=0 is not allowed."),
        ({"direction": "up"}, "direction=up is not allowed."),
    ],
)
def test_what_cannot_be_is_refused_before_there_is_a_folder(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as refused:
        search(tmp_path / "new", **keys)
    assert said in str(refused.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("word", "wrong"), [("interval(0,1.6)", "=1.6"), ("0.1,0.5,2", "=2"), ("interval(-1,0.5)", "=-1.0")]
)
def test_every_end_of_what_is_searched_is_tried_before_the_first_trial(tmp_path: Path, word: str, wrong: str) -> None:
    class Careful(Composer):
        def job(self, overrides: list[str], own: list[str], number: int, folder: Path) -> Job:
            value = float(own[0].partition("=")[2])
            if not 0 <= value < 1:
                raise UserError(f"{own[0]} is not allowed.")
            return super().job(overrides, own, number, folder)

    with pytest.raises(UserError, match=f"model.dropout{wrong} is not allowed"):
        search(tmp_path / "new", [f"model.dropout={word}", SPACE[1]], Careful())
    assert not (tmp_path / "new").exists()


def test_an_end_that_a_key_may_come_near_to_is_none_to_refuse(tmp_path: Path) -> None:
    class Careful(Composer):
        def job(self, overrides: list[str], own: list[str], number: int, folder: Path) -> Job:
            if not 0 < float(own[0].partition("=")[2]) < 1:
                raise UserError(f"{own[0]} is not allowed.")
            return super().job(overrides, own, number, folder)

    source = search(tmp_path, ["model.dropout=interval(0,1)"], Careful(), trials=3)
    assert len(play(source)) == 3


def test_choices_that_have_nothing_in_common_are_not_one_search(tmp_path: Path) -> None:
    class Torn(Composer):
        def job(self, overrides: list[str], own: list[str], number: int, folder: Path) -> Job:
            self.task = "regression.Regression" if "data=series" in own else "classification.Classification"
            return super().job(overrides, own, number, folder)

    with pytest.raises(UserError, match="data=series has another task than data=mnist: they cannot be one search"):
        search(tmp_path, ["data=mnist,series", SPACE[0]], Torn())


def test_what_failed_of_few_values_is_not_made_up_for(tmp_path: Path) -> None:
    source = search(tmp_path, ["model.dropout=0,0.25"], trials=9)
    job = source.next_job()
    assert job is not None
    source.report_result(job, JobResult("failed", {}, "out of memory"))
    play(source)
    said = " ".join(source.summary())
    assert "by sweep.sampler=grid instead of tpe" in said
    assert "There are no other combinations." in said
    assert "as many new ones" not in said
    huge = search(tmp_path / "huge", ["seed_of_data=int(interval(1,1000000000000))"], trials=1)
    assert len(play(huge)) == 1, "and nobody makes a list of them"


def test_where_there_are_few_values_each_is_tried_once(tmp_path: Path) -> None:
    words = ["model.dropout=0,0.25,0.5", WIDTHS]
    source = search(tmp_path, words, trials=50)
    jobs = play(source)
    assert len({job.overrides for job in jobs}) == len(jobs) == 6 == source.total
    assert source.summary()[1:4] == [
        "6 trials: 6 finished, 0 pruned, 0 failed.",
        "Each combination is tried once, by sweep.sampler=grid instead of tpe.",
        "There are no other combinations.",
    ]


@pytest.mark.parametrize(
    ("sampler", "words", "said"),
    [
        ("cmaes", [*SPACE, WIDTHS], "model.widths is a choice"),
        ("cmaes", SPACE[:1], "two keys or more"),
        ("grid", [f"a{i}=range(100)" for i in range(3)], "The grid has 1,000,000 points"),
    ],
)
def test_a_space_that_a_sampler_would_search_otherwise_is_refused(
    tmp_path: Path, sampler: str, words: list[str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        search(tmp_path, words, sampler=sampler)


def test_a_direction_may_be_given_where_the_name_does_not_say(tmp_path: Path) -> None:
    found = search(tmp_path, metric=["val/acc", "optim/grad_norm"], direction=["maximize", "minimize"]).objectives
    assert found.directions == ("maximize", "minimize")


def test_the_launcher_s_process_stays_light_and_says_what_is_missing(tmp_path: Path) -> None:
    script = """
import json, sys
import litmus.sweep.optuna
light = not {"torch", "lightning"} & set(sys.modules)
for name in [name for name in sys.modules if name.startswith(("litmus", "optuna"))]:
    del sys.modules[name]
sys.modules["optuna"] = None
try:
    import litmus.sweep.optuna
except ValueError as refused:
    print(json.dumps([light, str(refused)]))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(ran.stdout) == [True, "sweep=optuna needs the package optuna: pip install 'litmus[search]'."]
