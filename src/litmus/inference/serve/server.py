"""A server that runs until it is stopped."""

import socket
from collections.abc import Callable, Sequence

import uvicorn

from litmus.inference.serve.app import application
from litmus.inference.serve.guard import LOCAL, is_local
from litmus.inference.serve.served import Served

SHUTDOWN_S = 3  # for answers that are on their way when a server is stopped


def serve(runs: Sequence[Served], listening: socket.socket, host: str, ready: Callable[[], None]) -> None:
    """Answers requests until a signal arrives, which is raised again then.

    Args:
        runs: one, or two that are shown side by side.
        listening: where requests arrive.
        host: the address that it is bound to.
        ready: called when the first request would be answered.
    """
    try:
        server(runs, host, ready).run([listening])
    finally:
        for run in runs:
            run.worker.close()


def server(runs: Sequence[Served], host: str, ready: Callable[[], None]) -> uvicorn.Server:
    """A server that does not run yet; arguments as of `serve`."""
    hosts = (*LOCAL, host) if is_local(host) else ()
    config = uvicorn.Config(
        application(runs, hosts),
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return _Announced(config, ready)


class _Announced(uvicorn.Server):
    """Says when it is ready.

    Args:
        config: of the server.
        ready: called then.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen."""
        await super().startup(sockets)
        if not self.should_exit:
            self.ready()
