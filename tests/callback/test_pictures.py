"""Pictures of a network at work: what there is of each task, when, and that they change no bit of the training."""

from collections.abc import Callable

import pytest
from helpers import CONF, ON_BOXES, ON_LISTED, ON_TABLE, ON_WAVE, SMALL
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from litmus.callback._pictures import is_due
from litmus.record.folder import RunDir
from litmus.run.ending import ending

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


def test_pictures_change_no_bit(train: Train) -> None:
    shown, hidden = (
        train("model=cnn", "model.dropout=0.2", f"callback.dashboard.pictures={pictures}", folder=pictures)
        for pictures in ("true", "false")
    )
    assert ending(shown) == ending(hidden)
    assert not events_of(hidden).Tags()["images"]


def test_a_resumed_run_shows_each_epoch_once(train: Train, resume: Train) -> None:
    run = train("model=fnn", "callback.dashboard.pictures=true", "trainer.max_epochs=2")
    resume(run, "trainer.max_epochs=4")
    steps = [event.step for event in events_of(run).Images("val/confusion_matrix")]
    assert steps == [3, 7, 15], "of epochs 1, 2 and 4"


def test_epochs_with_pictures_are_few() -> None:
    assert [epoch for epoch in range(1, 101) if is_due(epoch, 100)] == [1, 2, 4, 8, 16, 32, 64, 100]
