"""The other processes of a run that trains with DDP.

Lightning starts them by repeating the command line, which under a multirun starts the whole multirun
again in each. A run folder holds everything that a process needs, so here they are given the folder:
`python -m litmus.run.worker FOLDER PARENT`.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from litmus.record.folder import RunDir
from litmus.trainer import num_cores

KEYS = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK", "LOCAL_RANK", "OMP_NUM_THREADS")
STOP_TIMEOUT_S = 30


@contextmanager
def started(run: RunDir, devices: int) -> Iterator[None]:
    """Runs the other `devices - 1` processes beside the body; they end with it, however it ends.

    Raises:
        RuntimeError: one of them failed although the body did not.
    """
    if devices == 1:
        yield
        return
    threads = max(num_cores() // devices, 1)
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(devices),
        "NODE_RANK": "0",
        "OMP_NUM_THREADS": str(threads),
    }
    before = {key: os.environ.get(key) for key in KEYS}
    threads_before = torch.get_num_threads()
    # -P: a module that happens to lie in the current folder must not be taken for one of Python's.
    command = [sys.executable, "-P", "-m", "litmus.run.worker", str(run.path), str(os.getpid())]
    with run.log.open("ab") as log:
        # A session of their own: Ctrl-C reaches this process alone, which then ends them.
        ranks = [
            subprocess.Popen(
                command,
                env={**os.environ, **shared, "LOCAL_RANK": str(number)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            for number in range(1, devices)
        ]
    try:
        os.environ.update(shared, LOCAL_RANK="0")
        torch.set_num_threads(threads)
        yield
        codes = [rank.wait(STOP_TIMEOUT_S) for rank in ranks]
        failed = [f"rank {number} ({_ending(code)})" for number, code in enumerate(codes, 1) if code != 0]
        if failed:
            raise RuntimeError(f"Other processes of the run failed: {', '.join(failed)}. See {run.log}.")
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        torch.set_num_threads(threads_before)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _ending(code: int) -> str:
    """How a process ended, by its return code."""
    return f"exit status {code}" if code > 0 else f"signal {-code}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
