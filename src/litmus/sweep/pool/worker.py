"""What a job's process does, from the fork to its end."""

import atexit
import json
import os
import signal
import socket
import time
from pathlib import Path

import torch

from litmus import console
from litmus.config.command import train_command
from litmus.config.instantiate import build, target
from litmus.config.types import Section
from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.record.folder import ENDED, RunDir
from litmus.run.environment import git, packages, versions
from litmus.run.job import start_or_resume
from litmus.sweep.pool.job import JobRequest
from litmus.sweep.pool.reporter import RunReporter


def run(request: JobRequest, channel: socket.socket) -> int:
    """Trains a job's run, or resumes it.

    Args:
        request: the job.
        channel: to the launcher.

    Returns:
        The process' exit status: 0 if the run finished or was pruned, else 1.
    """
    started = time.perf_counter()
    atexit._clear()  # private: what the server registered is not to run in every job; no public function clears it
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    run_dir = RunDir(Path(request["folder"]))
    _redirect_output(run_dir)
    _limit_resources(request["cores"], request["gpus"])
    launcher = _LauncherConnection(channel, request["prunes"])
    words = " ".join(request["overrides"])
    try:
        reporter = RunReporter(launcher)
        config, command = request["config"], train_command(*request["all_overrides"])
        status = start_or_resume(run_dir, config, request["choices"], started, words, reporter, command=command)
    except UserError as refused:  # the folder holds another run, or another process trains in it
        launcher.report(refused=str(refused))
        status = "failed"
    atexit._run_exitfuncs()  # private: the process ends with os._exit, which runs none of what the job registered
    return 0 if status in ENDED else 1


def prepare(config: Section) -> None:
    """Does in the server, once, what every job of a configuration would do: forked jobs share what it keeps.

    Imports the modules, checks the values, reads the data as far as all jobs read the same, and collects the versions
    of the code.

    Args:
        config: of a job.

    Raises:
        Exception: whatever the job itself would raise, such as ImportError for a missing package.
    """
    sections = [section for section in config.values() if isinstance(section, dict)]
    for section in [*sections, *(inner for s in sections for inner in s.values() if isinstance(inner, dict))]:
        if "_target_" in section:
            target(section)
    mistakes(config)
    build(config["data"], config["seed"]).preload()
    versions()
    packages()
    git()


class _LauncherConnection:
    """The launcher, at the other end of a job's socket."""

    def __init__(self, channel: socket.socket, prunes: bool) -> None:
        self.channel = channel
        self.prunes = prunes

    def report(self, **message: object) -> bool:
        """Sends a message; after one about an epoch, gives whether the job is to be pruned."""
        try:
            self.channel.sendall(json.dumps(message).encode() + b"\n")
            return self.prunes and "epoch" in message and self.channel.recv(1) == b"1"
        except ConnectionError:  # the launcher is gone; the server ends this process
            return False


def _redirect_output(run: RunDir) -> None:
    """Silences the console, and sends standard error, also that of C libraries, to the run's train.log."""
    run.path.mkdir(parents=True, exist_ok=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(run.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)
    quiet = open(os.devnull, "w")  # noqa: PTH123, SIM115  # stays open as long as the process runs
    console.out = console.Screen(file=quiet, quiet=True)
    console.err = console.Screen(file=quiet, quiet=True)  # what it shows is in train.log already


def _limit_resources(cores: list[int], gpus: list[int] | None) -> None:
    """Limits this process, and those it starts, to some of the cores and GPUs."""
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))  # for processes that the job starts
    torch.set_num_threads(len(cores))
    if gpus is not None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")  # the server counted only these
        devices = visible.split(",") if visible else None
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(devices[gpu] if devices else str(gpu) for gpu in gpus)
