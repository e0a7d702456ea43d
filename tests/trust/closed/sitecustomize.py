"""On PYTHONPATH: this Python, and those that it starts, reach no other machine. Attempts are listed in $ATTEMPTS."""

import os
import socket
from typing import Any

_LOCAL = ("127.0.0.1", "::1", "localhost", "", "0.0.0.0", "::", None)


def _refuse(what: object) -> None:
    if listed := os.environ.get("ATTEMPTS"):
        with open(listed, "a") as file:  # noqa: PTH123
            file.write(f"{what}\n")
    raise OSError(f"no connections here: {what}")


class _Closed(socket.socket):
    """A socket that connects to this machine alone."""

    def _check(self, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOCAL:
            _refuse(address)

    def connect(self, address: Any) -> None:
        self._check(address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        self._check(address)
        return super().connect_ex(address)

    def sendto(self, data: Any, *rest: Any) -> int:
        self._check(rest[-1])
        return super().sendto(data, *rest)


_resolve = socket.getaddrinfo


def _getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
    if host not in _LOCAL:
        _refuse(host)
    return _resolve(host, *rest, **more)


socket.socket = _Closed  # type: ignore[misc]
socket.getaddrinfo = _getaddrinfo
