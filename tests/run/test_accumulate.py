"""`trainer.accumulate_grad_batches`: gradients of several batches make a step, which a checkpoint never cuts in two."""

import math
import signal
from collections.abc import Callable

import pytest
import torch
from faults import Fault, kill

from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run.ending import ending, points

Train = Callable[..., RunDir]
PLAIN = ["model=fnn", "scheduler=one_cycle", "trainer.precision=32", "optimizer=sgd", "optimizer.lr=0.05"]


def test_two_half_batches_are_a_whole_one(train: Train) -> None:
    """400 samples are 4 batches of 100, or 8 of 50."""
    whole = train(*PLAIN, "data.batch_size=100", folder="whole")
    halves = train(*PLAIN, "data.batch_size=50", "trainer.accumulate_grad_batches=2", folder="halves")
    assert whole.read_result()["steps"] == halves.read_result()["steps"] == 8
    expected, got = (load_checkpoint(run.last).weights for run in (whole, halves))
    for name, weight in expected.items():
        torch.testing.assert_close(got[name], weight, rtol=1e-4, atol=1e-6)
    rates = [[row["optim/lr"] for row in run.read_metrics()] for run in (whole, halves)]
    assert rates[0] == rates[1], "the schedule counts steps, not batches"


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("accumulate", "steps"), [(8, 1), (100, 1), (5, 2), (3, 3)])
def test_a_step_of_fewer_batches_is_of_their_mean(accumulate: int, steps: int, processes: int, train: Train) -> None:
    """Steps so small that they do not change the gradient go, together, as far as so many of all batches."""
    words = ["model=linear", "scheduler=none", "optimizer=sgd", "optimizer.momentum=0", "trainer.max_epochs=1"]
    words += ["data.batch_size=50", "trainer.precision=32", f"trainer.accumulate_grad_batches={accumulate}"]
    words += [f"trainer.devices={processes}", "trainer.accelerator=cpu"]
    run = train(*words, "optimizer.lr=1e-5", folder="parts")
    whole = [*words, "data.batch_size=400", "trainer.accumulate_grad_batches=1", f"optimizer.lr={steps * 1e-5}"]
    one = train(*whole, folder="one")
    assert (run.read_result()["steps"], one.read_result()["steps"]) == (steps, 1)
    weights = (load_checkpoint(each.last).weights for each in (run, one))
    moved, expected = (torch.cat([weight.flatten() for weight in own.values()]) for own in weights)  # they were 0
    # Not exactly, where the last step has fewer batches: they count a little more.
    assert float(moved @ expected / (expected @ expected)) == pytest.approx(1, abs=1e-3 if steps == 1 else 0.05)


@pytest.mark.parametrize("batch", range(4))
def test_a_signal_between_the_batches_of_a_step_waits_for_it(train: Train, resume: Train, batch: int) -> None:
    words = ["model=fnn", "data.batch_size=50", "trainer.accumulate_grad_batches=3", "model.dropout=0.2"]
    straight = train(*words, folder="straight")
    stopped = train(*words, watching=[Fault(kill(signal.SIGINT), epoch=0, batch=batch)])
    assert stopped.read_result()["status"] == "interrupted"
    assert load_checkpoint(stopped.last).step == math.ceil((batch + 1) / 3)
    assert ending(resume(stopped)) == ending(straight)
    steps = [step for step, _ in points(straight.path)["step/train_loss"]]
    assert steps == sorted(set(steps)), "a point for a step"


def test_the_gradient_is_measured_of_steps(train: Train) -> None:
    few = ["data.batch_size=50", "trainer.accumulate_grad_batches=4", "callback.meter.every_n_steps=2"]
    run = train("model=fnn", *few)
    assert all(row["optim/grad_norm"] > 0 for row in run.read_metrics())


def test_more_batches_than_an_epoch_has_are_said(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train(*PLAIN, "data.batch_size=50", "trainer.accumulate_grad_batches=100", "trainer.max_epochs=1")
    assert "trainer.accumulate_grad_batches=100 is more than the 8 batches of an epoch" in capsys.readouterr().err
