"""Sweeps from the command line: what is run, what is skipped, what survives."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
from helpers import ROOT, SMALL, composed

from litmus.compose.resume import with_sweep_overrides
from litmus.errors import Interrupted, UserError
from litmus.record.folder import RunDir
from litmus.record.search import STUDIES
from litmus.run.job import start_or_resume
from litmus.sweep.pool import session
from litmus.sweep.pool.reporter import RunReporter

Command = Callable[..., subprocess.CompletedProcess[str]]
WORDS = ["-m", *SMALL, "model=perceptron,fnn", "seed=0,1", "sweep.name=four"]
CHOICES = dict.fromkeys(("model", "data", "task", "optimizer", "scheduler", "trainer"), "x")


def measured(run: Path) -> dict[str, Any]:
    """All that a run has measured, but for times."""
    result = json.loads((run / "result.json").read_text())
    header, *rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    kept = [i for i, name in enumerate(header) if not name.startswith("time/")]
    return {"metrics": result["metrics"], "epochs": [[row[i] for i in kept] for row in rows]}


@pytest.mark.wide
def test_a_sweep_is_its_folder(command: Command, tmp_path: Path) -> None:
    done = command(*WORDS)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "outputs/sweeps/four"
    names = [f"model-{model}-seed-{seed}" for model in ("fnn", "perceptron") for seed in (0, 1)]
    assert sorted(path.parent.name for path in folder.glob("*/result.json")) == names
    assert "4 of 4 jobs in outputs/sweeps/four: 4 finished" in done.stdout
    assert done.stdout.count("finished     val/acc") == 4
    assert done.stderr == ""
    config = RunDir(folder / names[0]).read_config()
    assert "sweep" not in config
    assert "started: model=fnn seed=0" in (folder / names[0] / "train.log").read_text()
    written = {path: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}

    changed = command(*WORDS, "data.batch_size=64")
    assert changed.returncode == 2
    assert "data.batch_size: 128 -> 64" in changed.stderr
    assert "outputs/sweeps/four/model-perceptron-seed-0 was run with another configuration" in changed.stderr
    assert changed.stderr.count("data.batch_size") == 1
    assert "and the same for 3 more jobs" in changed.stderr
    alone = command("resume=outputs/sweeps/four")
    assert alone.returncode == 2
    assert "Resume it with: litmus train -m resume=outputs/sweeps/four" in alone.stderr

    again = command("-m", "resume=outputs/sweeps/four", "sweep.jobs=1")
    assert again.returncode == 0, again.stderr
    assert "4 of 4 jobs in outputs/sweeps/four ended in an earlier session." in again.stdout
    assert written == {path: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}
    other = command("-m", "resume=outputs/sweeps/four", "model.dropout=0.5")
    assert other.returncode == 2
    assert "leave out model.dropout=0.5" in other.stderr


@pytest.mark.wide
def test_what_is_wrong_with_a_job_stands_in_its_line(command: Command, tmp_path: Path) -> None:
    words = ["-m", *SMALL, "model=fnn", "trainer.max_epochs=300", "sweep.name=bad", "sweep.jobs=1", "optimizer=sgd"]
    done = command(*words, "optimizer.lr=0.1", "seed=0", "sweep.timeout_s=2")
    assert done.returncode == 1, done.stdout
    assert "1 job to run in outputs/sweeps/bad; importing torch." in done.stdout
    assert "took longer than sweep.timeout_s=2" in done.stdout
    assert "        | " not in done.stdout, "the sentence says all"
    assert "compare them" not in done.stdout
    assert "resume=outputs/sweeps/bad sweep.failed=retry" in done.stdout
    assert "add sweep.timeout_s=SECONDS to allow more time" in done.stdout
    again = command("-m", "resume=outputs/sweeps/bad")
    assert again.returncode == 1, again.stderr
    assert "Of these, 1 failed: sweep.failed=retry runs such jobs again." in again.stdout
    assert "importing torch" not in again.stdout
    done = command(*words[:4], "trainer.max_epochs=1", "optimizer=sgd", "optimizer.lr=1e30", "sweep.name=lost")
    assert done.returncode == 1, "as a single run that diverges"
    assert "[1/1] diverged" in done.stdout
    assert "diverged: the loss is" in done.stdout
    assert "results are not comparable with those on all of MNIST" in done.stdout


@pytest.mark.wide
def test_a_sweep_that_has_one_key_more_runs_only_what_is_new(command: Command, tmp_path: Path) -> None:
    words = ["-m", *SMALL, "model=perceptron", "seed=0,1", "sweep.name=more"]
    assert command(*words).returncode == 0
    done = command(*words, "model.l2=0,0.1")
    assert done.returncode == 0, done.stderr
    assert "2 of 4 jobs in outputs/sweeps/more ended in an earlier session." in done.stdout
    names = {path.parent.name for path in (tmp_path / "outputs/sweeps/more").glob("*/result.json")}
    assert names == {"seed-0", "seed-1", "model.l2-0.1-seed-0", "model.l2-0.1-seed-1"}


@pytest.mark.wide
def test_mistakes_are_answered_before_anything_runs(command: Command, tmp_path: Path) -> None:
    for words, said in {
        ("model=fnn,cnnn",): "There is no model=cnnn",
        ("model=fnn,cnn", "model.widths=[8]", "model.kernel_size=3"): "There is no key model.kernel_size",
        ("model.dropout=0,1.5",): "model.dropout is a probability",
        ("seed=0,1", "sweep.jobs=0"): "sweep.jobs is auto, or a whole number, at least 1",
        ("seed=0,1", "sweep.job=2"): "Did you mean sweep.jobs?",
        ("seed=0,1", "sweep.trials=4"): "A search has it: sweep=optuna.",
        ("seed=0,0",): "a value is typed twice.\n",
        ("seed=interval(0,1)",): "intervals need a search, sweep=optuna",
        ("seed=0,1", "hydra/sweeper=basic"): "leave out hydra/sweeper",
        ("seed=0,1", "sweep.name=a/b"): "sweep.name=a/b is not a valid folder name; a-b is",
        ("sweep=optuna", "model.dropout=interval(0,1.6)"): "model.dropout=1.6 is not allowed",
        ("sweep=optuna", "model.dropout=interval(0,0.5)", "sweep.metric=val/ac"): "Did you mean val/acc?",
        ("resume=nowhere",): "There is no folder nowhere.",
    }.items():
        done = command("-m", *words)
        assert done.returncode == 2, (words, done.stderr)
        assert said in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_sweep_is_resumed_by_another_launcher(tmp_path: Path) -> None:
    def words(*typed: str) -> list[str]:
        return with_sweep_overrides(["-m", f"resume={tmp_path}", *typed])

    where = f"hydra.sweep.dir={tmp_path}"
    session.write_overrides(tmp_path, ["seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"])
    assert words("hydra/launcher=litmus") == ["-m", "seed=0,1", "hydra/launcher=litmus", where]
    assert words("hydra.launcher.n_jobs=3")[1:4] == ["seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=3"]
    session.write_overrides(tmp_path, ["seed=0,1", "sweep.jobs=2", "sweep.name=x"])
    assert "sweep.jobs=2" not in words("hydra/launcher=ray", "+hydra.launcher.ray.remote.num_cpus=4")
    assert "sweep.jobs=2" in words()


@pytest.mark.parametrize("study", STUDIES)
def test_a_grid_keeps_out_of_a_search_s_folder(study: str, command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "outputs/sweeps/x"
    folder.mkdir(parents=True)
    (folder / study).touch()
    done = command("-m", "model=perceptron", "seed=0,1", "sweep.name=x")
    assert done.returncode == 2
    assert "outputs/sweeps/x holds a search" in done.stderr


def test_a_search_keeps_out_of_a_grid_s_folder(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "outputs/sweeps/x"
    session.write_overrides(folder, ["model=perceptron", "seed=0,1"])
    before = (folder / "sweep.yaml").read_text()
    (folder / "seed-0").mkdir()
    (folder / "seed-0" / "requested.yaml").touch()
    done = command("-m", "model=perceptron", "sweep=optuna", "optimizer.lr=interval(0.1,1)", "sweep.name=x")
    assert done.returncode == 2
    assert "outputs/sweeps/x holds a grid" in done.stderr
    assert (folder / "sweep.yaml").read_text() == before


@pytest.mark.slow
def test_hydra_s_basic_launcher_runs_the_same_jobs(command: Command, tmp_path: Path) -> None:
    words = ["-m", *SMALL, "model=perceptron", "seed=0,1", "sweep.name=basic", "hydra/launcher=basic"]
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 jobs in outputs/sweeps/basic: 2 finished" in done.stdout
    folder = tmp_path / "outputs/sweeps/basic"
    assert {path.parent.name for path in folder.glob("*/result.json")} == {"seed-0", "seed-1"}
    ours = command(*words[:-1])
    assert "2 of 2 jobs in outputs/sweeps/basic ended in an earlier session" in ours.stdout


@pytest.mark.wide
def test_a_launcher_that_is_killed_loses_nothing_that_had_ended(command: Command, tmp_path: Path) -> None:
    words = ["-m", *SMALL, "model=fnn", "model.dropout=0.3", "seed=range(0,4)", "trainer.max_epochs=12"]
    assert command(*words, "hydra.sweep.dir=whole").returncode == 0
    words.append("hydra.sweep.dir=killed")
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *words], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    deadline = time.time() + 90
    while len(list(killed.glob("*/checkpoints/last.ckpt"))) < 3:  # one has ended, others are under way
        assert time.time() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = [p for p in killed.glob("*/result.json") if json.loads(p.read_text())["status"] == "finished"]
    before = {path: path.stat().st_mtime_ns for path in finished}
    assert before
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert "4 finished" in done.stdout
    assert len(list(killed.glob("*/result.json"))) == 4
    for path in killed.glob("*/result.json"):
        assert measured(path.parent) == measured(tmp_path / "whole" / path.parent.name), path.parent.name
    assert {path: path.stat().st_mtime_ns for path in before} == before, "none is run twice"


class StopAfter(lightning.Callback):
    """Interrupts a run when that epoch is over."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer, *args: Any, **kwargs: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise Interrupted(signal.SIGTERM)


