"""Every logger of conf/logger has all of a run: trained, failed, killed, resumed, in a sweep, of two processes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Fault, fail, kill
from helpers import ROOT, SMALL
from logged import ALL, EACH, INSTALLED, LOGGERS, READERS, Points, mlflow_run, wandb_records

from litmus.record.folder import RunDir
from litmus.run.ending import PARTS

Train = Callable[..., RunDir]
SHOWN = ("train/loss", "val/acc", "val/loss", "optim/lr")
ENDINGS = {
    "finished": ("FINISHED", 0),
    "failed": ("FAILED", 1),
    "interrupted": ("KILLED", 255),
}


def expected(run: RunDir) -> Points:
    """The points of each epoch: at its last step, counted from 0."""
    rows = run.read_metrics()
    return {name: [(row["step"] - 1, row[name]) for row in rows] for name in SHOWN}


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """As typed, with this process' packages."""
    return subprocess.run([sys.executable, ROOT / "train.py", *words], capture_output=True, text=True, check=False)


def of_epochs(points: Points) -> Points:
    return {name: [(step, pytest.approx(value)) for step, value in points[name]] for name in SHOWN}


def test_every_logger_is_read() -> None:
    assert sorted(READERS) == LOGGERS


@pytest.mark.parametrize("name", EACH)
def test_a_run_is_logged_and_goes_on_where_it_is_resumed(name: str, train: Train, resume: Train) -> None:
    run = train("model=fnn", f"logger={name}")
    assert run.read_result()["status"] == "finished", run.log.read_text()
    points = READERS[name](run)
    assert expected(run) == of_epochs(points)
    accuracy = run.read_result()["metrics"]["test/acc"]
    assert [value for _, value in points["test/acc"]] == [pytest.approx(accuracy)]
    ids = run.read_tracking()
    assert len(list(run.path.glob("events*"))) == (name == "tensorboard") * 4

    resume(run, "trainer.max_epochs=3")
    assert run.read_result()["epochs"] == 3, run.log.read_text()
    assert expected(run) == of_epochs(READERS[name](run))
    assert len(READERS[name](run)["test/acc"]) == 2
    assert run.read_tracking() == ids
    assert set(ids) == {name} & {"mlflow", "wandb"}


@pytest.mark.parametrize("status", ENDINGS)
def test_how_a_run_ended_and_what_it_was_is_known_elsewhere(status: str, train: Train) -> None:
    acts = {"failed": [fail("no")], "interrupted": [kill(signal.SIGINT)]}.get(status, [])
    run = train("model=fnn", "model.dropout=0.25", ALL, watching=[Fault(act, epoch=1, batch=1) for act in acts])
    assert run.read_result()["status"] == status
    in_mlflow, in_wandb = ENDINGS[status]
    if "mlflow" in INSTALLED:
        found = mlflow_run(run)
        assert found.info.status == in_mlflow
        assert found.data.tags["status"] == status
        assert {name: found.data.params[name] for name in ("model", "model.dropout", "model.widths")} == {
            "model": "fnn",
            "model.dropout": "0.25",
            "model.widths": "[128, 64]",
        }
        assert "data.dir" not in found.data.params
        assert found.data.metrics["when_best/val/acc"] == run.read_result()["metrics"]["val/acc"]
    if "wandb" in INSTALLED:
        records = list(wandb_records(run))
        assert [each.exit.exit_code for each in records if each.HasField("exit")] == [in_wandb]
        config = {item.key or item.nested_key[-1]: item.value_json for each in records for item in each.config.update}
        assert config["model.dropout"] == "0.25"
        summary = {item.key or item.nested_key[-1]: item.value_json for each in records for item in each.summary.update}
        assert json.loads(summary["status"]) == status
    assert "model.dropout: 0.25" in (run.path / "csv/hparams.yaml").read_text()


