"""A disk that is full, or files that may not grow: a sentence at every stage; what was written before stays whole."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import SMALL

from litmus.record import disk
from litmus.record.checkpoint import is_whole
from litmus.record.folder import RunDir

Command = Callable[..., subprocess.CompletedProcess[str]]
Train = Callable[..., RunDir]
# Bytes that a file may have, and what cannot be written first.
STAGES = {500: "the log", 3_000: "the environment", 40_000: "events", 800_000: "the first checkpoint"}


@pytest.mark.wide
@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
@pytest.mark.parametrize("limit", STAGES, ids=STAGES.values())
def test_files_may_not_grow(tmp_path: Path, command: Command, limit: int) -> None:
    done = command("model=fnn", *SMALL, "hydra.run.dir=run", largest_file=limit)
    assert done.returncode == (2 if limit < 10_000 else 1), "refused before the first step, or failed"
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert done.stderr.count("would be larger than the shell (`ulimit -f`) or the disk allows") == 1, done.stderr
    assert "and begin anew: there is no checkpoint yet." in done.stderr
    assert not [path for path in (tmp_path / "run").rglob(".*") if path.is_file()], "no temporary is left"
    result = RunDir(tmp_path / "run").read_result()
    assert result is None or result["status"] == "failed"


def test_what_was_kept_before_the_disk_was_full_is_resumed(
    train: Train, resume: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train("model=fnn", "trainer.max_epochs=1", "scheduler=none")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_: object) -> None:
        raise full

    with monkeypatch.context() as patched:
        patched.setattr("litmus.record.checkpoint.torch.save", fail)
        resume(run, "trainer.max_epochs=2")
    result = run.read_result()
    assert result["status"] == "failed"
    assert f"The disk of {run.path} is full (" in result["error"]
    assert result["error"].endswith("free some space, and resume the run.")
    assert is_whole(run.last)
    assert is_whole(run.best)
    assert resume(run).read_result()["epochs"] == 2


def test_a_result_that_cannot_be_written_is_said(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(RunDir, "write_result", fail)
    run = train("model=perceptron")
    assert f"{run.path} has no result: The disk of {run.path} is full" in capsys.readouterr().err
    assert is_whole(run.last)


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    other = OSError(errno.ECONNREFUSED, "Connection refused")
    assert disk.explained(other, tmp_path) is other
    assert disk.explained(ValueError("x"), tmp_path).args == ("x",)
    denied = PermissionError(errno.EACCES, "Permission denied", "/root/x")
    assert str(disk.explained(denied, tmp_path)) == "/root/x cannot be written: Permission denied."
