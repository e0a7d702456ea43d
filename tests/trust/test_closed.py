"""Every network trains, and every verb works, where no other machine can be reached; none is tried."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
import world
from helpers import SMALL
from warm import Warm

from litmus.cli.main import VERBS

USES = {  # of a run, by verb
    "lr": lambda model: ["lr", f"run-{model}", "--steps", "20"],
    "doctor": lambda model: ["doctor", f"run-{model}"],
    "evaluate": lambda model: ["evaluate", f"run-{model}", "--json"],
    "predict": lambda model: ["predict", f"run-{model}", *world.INPUTS[world.data_for(model)], "--json"],
    "explain": lambda model: ["explain", f"run-{model}", "--json"],
    "filters": lambda model: ["filters", f"run-{model}"],
    "export": lambda model: ["export", f"run-{model}", "--to", "torch"],
    "report": lambda model: ["report", f"run-{model}"],
    "compare": lambda model: ["compare", f"run-{model}", "--no-figures"],
}


NOTHING = {  # why a verb has nothing to say of a network that has hardly been trained, or sees no images
    "lr": ("The loss never falls", "learns the same"),
    "explain": ("the network finds no box",),
    "filters": ("shows networks that see images",),
}
# The library behind it looks for every file of a network elsewhere; the other two of that kind ask only when told to.
MODELS = [pytest.param(model, marks=[] if model == "bert" else [pytest.mark.slow]) for model in world.MODELS]


@pytest.mark.wide
@pytest.mark.parametrize("model", MODELS)
def test_every_network_and_verb_without_a_network(model: str, files: Path, heavy: Warm, tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    environment = {"ATTEMPTS": str(attempts), "LITMUS_DATA": str(tmp_path / "cache")}
    world.train(heavy, files, model, environment)
    for verb, use in USES.items():
        answer = heavy(*use(model), folder=files, environment=environment)
        nothing = any(why in answer.out + answer.err for why in NOTHING.get(verb, ()))
        assert answer.status == int(nothing), answer.err
    assert not attempts.exists(), attempts.read_text()


def test_every_verb_is_used() -> None:
    """But those that have a test of their own."""
    assert set(VERBS) - {"train", "dashboard", "serve", "verify"} == set(USES)


@pytest.mark.slow
def test_verify_without_a_network(heavy: Warm, tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    words = ["verify", "model=perceptron", *SMALL, "trainer.max_epochs=1", "--kills", "1"]
    answer = heavy(*words, folder=tmp_path, environment={"ATTEMPTS": str(attempts), "LITMUS_DATA": str(tmp_path)})
    assert answer.status == 0, answer.err
    assert not attempts.exists(), attempts.read_text()


@pytest.mark.wide
def test_the_dashboard_without_a_network(runs: Path, tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    closed = {"PYTHONPATH": str(Path(__file__).parent / "closed"), "ATTEMPTS": str(attempts)}
    command = [sys.executable, "-P", "-m", "litmus", "dashboard", str(runs / "run"), "--port", str(port)]
    server = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **closed})
    try:
        shown = ""
        for _ in range(120):
            with suppress(OSError):
                shown = urllib.request.urlopen(f"http://127.0.0.1:{port}/data/runs", timeout=5).read().decode()
                break
            time.sleep(0.5)
        assert "run" in shown
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert not attempts.exists(), attempts.read_text()


@pytest.mark.wide
def test_a_server_without_a_network(runs: Path, tmp_path: Path) -> None:
    """Its pages and what they load, an answer and an explanation; it listens to this machine alone."""
    attempts = tmp_path / "attempts"
    # Of OpenTelemetry, which FastAPI imports: whoever sets these has something else in mind.
    traced = {"FASTAPI_OTEL_AUTO_CONFIGURE": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"}
    closed = {"PYTHONPATH": str(Path(__file__).parent / "closed"), "ATTEMPTS": str(attempts), **traced}
    command = [sys.executable, "-P", "-m", "litmus", "serve", str(runs / "run"), "--port", "0"]
    server = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **closed}, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        lines = iter(server.stdout.readline, "")
        address = next(line.split()[-1] for line in lines if "http://127.0.0.1:" in line)
        for path in ("/", "/docs", "/serve.css", "/serve.js", "/openapi.json", "/api/run"):
            with urllib.request.urlopen(f"{address}{path}", timeout=20) as answer:
                assert answer.status == 200
        image = (runs / "photos/red/0.png").read_bytes()
        for path in ("/api/predict", "/api/explain"):
            asked = urllib.request.Request(f"{address}{path}", image, {"Content-Type": "image/png"})
            with urllib.request.urlopen(asked, timeout=60) as answer:
                assert answer.status == 200
    finally:
        server.terminate()
        server.communicate(timeout=20)
    assert not attempts.exists(), attempts.read_text()


def test_a_connection_is_refused(files: Path, heavy: Warm, tmp_path: Path) -> None:
    """The test above could not fail otherwise."""
    attempts = tmp_path / "attempts"
    answer = heavy(
        *["train", "model=perceptron", "data.source=official", "trainer=cpu"],
        folder=files,
        environment={"ATTEMPTS": str(attempts), "LITMUS_DATA": str(tmp_path / "cache")},
    )
    assert answer.status == 2
    assert attempts.exists()
