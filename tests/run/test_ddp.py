"""The other processes of a run that trains with DDP."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from faults import Fault

from litmus.errors import Diverged, UserError
from litmus.record.folder import RunDir
from litmus.run import ddp, lost

Train = Callable[..., RunDir]


@pytest.mark.parametrize(
    ("script", "ending"),
    [("echo no memory >&2; exit 3", "ended with exit status 3"), ("kill -SEGV $$", "was killed by SIGSEGV")],
)
def test_a_failed_rank_is_named_with_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ending: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    expected = rf"failed: rank 1 {ending}, rank 2 {ending}\. See .*rank_1.log"
    with pytest.raises(RuntimeError, match=expected), ddp.started(RunDir(tmp_path), 3):
        pass
    lines = r" Its last lines, in .*rank_1.log:\n  no memory" if "echo" in script else "$"
    expected = rf"Rank 1 of the run {ending}, so the training stopped\.{lines}"
    with pytest.raises(UserError, match=expected), ddp.started(RunDir(tmp_path), 3) as meet:
        meet()  # at once, and not when torch has waited for minutes
    with pytest.raises(Diverged), ddp.started(RunDir(tmp_path), 3):
        raise Diverged("as in all processes", 1)


def test_a_process_that_waits_for_a_dead_rank_in_vain_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python, ended, signals = tmp_path / "python", threading.Event(), []
    python.write_text("#!/bin/sh\necho Xid 79: the GPU has fallen off the bus >&2; exit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(os, "_exit", lambda status: ended.set())
    monkeypatch.setattr(ddp, "LOOK_S", 0.05)
    monkeypatch.setattr(lost, "NOTICED_S", 0.1)
    monkeypatch.setattr(lost, "STUCK_S", 0.3)
    before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))  # which does nothing
    try:
        with suppress(RuntimeError), ddp.started(RunDir(tmp_path), 2):
            assert ended.wait(10)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signals == [signal.SIGTERM]
    said = " ".join(capsys.readouterr().err.split())
    assert "Rank 1 of the run ended with exit status 3, so the training stopped." in said
    assert "fallen off the bus" in said
    assert f"resume={tmp_path}" in said


@pytest.mark.wide
def test_balanced_classes_weigh_the_same_in_two_processes(train: Train) -> None:
    """Of 8 digits a step, the weights of the two processes' 4 differ widely."""
    few = ["data.limit=64", "data.batch_size=8", "trainer.max_epochs=3", "task.baselines=true"]
    changes = ["model=fnn", "model.widths=[16]", "task.balanced=true", "task.label_smoothing=0.1", "seed=3", *few]
    one = train(*changes, folder="one")
    two = train(*changes, "trainer=ddp", "trainer.accelerator=cpu", folder="two")
    assert two.read_result()["status"] == "finished", two.log.read_text()
    for alone, shared in zip(one.read_metrics(), two.read_metrics(), strict=True):
        for name in ("train/loss", "val/loss", "val/logistic_acc", "val/majority_f1", "val/skill"):
            assert shared[name] == pytest.approx(alone[name], rel=1e-5), name


@pytest.mark.wide
def test_a_killed_rank_ends_the_run_at_once_and_is_named(train: Train) -> None:
    killed_at: list[float] = []

    def kill_other(*_: object) -> None:
        found = ["pgrep", "-P", str(os.getpid()), "-f", "litmus.run.worker"]
        (rank,) = subprocess.run(found, capture_output=True, text=True, check=True).stdout.split()
        os.kill(int(rank), signal.SIGKILL)
        killed_at.append(time.monotonic())

    words = ["model=fnn", "data.batch_size=8", "trainer=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=3"]
    run = train(*words, watching=[Fault(kill_other, epoch=1, batch=2)])
    assert time.monotonic() - killed_at[0] < 5
    result = run.read_result()
    assert result["status"] == "failed"
    assert "resume it" in run.log.read_text(), "from the step that was kept last"
    assert result["error"].startswith("Rank 1 of the run was killed by SIGKILL, so the training stopped.")
