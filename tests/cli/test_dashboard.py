"""`litmus dashboard` shows every run once."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import SMALL

from litmus.cli import dashboard
from litmus.errors import UserError


def test_the_view_has_every_run_once_and_follows(tmp_path: Path) -> None:
    outputs, view = tmp_path / "outputs", tmp_path / "view"
    (outputs / "cnn-mnist" / "1").mkdir(parents=True)
    (outputs / "latest").symlink_to("cnn-mnist/1")
    (outputs / ".gitkeep").touch()
    view.mkdir()
    dashboard.refresh(outputs, view)
    assert [p.name for p in view.iterdir()] == ["cnn-mnist"]
    (outputs / "fnn-mnist").mkdir()
    dashboard.refresh(outputs, view)
    assert sorted(p.name for p in view.iterdir()) == ["cnn-mnist", "fnn-mnist"]


def test_a_single_run(tmp_path: Path) -> None:
    run, view = tmp_path / "run", tmp_path / "view"
    (run / "final").mkdir(parents=True)
    (run / "config.yaml").touch()
    view.mkdir()
    dashboard.refresh(run, view)
    assert [p.name for p in view.iterdir()] == ["run"]


def test_a_folder_that_is_not_there() -> None:
    import argparse

    with pytest.raises(UserError, match="There is no folder nowhere"):
        dashboard.main(argparse.Namespace(folder="nowhere", port=0))


@pytest.mark.slow
def test_tensorboard_serves_the_rows(command: Callable, tmp_path: Path) -> None:
    for model in ("fnn", "perceptron"):
        assert command(f"model={model}", *SMALL).returncode == 0
    server = subprocess.Popen([sys.executable, "-m", "litmus", "dashboard", "outputs", "--port", "6099"], cwd=tmp_path)
    try:
        deadline = time.time() + 60
        runs = ""
        while runs.count("/final") < 2:
            assert time.time() < deadline
            time.sleep(1)
            try:
                runs = urllib.request.urlopen("http://localhost:6099/data/runs", timeout=5).read().decode()
            except OSError:
                continue
        assert "latest" not in runs
        assert runs.count('"') == 2 * 4, runs
    finally:
        server.terminate()
        server.wait(timeout=20)
