"""The metric of a search is that of the task which its data makes, whatever `task=` is by default."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from helpers import ON_HOUSES, composed
from test_matrix import DATA, PROVIDES

from litmus.errors import UserError
from litmus.run import task
from litmus.run.build import TASKS
from litmus.spec import Boxes, Classes, Labels, Values

TARGETS = {kind.__name__: kind for kind in (Boxes, Classes, Labels, Values)}


@pytest.fixture
def logs() -> Iterator[None]:
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("tables", "image_files", "published", "logs")
@pytest.mark.parametrize("name", DATA)
def test_every_dataset_says_its_task(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = composed(*DATA[name])
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(config)))
    assert task.main() == 0
    found = capsys.readouterr().out.splitlines()[-1].rpartition(".")[2].lower()
    assert found == TASKS[TARGETS[PROVIDES[name][1]]]


@pytest.mark.usefixtures("tables")
def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(UserError, match="There is no file nothing.csv"):
        task.task_of(composed(*ON_HOUSES, "data.path=nothing.csv"))


@pytest.mark.wide
@pytest.mark.usefixtures("tables")
def test_a_search_over_numbers_needs_no_word_on_them(
    command: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    words = [*ON_HOUSES, "data.target=price", "model=fnn", "trainer.max_epochs=1", "optimizer.lr=interval(1e-3,1e-2)"]
    done = command("-m", "sweep=optuna", "sweep.trials=1", "sweep.name=x", *words)
    assert done.returncode == 0, done.stderr
    assert "Best is trial 0:  val/rmse" in done.stdout
