"""A job of SLURM whose time is over keeps the step, is requeued, and resumes in its folder when it starts again."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Fault, kill
from helpers import SMALL
from tasks import tasks

from litmus.compose.resume import with_requeued_run
from litmus.config.launch import with_launch
from litmus.record.folder import RunDir
from litmus.run.ending import ending

Train = Callable[..., RunDir]
SIGNALS = ["SIGUSR1", "SIGUSR2"]
FNN = ["model=fnn", *SMALL, "model.dropout=0.2", "scheduler=none"]


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `scontrol` that notes what it is told, and the environment of a job."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "scontrol"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    return tmp_path / "told"


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("name", [*SIGNALS, "SIGTERM"])
def test_only_the_end_of_its_time_requeues_a_job(train: Train, queue: Path, name: str) -> None:
    """SIGTERM is what `scancel` sends."""
    import signal

    run = train(*FNN, watching=[Fault(kill(signal.Signals[name]), epoch=0, batch=1)])
    assert run.read_result()["status"] == "interrupted"
    assert (queue.read_text() if queue.exists() else "") == ("requeue 42\n" if name in SIGNALS else "")


@pytest.mark.slow
def test_a_requeued_command_resumes_its_run(
    command: Callable[..., subprocess.CompletedProcess[str]], queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = "from litmus.__main__ import main; import os, sys; " + (
        "from litmus.callback.checkpoint import Checkpoint; import signal; before = Checkpoint.on_train_batch_end; "
        "count = [0]\n"
        "def act(self, *a):\n"
        "    count[0] += 1\n"
        "    if count[0] == 2: os.kill(os.getpid(), signal.SIGUSR1)\n"
        "    before(self, *a)\n"
        "Checkpoint.on_train_batch_end = act\n"
        f"sys.argv = ['litmus', 'train', *{FNN!r}]\nmain()"
    )
    first = subprocess.run([sys.executable, "-c", stopped], capture_output=True, text=True, timeout=60, check=False)
    assert first.returncode == 130, first.stderr
    assert "requeued     job 42 of SLURM, which will resume this run" in first.stdout
    (folder,) = Path("outputs", "fnn-mnist").iterdir()
    assert RunDir(folder).read_result()["steps"] == 0

    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    second = command(*FNN)
    assert second.returncode == 0, second.stderr
    third = command(*FNN)
    assert (third.returncode, "this run of it has finished" in third.stdout) == (0, True)
    assert [each.name for each in Path("outputs", "fnn-mnist").iterdir()] == [folder.name]
    monkeypatch.delenv("SLURM_JOB_ID")
    assert command(*FNN, "hydra.run.dir=whole").returncode == 0
    assert ending(RunDir(folder)) == ending(RunDir(Path("whole")))


def test_a_requeued_command_of_several_tasks_is_known_with_what_their_number_added(
    queue: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {**tasks(4, nodes=2)[1], "SLURM_JOB_ID": "42", "SLURM_RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "outputs" / "fnn-mnist" / "now"
    folder.mkdir(parents=True)
    begun = f"python train.py {' '.join(with_launch(['model=fnn']))}"
    known = {"slurm_job": "42", "commands": [begun], "packages": {}, "variables": {}, "git": None}
    (folder / "environment.json").write_text(json.dumps(known))
    assert with_requeued_run(["model=fnn"]) == ["resume=outputs/fnn-mnist/now"]
    assert with_requeued_run(["model=fnn", "trainer.devices=2"]) == ["resume=outputs/fnn-mnist/now"], "the same"
    monkeypatch.setenv("SLURM_NTASKS", "2")
    assert with_requeued_run(["model=fnn"]) == ["model=fnn"], "another step of the job"


def test_other_commands_and_other_jobs_start_anew(
    train: Train, queue: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "outputs" / "fnn-mnist" / "now"
    folder.mkdir(parents=True)
    known = {"slurm_job": "42", "commands": ["python train.py model=fnn seed=1"]}
    known |= {"packages": {}, "variables": {}, "git": None}
    (folder / "environment.json").write_text(json.dumps(known))
    assert with_requeued_run(["seed=1", "model=fnn"]) == ["seed=1", "model=fnn"], "the first start of the job"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert with_requeued_run(["seed=1", "model=fnn"]) == ["resume=outputs/fnn-mnist/now"]
    assert with_requeued_run(["seed=2", "model=fnn"]) == ["seed=2", "model=fnn"]
    assert with_requeued_run(["resume=x"]) == ["resume=x"]
    damaged = folder.parent / "older" / "environment.json"
    damaged.parent.mkdir()
    for content in (
        "[" * 100_000,
        "5",
        '{"commands": 5}',
        '{"slurm_job": "42"}',
        json.dumps({**known, "commands": []}),
    ):
        damaged.write_text(content)
        assert with_requeued_run(["seed=1", "model=fnn"]) == ["resume=outputs/fnn-mnist/now"], content[:20]
    assert with_requeued_run(["-m", "seed=1", "model=fnn"]) == ["-m", "seed=1", "model=fnn"]
    monkeypatch.setenv("SLURM_JOB_ID", "43")
    assert with_requeued_run(["seed=1", "model=fnn"]) == ["seed=1", "model=fnn"]
