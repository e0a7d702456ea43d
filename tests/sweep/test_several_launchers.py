"""`sweep.storage=journal`, typed three times at once as one would on three machines, of which two die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT, SMALL

from litmus.record.folder import RunDir
from litmus.record.search import read_search

EPOCHS, TRIALS = 4, 10
SEARCH = [
    "-m", "sweep=optuna", "sweep.storage=journal", f"sweep.trials={TRIALS}", "sweep.jobs=1", "sweep.name=shared",
    *SMALL, "model=fnn", "model.dropout=interval(0,0.6)", f"trainer.max_epochs={EPOCHS}",
]  # fmt: skip


def _ended(folder: Path) -> int:
    return len(list(folder.glob("trial_*/result.json")))


@pytest.mark.slow
def test_three_launchers_of_which_two_are_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "COLUMNS": "100", "HOME": str(tmp_path / "home")}
    folder = tmp_path / "outputs/sweeps/shared"

    def start() -> "subprocess.Popen[str]":
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = [sys.executable, str(ROOT / "train.py"), *SEARCH]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **pipes)

    launchers = [start() for _ in range(3)]
    for number, launcher in enumerate(launchers[:2]):
        while _ended(folder) <= 2 * number:  # each dies in the middle of a trial, or between two
            assert launcher.poll() is None, launcher.communicate()
            time.sleep(0.1)
        launcher.kill()
        assert launcher.wait() == -signal.SIGKILL
    out, err = launchers[2].communicate(timeout=300)
    assert (launchers[2].returncode, err) == (0, ""), out + err
    assert f"{TRIALS} of {TRIALS} jobs in outputs/sweeps/shared: {TRIALS} finished" in out
    found = read_search(folder)
    assert found is not None
    assert [(trial.number, trial.state) for trial in found.trials] == [(i, "finished") for i in range(TRIALS)]
    for trial in found.trials:
        run = RunDir(folder / trial.folder)
        assert [row["epoch"] for row in run.read_metrics()] == list(range(1, EPOCHS + 1))
    again = start()
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert f"{TRIALS} of {TRIALS} jobs in outputs/sweeps/shared ended in an earlier session." in out
