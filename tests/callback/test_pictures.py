"""Pictures of a network at work: what there is of each task, when, and that they change no bit of the training."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers import COLUMNS, CONF, ON_BOXES, ON_LISTED, ON_TABLE, ON_WAVE, SMALL
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from litmus.callback import _pictures
from litmus.callback._pictures import Pictures, is_due
from litmus.record.folder import RunDir
from litmus.run.ending import ending
from litmus.spec import Classes, Spec

TAGS = ["data.label=tags", "data.target_separator=|"]
ON_MAILS = [*ON_TABLE, "data.path=mails.csv", *TAGS]
Train = Callable[..., RunDir]
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=3", "callback.dashboard.graph=false"]
CLASSES = {"val/classes", "val/confusion_matrix", "val/reliability"}
FILTERS = {"val/filters"}
SEEN = {"val/predictions", "val/worst_mistakes", *FILTERS}
VALUES = {"val/predicted_and_true", "val/residuals"}
PRICES = ["data=table", "data.path=houses.csv", "data.target=[price,rooms]", "trainer=cpu"]
TASKS = {  # by task, and what it reads: overrides, images, and whether there are precision-recall curves and texts
    "classification": (["model=cnn", *SMALL], {*CLASSES, *SEEN}, True, False),
    "classification of texts": (["model=lstm", *ON_TABLE], CLASSES, True, True),
    "multilabel": (["model=cnn", *ON_LISTED, *TAGS], {"val/labels", *FILTERS}, True, False),
    "multilabel of texts": (["model=lstm", *ON_MAILS], {"val/labels"}, True, True),
    "regression": (["model=lstm", *ON_WAVE], VALUES | {"val/forecast"}, False, False),
    "regression of far values": (["model=lstm", *ON_WAVE, "data.horizon=5"], VALUES | {"val/forecast"}, False, False),
    "regression of texts": (["model=lstm", *ON_TABLE, "data.label=score"], VALUES, False, True),
    "regression of rows": (
        ["model=fnn", *PRICES],
        {f"{each}/{name}" for each in VALUES for name in ("price", "rooms")},
        False,
        False,
    ),
    "detection": (
        ["model=yolo", *ON_BOXES],
        {"val/boxes", "val/classes", "val/confusion_matrix", *FILTERS},
        False,
        False,
    ),
}


def events_of(run: RunDir) -> EventAccumulator:
    return EventAccumulator(str(run.path), size_guidance={"images": 0, "histograms": 0, "tensors": 0}).Reload()


def test_every_task_is_here() -> None:
    assert {name.split()[0] for name in TASKS} == {path.stem for path in (CONF / "task").glob("*.yaml")}


@pytest.mark.wide
@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize("task", TASKS)
def test_what_a_task_shows(task: str, train: Train) -> None:
    small, images, curves, texts = TASKS[task]
    run = train(*FEW, "callback.dashboard.pictures=true", small=small)
    assert run.read_result()["status"] == "finished"
    assert "has not all pictures" not in run.log.read_text()
    events = events_of(run)
    tags = events.Tags()
    assert set(tags["images"]) == images
    kinds = {tag.split("/")[1] for tag in tags["histograms"] if tag.startswith("within_network/")}
    assert kinds == {"weights", "gradients", "activations"}
    assert len({tag for tag in tags["histograms"] if "/weights/" in tag}) <= 20
    plugins = {events.SummaryMetadata(tag).plugin_data.plugin_name for tag in tags["tensors"]}
    assert "custom_scalars" in plugins
    assert ("pr_curves" in plugins) == curves
    assert ("mistakes/text_summary" in tags["tensors"]) == texts


@pytest.mark.wide
def test_pictures_change_no_bit(train: Train) -> None:
    shown, hidden = (
        train("model=cnn", "model.dropout=0.2", f"callback.dashboard.pictures={pictures}", folder=pictures)
        for pictures in ("true", "false")
    )
    assert ending(shown) == ending(hidden)
    assert not events_of(hidden).Tags()["images"]


@pytest.mark.wide
def test_a_resumed_run_shows_each_epoch_once(train: Train, resume: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pictures, "MOST_CURVES", 3)
    run = train("model=fnn", "callback.dashboard.pictures=true", "trainer.max_epochs=2")
    monkeypatch.setattr(_pictures, "MOST_CURVES", 5)
    resume(run, "trainer.max_epochs=4")
    events = events_of(run)
    steps = [event.step for event in events.Images("val/confusion_matrix")]
    assert steps == [3, 7, 15], "of epochs 1, 2 and 4"
    tags = [
        tag for tag in events.Tags()["tensors"] if events.SummaryMetadata(tag).plugin_data.plugin_name == "pr_curves"
    ]
    assert [[event.step for event in events.Tensors(tag)] for tag in tags] == [steps] * 3, "of the same classes"


def test_epochs_with_pictures_are_few() -> None:
    assert [epoch for epoch in range(1, 101) if is_due(epoch, 100)] == [1, 2, 4, 8, 16, 32, 64, 100]


class Columns(nn.Linear):
    """A network of rows, as far as pictures need one."""

    predicts_probabilities = True
    spec = Spec("made", COLUMNS.input, Classes(tuple(f"c{i}" for i in range(12))))

    def activation_of(self, module: nn.Module) -> None:
        return None


def test_curves_are_of_the_worst_classes_of_the_first_epoch_and_stay() -> None:
    shown: list[str] = []
    file_writer = SimpleNamespace(add_summary=lambda *_: None)
    writer: Any = SimpleNamespace(file_writer=file_writer, add_histogram=lambda *_, **__: None)
    writer.add_pr_curve = lambda tag, *_: shown.append(tag)
    task: Any = SimpleNamespace(net=Columns(2, 12), observers={"val": []})
    pictures = Pictures(task, None, writer)
    truth = torch.arange(120) % 12
    for wrong in (range(2, 12), range(10)):
        logits = torch.nn.functional.one_hot(truth, 12).float()
        spoiled = (truth >= wrong.start) & (truth < wrong.stop) & (torch.arange(120) < 60)
        logits[spoiled] = 0.0
        logits[spoiled, (truth[spoiled] - wrong.start + 1) % 10 + wrong.start] = 1.0
        pictures.begin(torch.zeros(1, 2))
        task.observers["val"][0](logits, truth)
        pictures.end(0)
    assert shown == [f"val/c{i}" for i in range(2, 12)] * 2
