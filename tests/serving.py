"""A server of `litmus serve` in this process, and what asks it."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from litmus.inference.serve.served import Served, serve_run
from litmus.inference.serve.server import server
from litmus.record.folder import RunDir

EARLIER = Path(__file__).parent / "earlier"
FORM = "multipart/form-data; boundary=between"


@dataclass(frozen=True)
class Asking:
    """A server that runs: its port, and the runs that it serves."""

    port: int
    runs: list[Served]

    def __call__(
        self, path: str, content: object = None, kind: str = "application/json", method: str = "POST", **headers: str
    ) -> tuple[int, Any]:
        """The status and the content of an answer; what is sent is JSON, or bytes of another kind."""
        body = content if isinstance(content, bytes) or content is None else json.dumps(content).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            sent = {} if body is None else {"Content-Type": kind}
            connection.request(method, path, body, {**sent, **headers})
            answer = connection.getresponse()
            text = answer.read().decode()
            is_json = answer.headers["content-type"] == "application/json"
            return answer.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """The same, without a body."""
        return self(path, method="GET", **headers)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def loaded(run: RunDir, known: torch.Tensor | None = None, explains: bool = True) -> Served:
    """A run, as the verb loads it."""
    return serve_run(run, run.read_config(), "cpu", known, explains)


@contextmanager
def serving(*runs: RunDir, host: str = "127.0.0.1") -> Iterator[Asking]:
    """A server of these runs, on a free port."""
    served = [loaded(run) for run in runs]
    ready = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = server(served, host, ready.set)
        thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
        thread.start()
        assert ready.wait(20)
        try:
            yield Asking(listening.getsockname()[1], served)
        finally:
            running.should_exit = True
            thread.join(20)
            for each in served:
                each.worker.close()


def form(*files: tuple[str, bytes]) -> bytes:
    """Files as a browser's form sends them, of the kind `FORM`."""
    parts = [
        b'--between\r\nContent-Disposition: form-data; name="image"; filename="%b"\r\n\r\n%b\r\n'
        % (name.encode(), file)
        for name, file in files
    ]
    return b"".join(parts) + b"--between--\r\n"
