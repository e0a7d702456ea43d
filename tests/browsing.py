"""Chromium without a screen, and what it asks the network for."""

import base64
import fcntl
import http.server
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

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


class Browser:
    """A browser that is told what to do, by the DevTools protocol over a pair of pipes.

    Args:
        profile: a folder of its own.
    """

    def __init__(self, profile: Path) -> None:
        assert BROWSER is not None
        # Chromium reads from descriptor 3 and writes to 4; away from these until they are its own.
        theirs_in, self._out, self._in, theirs_out = (
            fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (*os.pipe(), *os.pipe())
        )
        flags = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--disable-gpu"]
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        flags += ["--enable-unsafe-swiftshader"]  # WebGL without a GPU, which the projector draws with
        flags += ["--remote-debugging-pipe", "--window-size=1400,1400", f"--user-data-dir={profile}", "about:blank"]
        actions: list[Any] = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        home = {**os.environ, "HOME": str(profile)}
        self.pid = os.posix_spawn(BROWSER, [BROWSER, *flags], home, file_actions=actions, setpgroup=0)
        os.close(theirs_in)
        os.close(theirs_out)
        self._numbers, self._received, self._session = itertools.count(1), b"", {}
        (page,) = (each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What a command of the protocol gives."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._received:
                read = os.read(self._in, 1 << 20)
                assert read, "the browser has ended"
                self._received += read
            first, _, self._received = self._received.partition(b"\0")
            answer = json.loads(first)
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])

    def open(self, address: str) -> None:
        """Begins to load a page."""
        self.call("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 20.0) -> float:
        """Waits until a JavaScript expression is true; gives the seconds that it took.

        Raises:
            TimeoutError: it stays false.
        """
        begin = time.monotonic()
        while True:
            with suppress(AssertionError):  # the page is not there yet
                if self.value(expression):
                    return time.monotonic() - begin
            if time.monotonic() - begin > timeout_s:
                raise TimeoutError(expression)
            time.sleep(0.05)

    def seen(self, element: str = "document.documentElement") -> Image.Image:
        """What is to be seen of an element, which a JavaScript expression gives."""
        box = self.value(f"(({element}).getBoundingClientRect().toJSON())")
        clip = {**{key: box[key] for key in ("x", "y", "width", "height")}, "scale": 1}
        content = self.call("Page.captureScreenshot", format="png", clip=clip)["data"]
        return Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")

    def num_colored(self, element: str) -> int:
        """How many pixels of an element have a color, such as those of curves; grids and texts are gray."""
        pixels = np.asarray(self.seen(element)).astype(int)
        return int((np.ptp(pixels, axis=2) > 25).sum())

    def close(self) -> None:
        """Ends the browser."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._out)
        os.close(self._in)
