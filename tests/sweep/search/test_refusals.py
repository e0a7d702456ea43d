"""What cannot be searched is refused before the first trial."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT
from searching import SPACE, WIDTHS, Composer, play, search

from litmus.errors import UserError
from litmus.sweep.pool.job import Job, JobResult

pytestmark = pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")


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
