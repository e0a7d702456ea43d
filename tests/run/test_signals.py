"""Whatever ends a run, and whenever it comes: its folder says so, and the run can be resumed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Fault, kill
from helpers import ROOT, SMALL

from litmus import console
from litmus.config.keys import callback_mistakes
from litmus.errors import UserError
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
FEW = ["trainer.max_epochs=3", "trainer.limit_batches=2"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_every_signal_that_ends_a_process_ends_a_batch(train: Train, resume: Train, name: str) -> None:
    run = train("model=perceptron", *SMALL, *FEW, watching=[Fault(kill(signal.Signals[name]), epoch=1, batch=0)])
    result = run.read_result()
    assert (result["status"], result["error"], result["epochs"]) == ("interrupted", f"stopped by {name}", 1)
    assert resume(run).read_result()["epochs"] == 3


def test_a_signal_that_is_ignored_stays_so(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        run = train("model=perceptron", *SMALL, *FEW, watching=[Fault(kill(signal.SIGHUP), epoch=1, batch=0)])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert run.read_result()["status"] == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_torch_is_imported(tmp_path: Path, name: str) -> None:
    words = ["model=perceptron", *SMALL, *FEW, "hydra.run.dir=run"]
    process = subprocess.Popen([sys.executable, str(ROOT / "train.py"), *words], cwd=tmp_path, stderr=subprocess.PIPE)
    run = RunDir(tmp_path / "run")
    while not (run.path / "requested.yaml").is_file():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.Signals[name])
    assert process.wait(60) == 130, process.communicate()
    assert run.read_result()["status"] == "interrupted"
    assert run.read_result()["error"] == f"stopped by {name}"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_hydra_is_imported(tmp_path: Path, name: str) -> None:
    """Sent when the first of its modules is looked for."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Sender:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'hydra':\n"
        f"            os.kill(os.getpid(), signal.{name})\n"
        "sys.meta_path.insert(0, Sender())\n"
    )
    command = [sys.executable, str(ROOT / "train.py"), "model=perceptron", *SMALL, *FEW, "hydra.run.dir=run"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    number = signal.Signals[name]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a shell's background ignores Ctrl-C
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")
    assert not (tmp_path / "run").exists()


@pytest.mark.wide
@pytest.mark.parametrize("screen", ["/dev/full", "a pipe that nobody reads"])
def test_the_screen_is_no_part_of_the_run(tmp_path: Path, screen: str) -> None:
    command = [sys.executable, str(ROOT / "train.py"), "model=perceptron", *SMALL, *FEW, "hydra.run.dir=run"]
    if screen == "/dev/full":
        out = os.open(screen, os.O_WRONLY)
    else:
        read, out = os.pipe()
        os.close(read)
    done = subprocess.run(command, cwd=tmp_path, stdout=out, check=False)
    os.close(out)
    assert done.returncode == 0
    run = RunDir(tmp_path / "run")
    assert run.read_result()["status"] == "finished"
    log = run.log.read_text()
    assert "epoch 3/3" in log
    assert "test  " in log, "the table of the metrics, too"


def test_what_a_run_needs_cannot_be_left_out(resume: Train, trained: Train) -> None:
    section = {"early_stopping": {"_target_": "x", "patience": 3}}
    (sentence,) = callback_mistakes(section, "early_stopping")
    assert sentence == (
        "callback=early_stopping would replace all callbacks, checkpoint and history and interrupt and random_state "
        "among them, which a run needs. Set its keys instead: callback.early_stopping.patience."
    )
    run = trained("model=perceptron", *SMALL, *FEW)
    with pytest.raises(UserError, match="callback.history=null is not allowed"):
        resume(run, "trainer.max_epochs=4", "callback.history=null")


def test_a_result_is_forgotten_before_the_run_trains_on(train: Train, resume: Train) -> None:
    run = train("model=perceptron", *SMALL, *FEW)
    seen = []
    look = Fault(lambda trainer, task: seen.append(run.read_result()), epoch=3, batch=0)
    assert resume(run, "trainer.max_epochs=4", watching=[look]).read_result()["epochs"] == 4
    assert seen == [None], "a run that is killed now has no result"


def test_a_table_s_rows_are_in_the_log(tmp_path: Path) -> None:
    with console.log_to(tmp_path / "log"):
        console.table(["", "acc"], [["test", 0.5]], "best")
    assert (tmp_path / "log").read_text().endswith("best\n  acc\ntest  0.5000\n")
