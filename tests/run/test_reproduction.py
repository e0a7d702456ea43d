"""`reproduce=RUN` trains a run again elsewhere, and says whether it came out the same, and what is different."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import SMALL, composed

from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run import reproduction
from litmus.run.job import reproduced_config

Train = Callable[..., RunDir]
Command = Callable[..., object]
FNN = ["model=fnn", *SMALL, "hydra.run.dir=original"]


def report(folder: Path) -> dict:
    return json.loads((folder / "reproduction.json").read_text())


@pytest.mark.wide
def test_a_run_is_reproduced_from_its_folder_alone(command: Command, tmp_path: Path) -> None:
    first = command(*FNN, "model.dropout=0.2", "optimizer.lr=2e-3", "seed=3")
    assert first.returncode == 0, first.stderr
    done = command("reproduce=original")
    assert done.returncode == 0, done.stderr
    again = (tmp_path / "outputs" / "latest").resolve()
    assert re.fullmatch(r"[\d_-]+_reproduce-original", again.name), "what the run brings was not typed"
    assert "reproduces   original  identical" in done.stdout
    found = report(again)
    assert found["identical"]
    assert set(found["parts"].values()) == {"identical"}
    assert found["differences"] == {}
    assert RunDir(again).read_config()["model"]["dropout"] == 0.2

    run = RunDir(tmp_path / "original")
    content = torch.load(run.last, weights_only=True)
    content["state_dict"]["net.head.bias"] += 1e-3
    torch.save(content, run.last)
    rows = run.read_metrics()
    run.write_metrics([rows[0], {**rows[1], "val/loss": 9.0}])
    result = run.read_result()
    dataset = {**result["dataset"], "sha256": dict.fromkeys(result["dataset"]["sha256"], "0" * 64)}
    run.write_result({**result, "metrics": {**result["metrics"], "val/loss": 9.0}, "dataset": dataset})
    environment = json.loads((run.path / "environment.json").read_text())
    environment["packages"]["torch"] = "1.0"
    (run.path / "environment.json").write_text(json.dumps({**environment, "processor": "Z80"}))
    done = command("reproduce=original", "hydra.run.dir=third", "logger=none")
    assert done.returncode == 1, done.stderr
    assert "reproduces   original  not identical" in done.stdout
    assert " changed since, so the two runs will differ." in done.stderr
    found = report(tmp_path / "third")
    assert found["parts"]["weights and optimizer"] == found["parts"]["metrics.csv"] == "differs"
    assert found["metrics"]["val/loss"] == [9.0, result["metrics"]["val/loss"]]
    assert 0 < found["weights"] < 1
    assert found["first_epoch"] == 2
    assert {"torch", "processor", "data"} == found["differences"].keys()
    assert found["differences"]["torch"][0] == "1.0"
    run.path.rename(tmp_path / "moved")
    done = command("resume=third", "trainer.max_epochs=5")
    assert (done.returncode, done.stderr) == (2, "There is no folder original.\n")


def test_an_earlier_version_s_run_is_compared_by_what_it_stored(train: Train) -> None:
    original, run = train("model=perceptron"), train("model=perceptron", folder="again")
    (original.path / "environment.json").unlink()
    original.last.unlink()
    result = original.read_result()
    original.write_result({**result, "versions": {**result["versions"], "numpy": "1.0"}})
    assert reproduction.compare(original, run)
    found = report(run.path)
    assert found["parts"]["weights and optimizer"] == "missing"
    assert found["differences"] == {"numpy": ["1.0", result["versions"]["numpy"]]}


def test_that_the_clock_ended_it_is_a_difference(train: Train) -> None:
    words = ["model=perceptron", "trainer.max_epochs=1", "trainer.max_time=600"]
    original, run = train(*words), train(*words, folder="again")
    assert reproduction.compare(original, run)
    original.write_result({**original.read_result(), "steps": 2})
    assert not reproduction.compare(original, run)
    steps = report(run.path)["differences"]["steps until trainer.max_time was over"]
    assert steps == [2, run.read_result()["steps"]]


def test_a_run_is_reproduced_with_its_number_of_threads(trained: Train) -> None:
    original = trained("model=perceptron")
    before = torch.get_num_threads()
    original.write_result({**original.read_result(), "threads": before + 2})
    with reproduction.threads_of(original):
        assert torch.get_num_threads() == before + 2
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["model.dropout=0.5"], "trains .* again as it was: leave out model.dropout="),
        (["seed=4"], "leave out seed="),
        (["trainer=cpu"], "leave out trainer="),
    ],
)
def test_what_would_be_another_run_is_refused(trained: Train, overrides: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        reproduced_config(trained("model=fnn"), composed("model=fnn", *overrides), overrides)


def test_a_run_that_did_not_finish_or_was_changed_is_refused(train: Train, resume: Train) -> None:
    run = train("model=fnn", "scheduler=none", "data.dir=here")
    result = run.read_result()
    run.write_result({**result, "status": "interrupted"})
    with pytest.raises(UserError, match="is interrupted. Only a finished run can be reproduced: resume it first"):
        reproduced_config(run, composed("model=fnn"), [])
    run.write_result({**result, "changes": [{"step": 8, "key": "environment.threads", "from": 1, "to": 2}]})
    moved = reproduced_config(run, composed("model=fnn", "data.dir=there"), ["data.dir=there"])
    assert moved["data"]["dir"] == "there"
    run.write_result(result)
    resume(run, "trainer.max_epochs=3", "trainer.gradient_clip=1")
    with pytest.raises(UserError, match="another trainer.gradient_clip from step 8 on"):
        reproduced_config(run, composed("model=fnn"), [])


def test_flags_for_configuration_files_do_nothing_silently(train: Train, command: Command, tmp_path: Path) -> None:
    train("model=perceptron")
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "small.yaml").write_text("# @package _global_\nseed: 5\n")
    for words, sentence in (
        (["--config-dir", "run"], "run is the folder of a run. To train it again: litmus train reproduce=run"),
        (["--config-dir=empty"], "--config-dir empty adds nothing"),
        (["--config-path", "run", "--config-name", "config"], "would replace litmus' own configuration"),
        (["-m", "reproduce=run"], "reproduce= trains one run again: leave out -m"),
        (["reproduce=run", "resume=run"], "leave out one of them"),
        (["reproduce=run", "experiment=cnn"], "leave out experiment="),
    ):
        done = command(*words)
        assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert "seed: 5" in command("--config-dir", "mine", "experiment=small", "--cfg", "job").stdout
