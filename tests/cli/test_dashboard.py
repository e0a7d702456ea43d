"""`litmus dashboard` shows each of the latest runs once, with the columns in which they differ."""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT, SMALL
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from litmus.cli import dashboard
from litmus.errors import UserError
from litmus.record.folder import RunDir

EVENTS = "events.out.tfevents.1.host.1.0"
EARLIER = ROOT / "tests" / "earlier"


def made(folder: Path, written: int = 0) -> Path:
    """As much of a run's folder as is looked at to find it."""
    folder.mkdir(parents=True)
    for name in ("config.yaml", "train.log", EVENTS):
        (folder / name).touch()
    os.utime(folder / EVENTS, (written, written))
    return folder


def shown(folder: Path, view: Path, most: int = 40) -> list[str]:
    view.mkdir(exist_ok=True)
    dashboard.refresh(folder, view, dashboard.latest(folder, most)[0])
    return sorted(str(path.parent.relative_to(view)) for path in view.rglob(EVENTS))


def test_the_view_has_every_run_once_and_follows(tmp_path: Path) -> None:
    outputs, view = tmp_path / "outputs", tmp_path / "view"
    made(outputs / "cnn-mnist" / "1")
    (outputs / "latest").symlink_to("cnn-mnist/1")
    (outputs / ".gitkeep").touch()
    assert shown(outputs, view) == ["cnn-mnist/1"]
    new = made(outputs / "sweeps" / "lr" / "seed-0")
    assert shown(outputs, view) == ["cnn-mnist/1", "sweeps/lr/seed-0"]
    (new / EVENTS).rename(new / "events.out.tfevents.2.host.1.0")
    assert shown(outputs, view) == ["cnn-mnist/1"]
    assert (view / "sweeps/lr/seed-0/events.out.tfevents.2.host.1.0").exists()


def test_of_many_runs_the_latest_are_shown_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(45):
        made(tmp_path / "outputs" / "fnn-mnist" / str(i), written=1000 + 7 * i % 45)
    later = {f"fnn-mnist/{i}" for i in range(45) if 7 * i % 45 >= 5}
    assert set(shown(tmp_path / "outputs", tmp_path / "view")) == later
    made(tmp_path / "outputs" / "fnn-mnist" / "new", written=2000)
    followed = set(shown(tmp_path / "outputs", tmp_path / "view"))
    assert len(followed) == dashboard.MOST
    assert "fnn-mnist/new" in followed
    monkeypatch.setattr(
        dashboard, "_start", lambda *_: subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    )
    monkeypatch.setattr(dashboard, "INTERVAL_S", 0.0)
    dashboard.main(argparse.Namespace(folder=str(tmp_path / "outputs"), port=1, runs=40))
    assert "The latest 40 of 46 runs: --runs N shows more" in capsys.readouterr().out


def test_a_single_run(tmp_path: Path) -> None:
    assert shown(made(tmp_path / "run"), tmp_path / "view") == ["run"]


def test_mean_curves_are_shown_where_there_are_no_runs(tmp_path: Path) -> None:
    for name in ("lr=1", "lr=2"):
        (tmp_path / "tensorboard" / name).mkdir(parents=True)
        (tmp_path / "tensorboard" / name / EVENTS).touch()
    assert shown(tmp_path / "tensorboard", tmp_path / "view") == ["lr=1", "lr=2"]


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(UserError, match="There is no folder nowhere"):
        dashboard.main(argparse.Namespace(folder="nowhere", port=0, runs=40))


def test_columns_are_the_model_and_what_differs_and_the_metric_that_decides(
    train: Callable[..., RunDir], tmp_path: Path
) -> None:
    for lr in (0.1, 0.2):
        train("model=fnn", f"optimizer.lr={lr}", "trainer.max_epochs=1", folder=f"runs/{lr}")
    shown(tmp_path / "runs", tmp_path / "view")
    (path,) = (tmp_path / "view").rglob(dashboard.EXPERIMENT)
    events = EventAccumulator(str(path)).Reload()
    content = events.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    found = metadata.parse_experiment_plugin_data(content)
    assert [(info.name, info.differs) for info in found.hparam_infos] == [("model", True), ("optimizer.lr", True)]
    assert [info.display_name for info in found.metric_infos][:2] == ["test/acc", "val/acc"]
    assert found.metric_infos[0].name.tag == "when_best/test/acc"


def hyperparameters(folder: Path) -> dict[str, object]:
    content = EventAccumulator(str(folder)).Reload().SummaryMetadata(metadata.SESSION_START_INFO_TAG)
    found = metadata.parse_session_start_info_plugin_data(content.plugin_data.content).hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in found.items()}


def test_runs_of_earlier_versions_have_their_row(tmp_path: Path) -> None:
    """They wrote it into a folder `final`, which is not shown."""
    runs = [path.parent for path in EARLIER.rglob("result.json")]
    assert len(runs) > 9
    view = tmp_path / "view"
    view.mkdir()
    dashboard.refresh(EARLIER, view, dashboard.latest(EARLIER, 100)[0])
    for run in runs:
        result = json.loads((run / "result.json").read_text())
        place = view / run.relative_to(EARLIER)
        assert result["metrics"]
        assert hyperparameters(place)["model"] == result["model"]
        events = EventAccumulator(str(place)).Reload()
        name = next(name for name in result["metrics"] if name.startswith("val/"))
        assert events.Scalars(f"when_best/{name}")[0].value == pytest.approx(result["metrics"][name], rel=1e-5)


def test_a_run_with_a_row_of_its_own_keeps_it(train: Callable[..., RunDir], tmp_path: Path) -> None:
    run = train("model=fnn", "trainer.max_epochs=1", folder="runs/own").path
    (own,) = run.glob("*.row")
    for has_own in (True, False, True):
        if not has_own:
            own.rename(tmp_path / "kept")
        elif not own.exists():
            (tmp_path / "kept").rename(own)
        shown(tmp_path / "runs", tmp_path / "view")
        names = {path.name for path in (tmp_path / "view").rglob("*.row")}
        assert names == ({own.name} if has_own else {dashboard.ADDED_ROW})
        assert hyperparameters(tmp_path / "view" / "own")["model"] == "fnn"


@pytest.mark.slow
def test_tensorboard_answers_when_it_has_read_all_runs(command: Callable, tmp_path: Path) -> None:
    """A page that is opened before stays empty."""
    for model in ("fnn", "perceptron"):
        assert command(f"model={model}", *SMALL).returncode == 0
    server = subprocess.Popen([sys.executable, "-m", "litmus", "dashboard", "outputs", "--port", "6099"], cwd=tmp_path)
    try:
        deadline, tags = time.time() + 60, None
        while tags is None:
            assert time.time() < deadline
            time.sleep(0.05)
            try:
                tags = json.load(urllib.request.urlopen("http://localhost:6099/data/plugin/scalars/tags"))
            except OSError:
                continue
        assert len(tags) == 2, "one run is one run"
        assert all("val/acc" in of_run for of_run in tags.values())
    finally:
        server.terminate()
        server.wait(timeout=20)
