"""Hydra's other launchers: jobs that are pickled, run in other folders, and skipped when they have ended."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import lightning.pytorch as lightning
import pytest
from helpers import CONF, SMALL, composed
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import MissingConfigException

from litmus import console
from litmus.compose.command_line import Hooks
from litmus.compose.errors import explain
from litmus.compose.job import _change_to
from litmus.errors import EXIT_STATUS, UserError
from litmus.record import files
from litmus.record.folder import RunDir
from litmus.run.job import start_or_resume
from litmus.sweep.grid import Grid
from litmus.sweep.pool import session
from litmus.sweep.pool.job import Job

Command = Callable[..., subprocess.CompletedProcess[str]]
CHOICES = dict.fromkeys(("model", "data", "task", "optimizer", "scheduler", "trainer"), "x")

# As hydra-joblib-launcher and hydra-submitit-launcher do: what a job needs is pickled, and a process that knows nothing
# of this one, and stands in another folder, composes and runs it.
ELSEWHERE = """
import os, subprocess, sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.core.utils import run_job, setup_globals
from hydra.plugins.launcher import Launcher


@dataclass
class Config:
    _target_: str = "hydra_plugins.elsewhere.ElsewhereLauncher"
    ray: dict[str, Any] = field(default_factory=lambda: {"init": {}})


ConfigStore.instance().store(group="hydra/launcher", name="elsewhere", node=Config)


class ElsewhereLauncher(Launcher):
    def __init__(self, ray):
        assert ray.init == {"object_store_memory": None}

    def setup(self, *, hydra_context, task_function, config):
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides, initial_job_idx):
        file = Path("jobs.pkl").resolve()
        jobs = [list(words) for words in job_overrides] * 2  # a queue may hold a job twice
        file.write_bytes(cloudpickle.dumps((self.context, self.task, self.config, jobs, Singleton.get_state())))
        subprocess.run([sys.executable, "-m", "hydra_plugins.elsewhere", str(file)], cwd="/", check=True)
        return cloudpickle.loads(file.read_bytes())[len(job_overrides) :]


if __name__ == "__main__":
    context, task, config, jobs, state = cloudpickle.loads(Path(sys.argv[1]).read_bytes())
    setup_globals()
    Singleton.set_state(state)
    ended = []
    for words in jobs:
        composed = context.config_loader.load_sweep_config(config, words)
        keys = {"job_dir_key": "hydra.sweep.dir", "job_subdir_key": "hydra.sweep.subdir"}
        ended.append(run_job(hydra_context=context, task_function=task, config=composed, **keys))
    Path(sys.argv[1]).write_bytes(cloudpickle.dumps(ended))
"""


@pytest.mark.wide
def test_a_job_that_was_pickled_runs_once_in_its_folder(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = tmp_path / "plugins/hydra_plugins"
    plugins.mkdir(parents=True)
    (plugins / "elsewhere.py").write_text(ELSEWHERE)
    monkeypatch.setenv("PYTHONPATH", str(plugins.parent))
    words = ["-m", *SMALL, "model=perceptron", "seed=0,1", "hydra.sweep.dir=\"outputs/my 'sweep'\""]
    words += ["trainer.max_epochs=1", "hydra/launcher=elsewhere"]
    folder = tmp_path / "outputs/my 'sweep'"
    done = command(*words, fresh=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 jobs in outputs/my 'sweep': 2 finished" in done.stdout
    assert {path.parent.name for path in folder.glob("*/result.json")} == {"seed-0", "seed-1"}
    assert not (tmp_path / "outputs/latest").exists(), "that is for single runs"
    lines = [line for line in done.stdout.splitlines() if line.startswith("finished")]
    assert [line.split("  outputs/")[1].split("/seed-")[1][0] for line in lines] == ["0", "1"] * 2
    assert "epoch 1/1" not in done.stdout
    logs = [path.read_text() for path in folder.glob("*/train.log")]
    assert [log.count("started: ") for log in logs] == [1, 1]

    again = command(*words, fresh=True)
    assert again.returncode == 0, again.stderr
    assert "2 of 2 jobs in outputs/my 'sweep' ended in an earlier session." in again.stdout
    assert not any(line.startswith("finished") for line in again.stdout.splitlines())


def test_what_only_litmus_launcher_does_is_refused_with_others(command: Command, tmp_path: Path) -> None:
    for words, said in {
        ("seed=0,1", "sweep.timeout_s=9"): "sweep.timeout_s=9 is for litmus' own launcher",
        ("seed=0,1", "sweep=optuna"): "needs hydra/launcher=litmus",
    }.items():
        done = command("-m", *words, "hydra/launcher=basic")
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
    assert not (tmp_path / "outputs").exists()


def swept(*seeds: int) -> Grid:
    """A grid of jobs that are left, none of which has run."""
    config = composed("model=perceptron", *SMALL)
    left = [Job(seed, (f"seed={seed}",), Path(f"sweep/{seed}"), config, CHOICES) for seed in seeds]
    source = Grid(name=None, jobs=1, jobs_per_gpu=1, on_fail="continue", timeout_s=None, failed="skip")
    source.remaining, source.total = left, len(left)
    return source


def test_a_launcher_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    RunDir("sweep/0").write_result({"status": "finished", "metrics": {}, "error": None})
    status = session.summarize_launched(swept(0, 1), Path("sweep"), [], "hydra/launcher=ray failed: ...", False)
    said = capsys.readouterr().out
    assert status == 1
    assert "1 of 2 jobs in sweep: 1 finished" in said
    assert "hydra/launcher=ray failed" in said
    assert "resume         litmus train -m resume=sweep" in said


def test_jobs_that_left_nothing_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        session.summarize_launched(swept(0, 1), Path("sweep"), ["finished", "It is being trained."], None, False) == 1
    )
    said = capsys.readouterr().out
    assert "failed       seed=0  (its folder is not here: machines that run jobs share a file system)" in said
    assert "failed       seed=1  (It is being trained.)" in said


def test_an_interrupted_job_ends_the_launcher_s_process_and_no_other() -> None:
    hooks, ended = Hooks(), JobReturn()
    ended.status, ended.return_value = JobStatus.COMPLETED, "interrupted"
    hooks.on_job_end(composed(), ended)
    hooks.launcher = os.getpid()
    with pytest.raises(SystemExit) as exit_:
        hooks.on_job_end(composed(), ended)
    assert exit_.value.code == EXIT_STATUS["interrupted"]


def test_a_job_says_what_kept_it_from_starting(capsys: pytest.CaptureFixture[str]) -> None:
    ended = JobReturn()
    ended.status, ended.return_value = JobStatus.FAILED, UserError("It is taken.")
    Hooks().on_job_end(composed(), ended)
    assert (ended.status, ended.return_value) == (JobStatus.COMPLETED, "It is taken.")
    assert capsys.readouterr().err == "It is taken.\n"


class Announce(lightning.Callback):
    """The queue says, in the third epoch, that the job's time is over."""

    def on_train_epoch_start(self, trainer: lightning.Trainer, *args: Any) -> None:
        if trainer.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGUSR2)


