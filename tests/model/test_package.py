"""Importing the package that has YOLO leaves nothing behind: no file, no setting, no other `torch.save`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import ON_SCENES, ROOT

from litmus.model import _ultralytics


@pytest.mark.wide
def test_nothing_is_written_to_the_home_folder_and_no_network_is_asked(tmp_path: Path) -> None:
    """Any connection ends the process with another status than 0."""
    home, closed = tmp_path / "home", tmp_path / "closed"
    home.mkdir()
    closed.mkdir()
    (closed / "sitecustomize.py").write_text(
        "import socket, os\n"
        "def refuse(*arguments, **options):\n"
        "    open(os.environ['ASKED'], 'a').write(repr(arguments) + chr(10))\n"
        "    raise OSError('there is no network')\n"
        "socket.socket.connect = refuse\n"
        "socket.getaddrinfo = refuse\n"
    )
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("YOLO", "XDG", "ULTRALYTICS", "MPL"))},
        "HOME": str(home),
        "PYTHONPATH": str(closed),
        "ASKED": str(tmp_path / "asked"),
    }
    words = [
        sys.executable,
        str(ROOT / "train.py"),
        "model=yolo",
        *ON_SCENES,
        "data.size=64",
        "data.max_digits=2",
        "trainer=cpu",
        "trainer.max_epochs=1",
        f"hydra.run.dir={tmp_path / 'run'}",
    ]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ltralytics" not in done.stdout + done.stderr
    assert not (tmp_path / "asked").exists(), (tmp_path / "asked").read_text()
    # Torchmetrics imports matplotlib where it is installed, whatever is trained, and that keeps a list of fonts.
    assert [path for path in home.rglob("*") if path.is_file() and "matplotlib" not in str(path)] == []
    assert [path for path in home.rglob("*") if "ltralytics" in path.name] == []
    assert not list(tmp_path.glob("runs")) + list(tmp_path.glob("*.pt"))


def test_the_folder_of_the_package_s_settings_is_gone_once_it_is_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that is killed, or that leaves without its last words, would keep it forever."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _ultralytics.package.__wrapped__()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_importing_litmus_does_not_touch_the_package() -> None:
    modules = [
        "litmus." + ".".join(path.relative_to(ROOT / "src" / "litmus").with_suffix("").parts)
        for path in sorted((ROOT / "src" / "litmus").rglob("*.py"))
        if path.stem not in ("__init__", "__main__")
    ]
    code = f"import importlib, sys\nfor m in {modules}: importlib.import_module(m)\nprint('ultralytics' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.wide
def test_the_environment_is_as_it_was() -> None:
    code = (
        "import os\nos.environ.pop('OMP_NUM_THREADS', None)\nbefore = dict(os.environ)\n"
        "from litmus.model import _ultralytics\n_ultralytics.package()\nprint(dict(os.environ) == before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "True"


def test_saving_and_opening_are_as_they_were() -> None:
    from PIL import Image

    _ultralytics.package()
    assert torch.save.__module__ == "torch.serialization"
    assert Image.open.__module__ == "PIL.Image"
