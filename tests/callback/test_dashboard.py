"""What TensorBoard finds in a run's folder: one run, in an order that begins with loss and metric."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from litmus.record.folder import RunDir

Train = Callable[..., RunDir]


def events_of(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def hyperparameters(folder: Path) -> dict[str, object]:
    content = events_of(folder).SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    found = metadata.parse_session_start_info_plugin_data(content).hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in found.items()}


def test_a_run_is_one_run_with_its_row_and_its_best_epoch(train: Train) -> None:
    run = train("model=fnn", "model.l2=1e-4", "trainer.max_epochs=3")
    assert {path.parent for path in run.path.rglob("*tfevents*")} == {run.path}
    events, result = events_of(run.path), run.read_result()
    when_best = {name.removeprefix("when_best/") for name in events.Tags()["scalars"] if name.startswith("when_best/")}
    assert when_best == set(result["metrics"])
    for name, value in result["metrics"].items():
        (point,) = events.Scalars(f"when_best/{name}")
        assert point.value == pytest.approx(value)
    row = hyperparameters(run.path)
    assert row["model"] == "fnn"
    assert row["model.l2"] == 1e-4
    assert {"optimizer", "optimizer.lr", "seed", "data.batch_size", "trainer.max_epochs"} <= set(row)
    assert not {name for name in row if "_target_" in name or "dir" in name or "callback" in name}
    with pytest.raises(KeyError):
        events.SummaryMetadata(metadata.EXPERIMENT_TAG)


def test_loss_and_metric_come_first_and_open(train: Train) -> None:
    """TensorBoard opens the first two groups by name."""
    events = events_of(train("model=fnn").path)
    groups = sorted({name.partition("/")[0] for name in events.Tags()["scalars"]})
    assert groups[:2] == ["train", "val"]
    assert groups[-1] == "workings"


def test_a_resumed_run_has_one_row_with_what_it_ended_with(train: Train, resume: Train) -> None:
    run = train("model=fnn")
    assert hyperparameters(run.path)["trainer.max_epochs"] == 2
    (run.path / "final").mkdir()  # as earlier versions had it
    (run.path / "final" / "events.out.tfevents.1.host.2.0").touch()
    resume(run, "trainer.max_epochs=4")
    assert not (run.path / "final").exists()
    assert len(list(run.path.glob("*.row"))) == 1
    assert hyperparameters(run.path)["trainer.max_epochs"] == 4
    events, metrics = events_of(run.path), run.read_result()["metrics"]
    assert [point.value for point in events.Scalars("when_best/val/acc")] == [pytest.approx(metrics["val/acc"])]
    assert len(events.Scalars("val/acc")) == 4
    assert events.Scalars("when_best/test/acc")[-1].value == pytest.approx(metrics["test/acc"])
