"""Lines of JSON between two processes of a run: each notices within seconds that the other has ended.

A process that ends closes its connections, however it ends; of a machine that is gone, the system notices that it
answers no more. torch itself notices either only within an operation that all processes share, some after minutes.
"""

import json
import socket
import sys
from contextlib import suppress

from litmus.config.types import Section

# In seconds: an idle connection is probed after IDLE, every INTERVAL, and given up after PROBES without an answer.
IDLE, INTERVAL, PROBES = 3, 2, 2
OPTIONS = {"TCP_KEEPIDLE": IDLE, "TCP_KEEPINTVL": INTERVAL, "TCP_KEEPCNT": PROBES, "TCP_USER_TIMEOUT": 7000}
LONGEST = 100_000  # bytes of a line


class Channel:
    """A connection; `receive` is called in one thread.

    Args:
        connected: a socket of TCP.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._received = b""
        connected.settimeout(None)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            for name, value in OPTIONS.items():
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def send(self, message: Section) -> None:
        """Sends a line; one that has nobody to reach is lost, as `receive` will tell."""
        with suppress(OSError):
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> Section | None:
        """The next message; None, where the other side has ended, or sends something else."""
        while b"\n" not in self._received:
            try:
                more = self.socket.recv(4096)
            except OSError:
                return None
            self._received += more
            if not more or len(self._received) > LONGEST:
                return None
        line, _, self._received = self._received.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            return None
        return message if isinstance(message, dict) else None
