"""TensorBoard's projector: what it is given of each task, of the best epoch, and that it finds it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import CONF, DIGITS, ON_BOXES, ON_LISTED, ON_TABLE, ON_WAVE, READS, SMALL, TINY, composed, inputs_for
from PIL import Image
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client

from litmus.callback._projector import FOLDER, MOST_SAMPLES, Projector, Seen
from litmus.cli import dashboard
from litmus.config.instantiate import build
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=3", "callback.dashboard.graph=false"]
FEW += ["callback.dashboard.pictures=true"]
TASKS = {  # by task: overrides, columns, and whether there are images
    "classification": (["model=cnn", *SMALL], ["class", "predicted", "right"], True),
    "multilabel": (
        ["model=cnn", *ON_LISTED, "data.label=tags", "data.target_separator=|"],
        ["labels", "predicted", "right"],
        True,
    ),
    "regression": (["model=lstm", *ON_WAVE], ["row", "sales", "predicted sales"], False),
    "detection": (["model=yolo", *ON_BOXES], ["boxes", "predicted", "right"], True),
    "text": (["model=lstm", *ON_TABLE], ["text", "class", "predicted", "right"], False),
}


def read(run: RunDir) -> tuple[np.ndarray, list[list[str]]]:
    """Features and rows; the first row are the columns' names."""
    rows = list(csv.reader((run.path / FOLDER / "samples.tsv").open(), delimiter="\t", quoting=csv.QUOTE_NONE))
    return np.fromfile(run.path / FOLDER / "features.bytes", "<f4").reshape(len(rows) - 1, -1), rows


def test_every_task_is_here() -> None:
    assert set(TASKS) == {path.stem for path in (CONF / "task").glob("*.yaml")} | {"text"}


@pytest.mark.wide
@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize("task", TASKS)
def test_what_the_projector_is_given_of_a_task(task: str, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litmus.callback._projector.FEWEST_SAMPLES", 2)
    small, columns, has_images = TASKS[task]
    run = train(*FEW, small=small)
    assert run.read_result()["status"] == "finished"
    assert "TensorBoard's projector" not in run.log.read_text()
    features, rows = read(run)
    assert np.isfinite(features).all()
    assert rows[0] == columns
    assert 2 <= len(features) <= MOST_SAMPLES
    assert not any(cell == "" for row in rows for cell in row)
    pictures = [path for path in (run.path / FOLDER).iterdir() if path.stem == "sprites"]
    assert bool(pictures) == has_images
    if has_images:
        config = (run.path / FOLDER / "projector_config.pbtxt").read_text()
        (width, height) = (int(line.split()[1]) for line in config.splitlines() if "single_image_dim" in line)
        side = int(np.ceil(len(features) ** 0.5))
        assert Image.open(pictures[0]).size == (side * width, side * height)


@pytest.mark.parametrize("model", sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
def test_every_network_has_a_last_layer_that_is_given_features(model: str) -> None:
    net = build(composed(f"model={model}", *TINY.get(model, []))["model"], READS.get(model, DIGITS))
    projector = Projector(Watched(net), Sized(), None)
    projector.begin()
    with torch.no_grad():
        net.eval()(inputs_for(net.spec, 4))
    projector.end()
    assert projector._features is not None
    assert projector._features.shape[0] == 4
    assert projector._features.ndim == 2
    assert not net.last_layer._forward_pre_hooks


class Watched:
    """A task, as much of it as is watched."""

    def __init__(self, net: torch.nn.Module) -> None:
        self.net, self.observers = net, {"val": [], "test": []}


class Sized:
    """A dataset, as much of it as is asked for."""

    def __init__(self) -> None:
        self.sizes = {"val": 1200}


def test_samples_are_chosen_evenly_over_batches_and_the_best_epoch_is_kept() -> None:
    net = build(composed("model=linear")["model"], DIGITS)
    task = Watched(net)
    projector = Projector(task, Sized(), None)

    def validate(value: float) -> None:
        projector.begin()
        for size in (500, 500, 200):
            net.eval()(torch.full((size, 1, 28, 28), value))
            task.observers["val"][0](torch.zeros(size, 10), torch.arange(size))
        projector.end()

    scores = [(0.5, -1.0), (0.9, -1.0), (0.9, -2.0), (0.9, -0.5), (0.1, 0.0)]
    for epoch, score in enumerate(scores, start=1):
        validate(float(epoch))
        projector.end_of_epoch(epoch, score)
    assert projector.epoch == 4, "the loss decides between equals"
    numbers = [number for seen in projector.kept for number in seen.numbers]
    assert numbers == list(range(0, 1200, 3))
    assert all(float(seen.features.min()) == 4.0 for seen in projector.kept)
    targets = torch.cat([seen.targets for seen in projector.kept if isinstance(seen, Seen)])
    assert targets.tolist() == [number % 500 for number in numbers]


def test_nothing_is_kept_that_is_not_better_than_before_a_resumption() -> None:
    task = Watched(build(composed("model=linear")["model"], DIGITS))
    projector = Projector(task, Sized(), (0.9, -1.0))
    for epoch, score in enumerate([(0.8, 0.0), (0.9, -1.0), (float("nan"), 0.0)], start=1):
        projector.begin()
        task.net.eval()(torch.zeros(1200, 1, 28, 28))
        task.observers["val"][0](torch.zeros(1200, 10), torch.arange(1200))
        projector.end()
        projector.end_of_epoch(epoch, score)
    assert not projector.kept


def test_a_resumed_run_shows_its_best_epoch(train: Train, resume: Train) -> None:
    run = train("model=fnn", "callback.dashboard.pictures=true")
    for epochs in (2, 4):
        if epochs > 2:
            resume(run, f"trainer.max_epochs={epochs}")
        best = max(run.read_metrics(), key=lambda row: (row["val/acc"], -row["val/loss"]))
        assert f'"features, epoch {best["epoch"]}"' in (run.path / FOLDER / "projector_config.pbtxt").read_text()


def test_without_pictures_there_is_nothing(train: Train) -> None:
    assert not (train(*FEW, "model=fnn", "callback.dashboard.pictures=false").path / "plugins").exists()


def test_tensorboard_finds_several_runs_through_links(train: Train, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train("model=fnn", *FEW, folder=f"outputs/{name}")
    view = tmp_path / "view"
    view.mkdir()
    dashboard.refresh(tmp_path / "outputs", view, dashboard.latest(tmp_path / "outputs", 40)[0])
    runs = EventMultiplexer().AddRunsFromDirectory(str(view))
    runs.Reload()
    plugin = ProjectorPlugin(TBContext(logdir=str(view), data_provider=MultiplexerDataProvider(runs, str(view))))
    clients = {route: Client(app) for route, app in plugin.get_plugin_apps().items()}
    assert sorted(json.loads(clients["/runs"].get("/runs").data)) == ["a", "b"]
    for run in ("a", "b"):
        info = json.loads(clients["/info"].get(f"/info?run={run}").data)["embeddings"][0]
        query = f"run={run}&name={info['tensorName']}"
        content = clients["/tensor"].get(f"/tensor?{query}").data
        expected, rows = read(RunDir(tmp_path / "outputs" / run))
        assert np.array_equal(np.frombuffer(content, "<f4"), expected.ravel())
        assert clients["/metadata"].get(f"/metadata?{query}").data.decode().count("\n") == len(rows)
        assert clients["/sprite_image"].get(f"/sprite_image?{query}").data.startswith(b"\x89PNG")
