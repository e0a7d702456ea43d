"""What a search is for follows from its data, which are read before the first trial where nothing else says it."""

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import composed
from optuna.trial import TrialState
from PIL import Image
from searching import Composer, play, search, trials_in

from litmus.config.fit import settled_task
from litmus.config.instantiate import defaults
from litmus.errors import UserError
from litmus.record.search import read_search
from litmus.sweep.pool.job import JobResult
from litmus.sweep.search.task import task_of

Command = Callable[..., subprocess.CompletedProcess[str]]
TABLE = ["model=fnn", "data=table", "data.path=all.csv"]
TEXTS = ["model=lstm", "data=text_table", "data.path=all.csv", "data.text=text", "data.limit=40"]
PHOTOS = ["model=cnn", "data=image_folder", "data.path=all.csv", "data.image=photo", "data.size=32"]
MARKED = "data.target_separator=|"
KINDS = {  # of data: what is typed, and what a search of it is for
    "numbers": ([*TABLE, "data.target=number"], "val/rmse"),
    "two columns of numbers": ([*TABLE, "data.target=[number,other]"], "val/rmse"),
    "classes": ([*TABLE, "data.target=class"], "val/acc"),
    "labels": ([*TABLE, "data.target=labels", MARKED], "val/f1_micro"),
    "texts with numbers": ([*TEXTS, "data.label=number"], "val/rmse"),
    "texts with labels": ([*TEXTS, "data.label=labels", MARKED], "val/f1_micro"),
    "photos with numbers": ([*PHOTOS, "data.label=number"], "val/rmse"),
    "photos with labels": ([*PHOTOS, "data.label=labels", MARKED], "val/f1_micro"),
    "photos in folders": (["model=cnn", "data=image_folder", "data.path=photos", "data.size=32"], "val/acc"),
}


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """A table with all kinds of columns, and a folder of photos."""
    draw = random.Random(0)
    rows = ["text,photo,number,other,class,labels,size"]
    for i in range(80):
        name = draw.choice(("red", "blue"))
        photo = tmp_path / "photos" / name / f"{i}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (i, 2 * i, draw.randrange(256))).save(photo)
        words = " ".join(draw.choices(("good", "bad", "long", "short"), k=6))
        labels = "|".join(draw.sample(("wide", "flat"), draw.randrange(3)))
        number, other = (f"{draw.gauss(0, 1):.3f}" for _ in range(2))
        rows.append(f"{words},{photo},{number},{other},{name},{labels},{draw.random():.3f}")
    (tmp_path / "all.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_search_is_for_the_metric_of_the_task_that_the_data_makes(
    kind: str, command: Command, everything: Path
) -> None:
    words, metric = KINDS[kind]
    short = ["trainer=cpu", "trainer.max_epochs=1", "sweep.name=s", "sweep.trials=2", "sweep.jobs=1"]
    ran = command("-m", "sweep=optuna", *words, *short, "optimizer.lr=tag(log,interval(1e-4,1e-2))")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = read_search(everything / "outputs/sweeps/s")
    assert found is not None
    assert (found.metrics, [trial.state for trial in found.trials]) == ((metric,), ["finished"] * 2)
    assert found.directions == ("minimize" if metric == "val/rmse" else "maximize",)


def section(*words: str) -> dict[str, Any]:
    return composed("model=fnn", *words)["data"]


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (["data=mnist"], "classification"),
        (["data=series"], "regression"),
        (["data=toy"], "classification"),
        ([*TABLE, "data.target=a"], None),
        ([*TABLE, "data.target=[a,b]"], "regression"),
        ([*TABLE, "data.target=a", "data.kind=numbers"], "regression"),
        ([*TABLE, "data.target=a", "data.kind=classes"], "classification"),
        ([*TABLE, "data.target=a", MARKED], "multilabel"),
        (["data=text_table", "data.path=a.csv"], None),
        (["data=image_folder", "data.path=a.csv"], None),
        (["data=image_folder", "data.path=/"], "classification"),
        (["data=hub", "data.name=imdb"], None),
    ],
)
def test_the_task_is_known_without_the_data_only_where_they_cannot_make_another(
    words: list[str], task: str | None
) -> None:
    assert settled_task(section(*words)) == task


@pytest.mark.wide
def test_data_that_cannot_be_read_end_a_search_before_its_first_trial(everything: Path) -> None:
    path = everything / "all.csv"
    path.write_text("a,b\n1,2\n")
    config = composed("model=fnn", "data=table", f"data.path={path}", "data.target=a")
    with pytest.raises(UserError, match="row"):
        task_of(json.loads(json.dumps(config)))


def test_a_metric_of_another_task_is_refused_with_that_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="It is for task=classification; the data makes it task=regression"):
        search(tmp_path, composer=Composer("regression.Regression"), metric="val/acc")


def test_a_study_without_a_finished_trial_may_change_its_metric(tmp_path: Path) -> None:
    first = search(tmp_path, trials=3)
    failed, running = first.next_job(), first.next_job()
    assert failed is not None
    assert running is not None
    first.report_epoch(running, 1, {"val/acc": 0.5})
    first.report_result(failed, JobResult("failed", {}, "no memory"))
    before = [trial.params for trial in trials_in(tmp_path)]
    second = search(tmp_path, trials=3, metric="val/loss")
    assert second.study.direction.name == "MINIMIZE"
    assert [trial.params for trial in trials_in(tmp_path)] == before
    assert [trial.state for trial in trials_in(tmp_path)] == [TrialState.FAIL, TrialState.RUNNING]
    assert [job.number for job in play(second)] == [1, 2]
    assert [trial.value for trial in trials_in(tmp_path)] == [None, 1.0, 1.0]
    with pytest.raises(UserError, match=r"holds another search:\n  sweep.metric: val/loss -> val/acc"):
        search(tmp_path, trials=3)


def test_a_study_never_changes_its_space_with_its_metric(tmp_path: Path) -> None:
    search(tmp_path)
    with pytest.raises(UserError, match="holds another search"):
        search(tmp_path, ["optimizer.lr=interval(0,1)"], metric="val/loss")


def test_the_tasks_of_the_targets_are_choices() -> None:
    for name in ("classification", "multilabel", "regression", "detection"):
        assert defaults("task", name)["_target_"] == f"litmus.task.{name}.{name.capitalize()}"