class StopBeforeTest(lightning.Callback):
    """Interrupts a run when it is trained."""

    def on_test_start(self, *args: Any) -> None:
        raise Interrupted(signal.SIGTERM)


RESUMED = {
    "average": (["scheduler=one_cycle", "callback.ema.decay=0.9"], StopAfter(2), 2),
    "plateau": (["scheduler=plateau", "scheduler.patience=1", "optimizer.lr=0.1"], StopAfter(3), 3),
    "stopped early": (["callback.early_stopping.patience=1", "optimizer.lr=0.5"], StopBeforeTest(), None),
    "not tested": ([], StopBeforeTest(), 5),
}


@pytest.mark.wide
@pytest.mark.parametrize("case", RESUMED)
def test_a_resumed_job_is_the_one_that_was_not_interrupted(case: str, tmp_path: Path) -> None:
    """Dropout draws from torch's generator, whose state a checkpoint of Lightning's does not hold."""
    more, stop, epochs = RESUMED[case]
    words = ["model=fnn", "data=mnist", *SMALL, "model.dropout=0.4", "trainer.max_epochs=5", "data.limit=200"]
    requested = composed(*words, *more)
    whole, parted = RunDir(tmp_path / "whole"), RunDir(tmp_path / "parted")
    assert start_or_resume(whole, requested, CHOICES, 0.0, "") == "finished"
    if case == "stopped early":
        epochs = whole.read_result()["epochs"]
        assert epochs < 5
    if case == "plateau":
        assert len({row["optim/lr"] for row in whole.read_metrics()}) > 1
    assert start_or_resume(parted, requested, CHOICES, 0.0, "", stop) == "interrupted"
    assert parted.read_result()["epochs"] == epochs
    assert start_or_resume(parted, requested, CHOICES, 0.0, "") == "finished"
    assert measured(parted.path) == measured(whole.path)
    assert "resumed" in parted.log.read_text()


