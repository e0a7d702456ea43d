"""Fixtures that the tests share."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import lightning.pytorch as lightning
import pytest
import torch
from helpers import DIGITS, ROOT, SMALL, composed, composed_with_hydra, inputs_for
from PIL import Image

from litmus import console
from litmus.cli.main import main
from litmus.compose.command_line import check
from litmus.compose.resume import with_stored_choices
from litmus.config.instantiate import build
from litmus.config.validate import override
from litmus.record.folder import RunDir
from litmus.run import train as running
from litmus.run.job import resume_config
from litmus.spec import Boxes, Images, Spec


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


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., RunDir]:
    """Trains a small run with the given overrides; returns its folder, whatever became of it.

    `watching` are callbacks that are not part of the configuration: see faults.py.
    """

    def trained(
        *overrides: str,
        folder: str = "run",
        small: list[str] = SMALL,
        watching: Sequence[lightning.Callback] = (),
    ) -> RunDir:
        run = RunDir(tmp_path / folder)
        config = composed(*small, *overrides)
        run.claim(config)
        with console.log_to(run.log):
            running.train(run, config, time.perf_counter(), watching)
        return run

    return trained


@pytest.fixture
def resume() -> Callable[..., RunDir]:
    """Resumes a run with the given overrides, as `resume=FOLDER` does; returns its folder, whatever became of it."""

    def again(run: RunDir, *overrides: str, watching: Sequence[lightning.Callback] = ()) -> RunDir:
        typed = with_stored_choices([override("resume", str(run.path)), *overrides])
        check(composed_with_hydra(*typed))  # as the command line does
        config = resume_config(run, composed(*typed), list(overrides))
        with console.log_to(run.log):
            running.train(run, config, time.perf_counter(), watching)
        return run

    return again


@pytest.fixture
def hub_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torch keeps what it downloads; nothing can be downloaded."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("litmus.fetch.hub.connects", lambda url: False)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def imagenet(hub_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Random weights, where ImageNet's are looked for, and taken for them."""
    from torchvision.models import resnet18

    torch.manual_seed(5)
    weights = resnet18(weights=None).state_dict()
    torch.save(weights, hub_folder / "resnet18-f37072fd.pth")
    monkeypatch.setattr("litmus.fetch.download.sha256_of", lambda path: "f37072fd")
    return weights


@pytest.fixture
def coco(hub_folder: Path) -> torch.nn.Module:
    """Random weights, where COCO's are looked for."""
    from litmus.model import _ultralytics

    torch.manual_seed(7)
    names = tuple(f"thing {i}" for i in range(80))
    spec = Spec("coco", Images(3, 64, 64, (0.0,) * 3, (1.0,) * 3), Boxes(names))
    net = build(composed("model=yolo")["model"], spec)
    _ultralytics.save(net.network, hub_folder / "yolo11n.pt", 640)
    return net


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
def image_files(tmp_path: Path) -> None:
    """Writes photos/ in three colors, and boxes/, a dataset of bright rectangles in Ultralytics' format."""
    generator = torch.Generator().manual_seed(0)
    for number, name in enumerate(("blue", "green", "red")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(40):
            pixels = torch.randint(0, 60, (24, 30, 3), dtype=torch.uint8, generator=generator)
            pixels[..., 2 - number] += 160
            Image.fromarray(pixels.numpy()).save(tmp_path / "photos" / name / f"{i}.png")
    for part in ("train", "val", "test"):
        for kind in ("images", "labels"):
            (tmp_path / "boxes" / kind / part).mkdir(parents=True)
        for i in range(48 if part == "train" else 8):
            pixels = torch.randint(0, 60, (48, 64, 3), dtype=torch.uint8, generator=generator)
            x, y = (int(torch.randint(0, size - 20, (1,), generator=generator)) for size in (64, 48))
            pixels[y : y + 20, x : x + 20, i % 2] += 160
            Image.fromarray(pixels.numpy()).save(tmp_path / "boxes" / "images" / part / f"{i}.png")
            line = f"{i % 2} {(x + 10) / 64} {(y + 10) / 48} {20 / 64} {20 / 48}\n"
            (tmp_path / "boxes" / "labels" / part / f"{i}.txt").write_text(line)
    parts = "".join(f"{part}: images/{part}\n" for part in ("train", "val", "test"))
    (tmp_path / "boxes" / "data.yaml").write_text(f"{parts}names: [red, green]\n")


@pytest.fixture
def litmus(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """Runs `litmus VERB ...` in this process; returns what it printed to standard output and to standard error."""

    def run(*words: str, status: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        printed = capsys.readouterr()
        assert ended.value.code == status, f"{ended.value.code}\n{printed.err}"
        return printed.out, printed.err

    return run


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python train.py ...` in a process of its own, in the test's folder."""

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
