"""The launcher's end of the server that jobs are forked from."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence

from litmus.errors import UserError
from litmus.sweep.pool.job import JobRequest, Message
from litmus.sweep.pool.server import HEADER

WAIT_S = 0.1  # between two checks whether it is still needed
# OpenBLAS would start threads, which a fork leaves behind; NVML counts GPUs without initializing CUDA.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}


class ServerKilled(Exception):
    """A signal ended the server during its imports.

    Attributes:
        code: its exit status.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Server:
    """The process, which needs some time for its imports before it is ready.

    Args:
        modules: that it imports before it forks the first job.
        lock: the descriptor of the sweep's locked file, which the server and the jobs inherit. So the lock is held
            until the last of them has ended, even if the launcher is killed.
    """

    def __init__(self, modules: Sequence[str], lock: int) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "litmus.sweep.pool.server", str(theirs.fileno()), *modules],
                pass_fds=(theirs.fileno(), lock),
                env={**os.environ, **ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the launcher alone
            )
        self._unread = b""

    def ready(self, count_gpus: bool, stopped: Callable[[], bool]) -> int | None:
        """Waits until it can fork.

        Args:
            count_gpus: whether it counts the GPUs of this machine.
            stopped: called every `WAIT_S` seconds; ends the wait once it returns True.

        Returns:
            The number of GPUs, 0 if they are not counted; None if the wait was stopped.

        Raises:
            ServerKilled: a signal ended it; another one may do better.
            UserError: it could not be started.
        """
        self._send({"gpus": count_gpus}, [])
        while not stopped():
            if not select.select([self.socket], [], [], WAIT_S)[0]:
                continue
            messages = self.messages()
            if messages is None:
                if (code := self.process.wait()) < 0:
                    raise ServerKilled(code)
                raise UserError("The process that jobs are forked from could not be started; its error is above.")
            if messages:
                return int(messages[0]["gpus"])
        return None

    def fork(self, request: JobRequest, channel: socket.socket) -> None:
        """Requests a job's process; `channel` is the job's end of its socket."""
        self._send(request, [channel.fileno()])

    def _send(self, request: JobRequest | dict[str, bool], descriptors: list[int]) -> None:
        body = json.dumps(request).encode()
        with contextlib.suppress(ConnectionError):  # if the server has died, `messages` notices
            socket.send_fds(self.socket, [HEADER.pack(len(body))], descriptors)
            self.socket.sendall(body)

    def messages(self) -> list[Message] | None:
        """Waits for messages: a job's number as `started` with its `process`, or as `ended` with its exit `code`.

        Returns:
            None if the server has died.
        """
        more = receive(self.socket)
        if not more:
            return None
        *lines, self._unread = (self._unread + more).split(b"\n")
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        """Kills it."""
        self.process.kill()
        self.close()

    def close(self) -> int:
        """Ends it, and the jobs with it; gives its exit status."""
        self.socket.close()
        return self.process.wait()


def receive(channel: socket.socket) -> bytes:
    """Waits for bytes; empty if the other end is gone."""
    try:
        return channel.recv(1 << 16)
    except ConnectionError:
        return b""