def test_a_job_in_a_folder_of_another_run(tmp_path: Path) -> None:
    requested = composed("model=perceptron", *SMALL)
    run = RunDir(tmp_path / "job")
    run.write_config(requested)  # as single runs of earlier versions are
    with pytest.raises(UserError, match="does not belong to this sweep"):
        start_or_resume(run, requested, CHOICES, 0.0, "")


class Launcher:
    """Prunes after the second epoch."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def report(self, **message: Any) -> bool:
        self.messages.append(message)
        return message.get("epoch") == 2


def test_a_pruned_run_is_a_run_folder(tmp_path: Path) -> None:
    requested = composed("model=perceptron", *SMALL, "trainer.max_epochs=5")
    run, launcher = RunDir(tmp_path / "job"), Launcher()
    assert start_or_resume(run, requested, CHOICES, 0.0, "", RunReporter(launcher)) == "pruned"
    result = run.read_result()
    assert (result["status"], result["epochs"]) == ("pruned", 2)
    assert result["error"] == "pruned after epoch 2 of 5"
    assert "val/acc" in result["metrics"]
    assert "test/acc" not in result["metrics"], "the test set decides nothing, and is spent on no pruned run"
    assert [message.get("epoch") for message in launcher.messages] == [None, 1, 2]
    assert launcher.messages[1]["monitor"] == "val/acc"
    assert start_or_resume(run, requested, CHOICES, 0.0, "") == "pruned", "it is not run again"


def test_a_run_that_calls_exit_has_failed(tmp_path: Path) -> None:
    class Exits(lightning.Callback):
        def on_train_start(self, *args: Any) -> None:
            sys.exit(3)

    requested = composed("model=perceptron", *SMALL)
    run = RunDir(tmp_path / "job")
    assert start_or_resume(run, requested, CHOICES, 0.0, "", Exits()) == "failed"
    assert "sys.exit(3)" in run.read_result()["error"]


def test_a_run_that_is_stopped_at_an_epoch_s_end_is_interrupted(tmp_path: Path) -> None:
    """Lightning looks there before our callback does, and raises an exception of its own."""

    class Stop(lightning.Callback):
        def on_validation_end(self, *args: Any) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    requested = composed("model=perceptron", *SMALL)
    run = RunDir(tmp_path / "job")
    assert start_or_resume(run, requested, CHOICES, 0.0, "", Stop()) == "interrupted"
    assert run.read_result()["error"] == "stopped by SIGTERM"


@pytest.mark.wide
def test_the_server_has_one_thread_when_it_forks(tmp_path: Path) -> None:
    """Threads do not survive a fork, but the locks they hold do."""
    code = (
        "import json, sys, threading\n"
        "from litmus.fetch import once\n"
        "from litmus.sweep.pool.worker import prepare\n"
        "prepare(json.loads(sys.argv[1]))\n"
        "assert len(once.kept) == 2, 'the digits, and their checksum'\n"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(threading.active_count(), status['Threads'].strip())"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    config = json.dumps(composed("model=fnn", "data.source=bundled"))
    done = subprocess.run(
        [sys.executable, "-c", code, config], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["1", "1"]
