"""What a job's process does, from the fork to its end."""

import atexit
import importlib
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from litmus import console
from litmus.config.instantiate import build
from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run.job import start_or_resume
from litmus.run.result import git, versions
from litmus.sweep.pool.reporter import Reporter


def run(request: dict[str, Any], channel: socket.socket) -> int:
    """Trains the run that was asked for, or goes on with it; gives the exit status.

    Args:
        request: `number`, `folder`, `config`, `choices`, `overrides`, `cores` to compute on, `gpus` to see or None,
            and whether the launcher `prunes`.
        channel: to the launcher.
    """
    started = time.perf_counter()
    atexit._clear()  # the server's
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    run_dir = RunDir(Path(request["folder"]))
    _speak_into(run_dir)
    _compute_on(request["cores"], request["gpus"])
    launcher = _Launcher(channel, request["prunes"])
    words = " ".join(request["overrides"])
    try:
        status = start_or_resume(run_dir, request["config"], request["choices"], started, words, Reporter(launcher))
    except UserError as refused:  # the folder holds another run, or another process trains in it
        launcher.tell(refused=str(refused))
        status = "failed"
    atexit._run_exitfuncs()
    return 0 if status in ("finished", "pruned") else 1


def prepare(config: dict[str, Any]) -> None:
    """Works out in the server, once, what every job of that configuration would: what is kept, is shared.

    Args:
        config: of a job. Its modules are imported, its values checked, its data read as far as every job reads the
            same, and the code that runs is identified.
    """
    sections = [section for section in config.values() if isinstance(section, dict)]
    for section in [*sections, *(inner for s in sections for inner in s.values() if isinstance(inner, dict))]:
        if "_target_" in section:
            importlib.import_module(section["_target_"].rpartition(".")[0])
    mistakes(config)
    build(config["data"], config["seed"]).preload()
    versions()
    git()


class _Launcher:
    """The launcher, as a job sees it: it is told of every epoch, and says whether to go on."""

    def __init__(self, channel: socket.socket, prunes: bool) -> None:
        self.channel = channel
        self.prunes = prunes

    def tell(self, **message: Any) -> bool:
        """Sends a message; for an epoch, gives whether the job is to be pruned."""
        try:
            self.channel.sendall(json.dumps(message).encode() + b"\n")
            return self.prunes and "epoch" in message and self.channel.recv(1) == b"1"
        except ConnectionError:  # the launcher is gone; the server ends this process
            return False


def _speak_into(run: RunDir) -> None:
    """Nobody reads a job's screen; what goes to standard error, also out of C, goes to its train.log."""
    run.path.mkdir(parents=True, exist_ok=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(run.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)
    quiet = open(os.devnull, "w")  # noqa: PTH123, SIM115  # as long as the process
    console.out = Console(file=quiet, quiet=True)
    console.err = Console(file=quiet, quiet=True)  # train.log has it already


def _compute_on(cores: list[int], gpus: list[int] | None) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))  # for what the job itself starts
    torch.set_num_threads(len(cores))
    if gpus is not None:
        before = os.environ.get("CUDA_VISIBLE_DEVICES")  # the server counted those that it sees
        seen = before.split(",") if before else None
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(seen[gpu] if seen else str(gpu) for gpu in gpus)
