"""Chromium without a screen, and what it asks the network for."""

import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
# What Chromium asks for by itself, whatever it shows: updates, the time, accounts; no fonts, no scripts.
OWN = re.compile(r"(update|optimizationguide-pa|content-autofill)\.googleapis|(accounts|clients\d)\.google\.com")


@contextmanager
def noting_requests() -> Iterator[tuple[int, list[str]]]:
    """A proxy on this machine that answers nothing: its port, and the requests that it receives."""
    received: list[str] = []

    class Noting(http.server.BaseHTTPRequestHandler):
        def note(self) -> None:
            received.append(f"{self.command} {self.path}")
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "HEAD", "POST", "CONNECT"):
        setattr(Noting, f"do_{method}", Noting.note)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()


def browse(page: Path, profile: Path, port: int, *more: str) -> str:
    """The page as the browser understood it."""
    flags = ["--headless", "--disable-gpu", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"]
    flags += ["--disable-features=NetworkTimeServiceQuerying,OptimizationHints", "--disable-domain-reliability"]
    # Every request goes to the proxy, those to this machine included.
    flags += [f"--proxy-server=http://127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>"]
    flags += [f"--user-data-dir={profile}", "--virtual-time-budget=3000", "--dump-dom", *more]
    assert BROWSER is not None
    home = {**os.environ, "HOME": str(profile)}
    done = subprocess.run([BROWSER, *flags, page.as_uri()], capture_output=True, text=True, timeout=90, env=home)
    assert done.returncode == 0, done.stderr
    return done.stdout
