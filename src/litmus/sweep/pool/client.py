"""The launcher's end of the server that jobs are forked from."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from litmus.errors import UserError
from litmus.sweep.pool.server import HEADER

# OpenBLAS would start threads, which a fork leaves behind; NVML counts GPUs without setting CUDA up.
WAIT_S = 0.1  # between two looks at whether it is still wanted
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}


class Server:
    """The process, which imports for a while before it is ready.

    Args:
        modules: that it imports before it forks the first job.
        lock: an open file that it and the jobs inherit.
    """

    def __init__(self, modules: Sequence[str], lock: int) -> None:
        self.socket, theirs = socket.socketpair()
        words = [str(theirs.fileno()), *modules]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "litmus.sweep.pool.server", *words],
                pass_fds=(theirs.fileno(), lock),
                env={**os.environ, **ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the launcher alone
            )
        self._heard = b""

    def ready(self, count_gpus: bool, stopped: Callable[[], bool]) -> int | None:
        """Waits until it can fork; gives the number of GPUs that there are, 0 if they need not be counted.

        Args:
            count_gpus: whether it is to find out how many there are.
            stopped: asked now and then; once it is true, None is given.

        Raises:
            UserError: it could not be started.
        """
        self._ask({"gpus": count_gpus}, [])
        while not stopped():
            if not select.select([self.socket], [], [], WAIT_S)[0]:
                continue
            messages = self.messages()
            if messages is None:
                raise UserError("The process that jobs are forked from could not be started; see above.")
            if messages:
                return int(messages[0]["gpus"])
        return None

    def fork(self, request: dict[str, Any], channel: socket.socket) -> None:
        """Asks for a job's process; `channel` is the job's end of its socket."""
        self._ask(request, [channel.fileno()])

    def _ask(self, request: dict[str, Any], descriptors: list[int]) -> None:
        body = json.dumps(request).encode()
        with contextlib.suppress(ConnectionError):  # a server that died is noticed when it is listened to
            socket.send_fds(self.socket, [HEADER.pack(len(body))], descriptors)
            self.socket.sendall(body)

    def messages(self) -> list[dict[str, Any]] | None:
        """Waits for what it says: `started` and `process`, or `ended` and `code`; None when it is dead."""
        more = received(self.socket)
        if not more:
            return None
        *lines, self._heard = (self._heard + more).split(b"\n")
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        """Ends it, whatever it does."""
        self.process.kill()
        self.close()

    def close(self) -> int:
        """Lets it end, and the jobs with it; gives its exit status."""
        self.socket.close()
        return self.process.wait()


def received(channel: socket.socket) -> bytes:
    """What is there to be read; nothing, when the other end is gone."""
    try:
        return channel.recv(1 << 16)
    except ConnectionError:
        return b""
