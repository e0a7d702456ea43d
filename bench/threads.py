"""Training with two threads, alone and where another process holds a core: threads that spin, or sleep, or just one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench._common import ROOT, alternate, markdown, median, ratios, spread
from litmus.config.machine import num_cores

REPEATS = 5
SECONDS = 3
# A network's steps as litmus makes them, without anything around them: images a second.
LOOP = """
import sys, time
import torch
from torch import nn
kind, seconds, threads = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.manual_seed(0)
x, y = torch.randn(128, 1, 28, 28), torch.randint(10, (128,))
if kind == "cnn":
    net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(9216, 64), nn.ReLU(), nn.Linear(64, 10)).to(memory_format=torch.channels_last)
else:
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(net.parameters(), fused=True)
def step():
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "cnn"):
        loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
for _ in range(5):
    step()
begin, steps = time.perf_counter(), 0
while time.perf_counter() - begin < seconds:
    step()
    steps += 1
print(steps * len(x) / (time.perf_counter() - begin))
"""


def _images_a_second(kind: str, policy: str | None, threads: int) -> float:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    environment |= {} if policy is None else {"OMP_WAIT_POLICY": policy}
    command = [sys.executable, "-c", LOOP, kind, str(SECONDS), str(threads)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@contextmanager
def _others(number: int) -> Iterator[None]:
    """In the body, so many processes hold a core each."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


def measure() -> str:
    cores = num_cores()
    ways: dict[str, tuple[str | None, int]] = {
        f"{cores} threads that spin (OpenMP's default)": (None, cores),
        f"{cores} threads that sleep (OMP_WAIT_POLICY=PASSIVE)": ("PASSIVE", cores),
        "1 thread": (None, 1),
    }
    rows = []
    for number in (0, 1, cores):
        for kind in ("fnn", "cnn"):
            with _others(number):
                contestants = {
                    name: (lambda kind=kind, way=way: _images_a_second(kind, *way)) for name, way in ways.items()
                }
                figures = alternate(contestants, REPEATS, f"{kind.upper()}, {number} others", warm=contestants)
            spinning, *_ = figures.values()
            for name, found in figures.items():
                times = f"{median(ratios(found, spinning)):.2f}"
                rows.append((str(number), kind.upper(), name, spread(found, 0), times))
    head = ("processes that hold a core each", "network", "threads", "images a second", "times the first")
    return "## Threads, alone and beside other processes\n\n" + markdown(head, rows)