def test_a_queue_s_signal_is_passed_on_when_the_run_s_files_are_written() -> None:
    """As submitit listens: its handler has the job queued again, and ends the process."""
    requested = composed("model=perceptron", *SMALL, "trainer.max_epochs=4")
    run = RunDir("job")
    seen = []

    def requeue(number: int, frame: Any) -> None:
        seen.append(run.read_result())
        sys.exit(-1)

    before = signal.signal(signal.SIGUSR2, requeue)
    try:
        with pytest.raises(SystemExit):
            start_or_resume(run, requested, CHOICES, 0.0, "", Announce())
        assert signal.getsignal(signal.SIGUSR2) is requeue
    finally:
        signal.signal(signal.SIGUSR2, before)
    (result,) = seen
    assert (result["status"], result["error"], result["epochs"]) == ("interrupted", "stopped by SIGUSR2", 2)
    assert start_or_resume(run, requested, CHOICES, 0.0, "") == "finished"
    assert run.log.read_text().count("resumed: ") == 1


def test_a_folder_that_is_not_on_this_machine() -> None:
    with pytest.raises(UserError, match="has no folder nowhere .* share a file system"):
        _change_to(Path("nowhere"))


def test_a_file_is_locked_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with Path("file").open("w") as first, Path("file").open("w") as second:
        assert files.lock(first.fileno())
        assert not files.lock(second.fileno())

        def fails(*args: Any, **kwargs: Any) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(filelock, "lock_descriptor", fails)
        assert files.lock(second.fileno()), "as on file systems without locks"
        assert "no locks" in caplog.text


def test_a_run_is_trained_by_one_process_at_a_time() -> None:
    run = RunDir("run")
    run.path.mkdir()
    with run.locked(), pytest.raises(UserError, match="run is being trained by another process"), run.locked():
        pass
    with run.locked():
        pass
    assert [path.name for path in run.path.iterdir()] == ["train.log"]


def test_what_is_silenced_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with console.silenced():
        console.out.print("hidden")
        console.error("hidden")
    assert capsys.readouterr() == ("", "")
    assert not console.out.file.closed


@pytest.mark.parametrize("words", ["joblib joblib", "submitit_slurm submitit", "submitit_local submitit", "ray ray"])
def test_a_launcher_that_is_not_installed(words: str) -> None:
    launcher, extra = words.split()
    error = MissingConfigException("...", f"hydra/launcher/{launcher}", ["basic", "litmus"])
    assert f"pip install 'litmus[{extra}]'" in explain(error, CONF, [])


def test_a_launcher_that_does_not_exist() -> None:
    error = MissingConfigException("...", "hydra/launcher/rey", ["basic", "litmus"])
    assert "is one of basic, litmus" in explain(error, CONF, [])
