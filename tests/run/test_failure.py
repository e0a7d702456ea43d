"""What goes wrong in a run is said and stored, and nothing is lost."""

import json
import signal
from collections.abc import Callable

import pytest
from faults import Fault, fail, kill

from litmus.record.folder import RunDir

Train = Callable[..., RunDir]


def test_a_failed_run_says_why_and_keeps_what_it_had(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("model=fnn", "callback.meter.every_n_steps=1", watching=[Fault(fail("the disk is full"), epoch=1)])
    result = run.read_result()
    assert (result["status"], result["error"], result["epochs"]) == ("failed", "Boom: the disk is full", 1)
    assert "val/acc" in result["metrics"]
    assert "Traceback" in run.log.read_text()
    assert "the disk is full" in capsys.readouterr().err


@pytest.mark.parametrize("batch", [None, 0, 3])
def test_a_fault_at_any_point_of_the_first_epoch_leaves_a_result(train: Train, batch: int | None) -> None:
    run = train("model=perceptron", watching=[Fault(fail("no more"), epoch=0, batch=batch)])
    result = run.read_result()
    assert (result["status"], result["epochs"], result["metrics"]) == ("failed", 0, {})
    assert not run.best.exists()
    assert not run.last.exists()


def test_data_that_does_not_fit_fails_in_a_sentence(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("data.source=disk", "data.dir=nowhere")
    result = run.read_result()
    assert result["status"] == "failed"
    assert result["error"].startswith("data.source=disk does not provide MNIST. nowhere/mnist lacks train-images")
    assert "Traceback" not in capsys.readouterr().err
    assert result["metrics"] == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_whole_and_is_resumed(number: signal.Signals, train: Train, resume: Train) -> None:
    changes = ["model=fnn", "model.dropout=0.2", "trainer.max_epochs=4"]
    handler = signal.getsignal(number)
    run = train(*changes, watching=[Fault(kill(number), epoch=2)])
    assert signal.getsignal(number) is handler
    result = run.read_result()
    assert (result["status"], result["error"], result["epochs"]) == ("interrupted", f"stopped by {number.name}", 2)
    assert "test/acc" not in result["metrics"]
    before = run.read_metrics()

    resume(run)
    rows = run.read_metrics()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["step"] for row in rows] == [4, 8, 12, 16]
    assert rows[:2] == before
    assert run.read_result()["status"] == "finished"
    assert run.read_result()["epochs"] == 4


def test_a_diverged_run_says_so_and_its_result_is_json(train: Train) -> None:
    run = train("model=fnn", "optimizer=sgd", "optimizer.lr=1e30", "scheduler=none")
    result = json.loads((run.path / "result.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert result["status"] == "diverged"
    assert "Try a lower optimizer.lr" in run.log.read_text()


def test_what_needs_no_data_to_be_refused_is_refused_before(train: Train) -> None:
    for changes, said in (
        (["trainer.precision=16-mixed"], "needs a GPU"),
        (["trainer.devices=2", "data.batch_size=63"], "cannot be divided evenly among trainer.devices=2"),
    ):
        run = train(*changes, folder=changes[-1])
        assert said in run.read_result()["error"]
        assert run.read_result()["dataset"] is None
