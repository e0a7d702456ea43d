"""Who may ask a server, and what every answer says of itself: around the application, before anything is read."""

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = ("127.0.0.1", "localhost", "::1")
# Nothing is fetched from anywhere else, no script or style stands in a page, and no other page may frame this one.
POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_local(host: str) -> bool:
    """Whether only this machine reaches that address."""
    return host in LOCAL or host.startswith("127.")


class Guard:
    """Refuses requests for another host, which a page elsewhere sends by a name of its own that leads here (DNS
    rebinding), and requests that pages of other sites send.

    Args:
        app: that answers the others.
        hosts: names by which the server is asked; empty for any.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {"content-security-policy": POLICY, **HEADERS}.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts and without_port(host) not in self.hosts:
            sentence = f"This server is not called {host[:200]}. Open it by its own address."
            await _refuse(400, sentence, send_with_headers)
        elif (origin := headers.get("origin")) is not None and origin.partition("://")[2] != host:
            await _refuse(403, "Pages of other sites may not use this server.", send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)


def without_port(host: str) -> str:
    """The name in a Host header, in lower case: of `[::1]:8000`, `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


async def _refuse(status: int, sentence: str, send: Send) -> None:
    content = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