@pytest.mark.slow
def test_a_killed_process_is_gone_on_with_and_nothing_is_printed(tmp_path: Path, train: Train) -> None:
    small = [*SMALL, "model=fnn", "trainer.max_epochs=30", "task.baselines=false"]
    words = [sys.executable, str(ROOT / "train.py"), *small, ALL, "hydra.run.dir=run"]
    run = RunDir(tmp_path / "run")
    with (tmp_path / "printed").open("wb") as printed:
        process = subprocess.Popen(words, stdout=printed, stderr=printed)
        while process.poll() is None and len(run.whole_metrics()) < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(run.whole_metrics()) < 30, "it was killed too late"
    ids = run.read_tracking()
    done = command("resume=run")
    assert done.returncode == 0, done.stderr
    assert run.read_tracking() == ids
    assert set(ids) == {"mlflow", "wandb"} & set(INSTALLED)
    for name in INSTALLED:
        wanted, found = expected(run), READERS[name](run)
        if name in ("mlflow", "wandb"):  # which take nothing back: an epoch whose checkpoint was lost is there twice
            found = {metric: list(dict.fromkeys(points)) for metric, points in found.items()}
        if name == "wandb":  # which keeps points in memory for a while
            wanted = {metric: points[-len(found[metric]) :] for metric, points in wanted.items()}
            assert len(found["val/acc"]) > 20
        assert wanted == of_epochs(found), name
    text = (tmp_path / "printed").read_text() + done.stdout + done.stderr
    shown = [line for line in text.lower().splitlines() if ("wandb" in line or "mlflow" in line) and "try " not in line]
    assert {line.strip() for line in shown} <= {
        f"{ALL}  (default tensorboard)",
        "starting wandb ...",
        "opening the mlflow store ...",
    }
    straight = train(*small, "logger=none", folder="straight")
    for part in ("weights and optimizer", "metrics.csv", "result.json"):
        assert PARTS[part](run) == PARTS[part](straight), part


@pytest.mark.slow
def test_jobs_of_a_sweep_log_side_by_side(tmp_path: Path) -> None:
    done = command("-m", *SMALL, "model=perceptron", "seed=0,1", "sweep.name=two", "sweep.jobs=2", ALL)
    assert done.returncode == 0, done.stdout + done.stderr
    for run in map(RunDir, (tmp_path / "outputs/sweeps/two").glob("seed-*")):
        for name in INSTALLED:
            assert expected(run) == of_epochs(READERS[name](run)), name
        if "mlflow" in INSTALLED:
            found = mlflow_run(run)
            assert (found.info.status, found.info.run_name) == ("FINISHED", f"two/{run.path.name}")
    again = command("-m", "resume=outputs/sweeps/two")
    assert "2 of 2 jobs in outputs/sweeps/two ended in an earlier session." in again.stdout, again.stderr


@pytest.mark.wide
def test_of_several_processes_the_first_one_logs(train: Train) -> None:
    run = train("model=fnn", ALL, "trainer=ddp", "trainer.accelerator=cpu")
    assert run.read_result()["status"] == "finished", run.log.read_text()
    for name in INSTALLED:
        found = READERS[name](run)
        assert expected(run) == of_epochs(found), name
        assert len(found["test/acc"]) == 1
    assert len(list((run.path / "wandb").glob("offline-run-*"))) == ("wandb" in INSTALLED)


@pytest.mark.parametrize("words", [["logger=csv"], ["logger=[csv,tensorboard]"]], ids=["without", "second"])
def test_what_tensorboard_alone_can_show_is_asked_of_it_only(words: list[str], train: Train) -> None:
    run = train("model=fnn", "callback.dashboard.graph=true", "callback.dashboard.pictures=true", *words)
    assert run.read_result()["status"] == "finished", run.log.read_text()
    assert "TensorBoard" not in run.log.read_text().partition("test  precision")[0]
    assert len(list(run.path.glob("events*.row"))) == len(words[0].split(",")) - 1
    assert (run.path / "csv/metrics.csv").is_file()
