"""The other processes of a run that trains with DDP.

Lightning starts them by repeating the command line, which under a multirun starts the whole multirun
again in each. A run folder holds everything that a process needs, so here they are given the folder:
`python -m litmus.run.worker FOLDER PARENT`.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from litmus.config.machine import num_cores
from litmus.errors import Diverged, UserError
from litmus.record.folder import RunDir
from litmus.run import lost

KEYS = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK", "LOCAL_RANK", "OMP_NUM_THREADS")
# With which torch, Lightning and `config.launch` go by torchrun: it may have started this process, as its only one.
TORCHRUN = ("RANK", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_USE_AGENT_STORE")
log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 30
REAPED_S = 0.5  # in which a process whose connections are closed has ended
LOOK_S = 0.5  # between two looks at whether the other processes run


@contextmanager
def started(run: RunDir, devices: int) -> Iterator[Callable[[], None]]:
    """Runs the other `devices - 1` processes beside the body; they end with it, however it ends.

    Yields:
        What the body calls before it trains: it waits until the others are about to, too. Where one of them has ended,
        the training would wait for minutes.

    Raises:
        RuntimeError: one of them failed although the body did not.
        UserError: the body failed, and one of them had ended.
    """
    if devices == 1:
        yield lambda: None
        return
    threads = max(num_cores() // devices, 1)
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(devices),
        "NODE_RANK": "0",
        "OMP_NUM_THREADS": str(threads),
    }
    before = {key: os.environ.get(key) for key in (*KEYS, *TORCHRUN)}
    inherited = {key: value for key, value in os.environ.items() if key not in TORCHRUN}
    threads_before = torch.get_num_threads()
    # -P: a module that happens to lie in the current folder must not be taken for one of Python's.
    command = [sys.executable, "-P", "-m", "litmus.run.worker", str(run.path), str(os.getpid())]
    ranks = [
        _start(command, {**inherited, **shared, "LOCAL_RANK": str(number)}, run.rank_log(number))
        for number in range(1, devices)
    ]
    try:
        for key in TORCHRUN:
            os.environ.pop(key, None)
        os.environ.update(shared, LOCAL_RANK="0")
        torch.set_num_threads(threads)
        try:
            with _watched(ranks, run):
                yield lambda: _meet(ranks)
        except Diverged:  # as may be the others
            raise
        except Exception as error:
            if (number := _ended(ranks)) is not None:
                raise UserError(_sentence(ranks, number, run)) from error
            raise
        codes = [_ended_by_itself(rank, number) for number, rank in enumerate(ranks, 1)]
        failed = [f"rank {number} {_ending(code)}" for number, code in enumerate(codes, 1) if code != 0]
        if failed:
            raise RuntimeError(f"Other processes of the run failed: {', '.join(failed)}. See {run.rank_log(1)}.")
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        run.remove_empty_rank_logs()
        torch.set_num_threads(threads_before)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Starts one of the other processes, in a session of its own: Ctrl-C reaches rank 0 alone, which then ends it."""
    with log.open("ab") as errors:
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,  # a byte, when it is about to train
            stderr=errors,
            start_new_session=True,
        )


def _meet(ranks: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Waits until every process is about to train.

    Raises:
        ConnectionError: one of them has ended.
    """
    for number, rank in enumerate(ranks, 1):
        assert rank.stdout is not None
        if not rank.stdout.read(1):
            raise ConnectionError(f"Rank {number} has ended.")


@contextmanager
def _watched(ranks: Sequence["subprocess.Popen[bytes]"], run: RunDir) -> Iterator[None]:
    """Ends the run where a process fails, and the body waits for it in vain: gloo notices by itself, NCCL may not."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(LOOK_S):
            if (number := _failed(ranks)) is not None:
                lost.end(_sentence(ranks, number, run), run, is_over.is_set, lambda: False)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _failed(ranks: Sequence["subprocess.Popen[bytes]"]) -> int | None:
    return next((number for number, rank in enumerate(ranks, 1) if rank.poll()), None)


def _sentence(ranks: Sequence["subprocess.Popen[bytes]"], number: int, run: RunDir) -> str:
    return lost.sentence(f"Rank {number} of the run", _ending(ranks[number - 1].returncode), run, number)


def _ended(ranks: Sequence["subprocess.Popen[bytes]"]) -> int | None:
    """Which process has failed, if any: the others then miss it."""
    deadline = time.monotonic() + REAPED_S
    while time.monotonic() < deadline:
        if (number := _failed(ranks)) is not None:
            return number
        time.sleep(0.05)
    return None


def _ended_by_itself(rank: "subprocess.Popen[bytes]", number: int) -> int:
    """The exit status of a process whose work is done; one that does not end is killed, which loses nothing."""
    try:
        return rank.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        log.warning("Rank %d had not ended %d s after the training, and was killed.", number, STOP_TIMEOUT_S)
        rank.kill()
        return 0


def _ending(code: int) -> str:
    """How a process ended, by its return code."""
    return f"ended with exit status {code}" if code > 0 else f"was killed by {signal.Signals(-code).name}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
