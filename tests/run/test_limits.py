"""`trainer.max_steps` and `trainer.max_time`: a training ends within an epoch, is validated, and can go on."""

import os
import signal
import time
from collections.abc import Callable
from unittest import mock

import lightning.pytorch as lightning
import pytest
import torch
from faults import Fault, kill

from litmus.errors import UserError
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run.ending import ending
from litmus.run.limits import Limits, seconds

Train = Callable[..., RunDir]
PLAIN = ["model=fnn", "data.batch_size=50", "trainer.precision=32"]  # 8 steps an epoch


@pytest.mark.parametrize(
    ("given", "meant"), [(5, 5), (0.5, 0.5), ("90:00", 5400), ("01:30:05", 5405), ("1:00:00:00", 86400)]
)
def test_a_time_is_seconds_or_as_lightning_writes_it(given: float | str, meant: float) -> None:
    assert seconds(given) == meant


def test_a_training_ends_at_its_last_step(train: Train) -> None:
    run = train(*PLAIN, "trainer.max_epochs=5", "trainer.max_steps=11")
    result, rows = run.read_result(), run.read_metrics()
    assert result["status"] == "finished"
    assert result["steps"] == load_checkpoint(run.last).step == 11
    assert [row["step"] for row in rows] == [8, 11]
    assert all("val/loss" in row for row in rows), "an epoch that was cut short is validated"


def test_a_limit_of_whole_epochs_is_their_number(train: Train) -> None:
    """The schedule, too, ends with the last step."""
    words = [*PLAIN, "scheduler=one_cycle"]
    straight = train(*words, "trainer.max_epochs=2", folder="straight")
    limited = train(*words, "trainer.max_epochs=5", "trainer.max_steps=16", folder="limited")
    assert ending(limited) == ending(straight)


def test_a_time_that_is_over_within_a_step_ends_with_the_step(train: Train, resume: Train) -> None:
    words = [*PLAIN, "trainer.max_epochs=50", "trainer.accumulate_grad_batches=4"]
    run = train(*words, "trainer.max_time=0.01", watching=[_Slow(0.02)])
    assert (run.read_result()["status"], run.read_result()["steps"]) == ("finished", 1)
    longer = resume(run, "trainer.max_time=0.9", watching=[_Slow(0.25)])
    assert (longer.read_result()["status"], longer.read_result()["steps"]) == ("finished", 2)


def test_epochs_that_end_before_are_said(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(*PLAIN, "trainer.max_epochs=2", "trainer.max_steps=1000")
    assert run.read_result()["steps"] == 16
    assert "trainer.max_epochs=2 ends the training before trainer.max_steps=1000" in capsys.readouterr().err


@pytest.mark.wide
def test_a_killed_one_ends_as_if_it_had_not_been(train: Train, resume: Train) -> None:
    words = [*PLAIN, "model.dropout=0.2", "trainer.max_epochs=5", "trainer.max_steps=13"]
    straight = train(*words, folder="straight")
    stopped = train(*words, watching=[Fault(kill(signal.SIGINT), epoch=1, batch=2)])
    assert stopped.read_result()["status"] == "interrupted"
    assert ending(resume(stopped)) == ending(straight)


@pytest.mark.parametrize("length", ["trainer.max_steps=11", "trainer.max_time=0.5", "trainer.max_epochs=1"])
def test_one_that_is_stopped_in_its_test_is_tested_when_resumed(length: str, train: Train, resume: Train) -> None:
    """And trains no step more."""
    run = train(*PLAIN, "trainer.max_epochs=50", length, watching=[_Slow(0.1), _StoppedInTest()])
    rows = run.read_metrics()
    assert (rows[-1]["step"] % 8 == 0) == ("epochs" in length), "the others end within an epoch"
    assert run.read_result()["status"] == "interrupted"
    resume(run)
    result = run.read_result()
    assert (result["status"], result["steps"]) == ("finished", rows[-1]["step"]), result["error"]
    assert [row["step"] for row in run.read_metrics()] == [row["step"] for row in rows]
    assert "test/acc" in result["metrics"]


def test_more_steps_go_on_with_the_next_epoch(train: Train, resume: Train) -> None:
    run = train(*PLAIN, "trainer.max_epochs=5", "trainer.max_steps=11")
    again = resume(run, "trainer.max_steps=20")
    assert [row["step"] for row in again.read_metrics()] == [8, 11, 19, 20]


class _Slow(lightning.Callback):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_start(self, *args: object, **kwargs: object) -> None:
        time.sleep(self.seconds)


class _StoppedInTest(lightning.Callback):
    def on_test_batch_start(self, *args: object, **kwargs: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_a_training_ends_with_its_time(train: Train) -> None:
    run = train(*PLAIN, "trainer.max_epochs=50", "trainer.max_time=0.5", watching=[_Slow(0.05)])
    result = run.read_result()
    assert result["status"] == "finished"
    assert 2 <= result["steps"] <= 11
    assert "val/loss" in run.read_metrics()[-1]
    assert "trainer.max_time=0.5 is over after step" in run.log.read_text()


@pytest.mark.wide
def test_what_was_trained_before_counts(train: Train, resume: Train) -> None:
    words = [*PLAIN, "trainer.max_epochs=50", "trainer.max_time=2"]
    stopped = train(*words, watching=[_Slow(0.3), Fault(kill(signal.SIGINT), epoch=0, batch=2)])
    again = resume(stopped, watching=[_Slow(0.3)])
    assert 3 < again.read_result()["steps"] <= 7, "and not six more in another two seconds"


def test_what_is_left_of_the_time_is_less_by_what_was_trained_before() -> None:
    limits = Limits({"max_steps": None, "max_time": 60, "max_epochs": 1}, mock.Mock())
    limits.load_state_dict({"seconds": 50.0})
    assert limits.left_s() == 10


def test_what_is_taken_back_after_a_divergence_counts_too() -> None:
    ours, before = (Limits({"max_steps": None, "max_time": 60, "max_epochs": 1}, mock.Mock()) for _ in range(2))
    before.load_state_dict({"seconds": 50.0})
    ours.count_on(before)
    ours.load_state_dict({"seconds": 20.0})  # of the checkpoint that it goes back to
    assert ours.left_s() == 10


def test_a_training_whose_time_is_over_is_refused(
    train: Train, resume: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(*PLAIN, "trainer.max_epochs=50", "trainer.max_time=0.2", watching=[_Slow(0.1)])
    before = run.read_result()
    resume(run)
    assert run.read_result() == before
    assert "has already been trained for" in capsys.readouterr().err


def test_a_deterministic_run_leaves_the_next_one_as_it_is(train: Train) -> None:
    train("model=fnn", "trainer.deterministic=true", "trainer.max_steps=2", folder="first")
    assert torch.are_deterministic_algorithms_enabled()
    train("model=fnn", "trainer.max_steps=2", folder="second")
    assert not torch.are_deterministic_algorithms_enabled()


def test_of_a_run_that_has_made_its_steps_more_of_them_and_of_epochs_are_named(train: Train, resume: Train) -> None:
    run = train(*PLAIN, "trainer.max_epochs=2", "trainer.max_steps=11")
    with pytest.raises(UserError, match=r"takes more: trainer\.max_steps=22 trainer\.max_epochs=4\.$"):
        resume(run)
