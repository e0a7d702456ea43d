"""`trainer.val_check_interval`: a pass over the training data is several epochs, and trains as if it were one."""

import signal
from collections.abc import Callable

import pytest
import torch
from faults import Fault, kill

from litmus.errors import UserError
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run.ending import ending

Train = Callable[..., RunDir]
PLAIN = ["model=fnn", "data.batch_size=50", "trainer.precision=32", "trainer.max_epochs=2"]  # 8 steps a pass


def weights(run: RunDir) -> dict[str, torch.Tensor]:
    return load_checkpoint(run.last).weights


@pytest.mark.parametrize("scheduler", ["none", "one_cycle"])
@pytest.mark.parametrize(("accumulated", "steps"), [(1, [2, 5, 8, 10, 13, 16]), (3, [1, 2, 3, 4, 5, 6])])
def test_training_is_that_of_whole_passes(train: Train, scheduler: str, accumulated: int, steps: list[int]) -> None:
    words = [*PLAIN, f"scheduler={scheduler}", f"trainer.accumulate_grad_batches={accumulated}"]
    whole = train(*words, folder="whole")
    cut = train(*words, "trainer.val_check_interval=0.33", folder="cut")
    rows = cut.read_metrics()
    assert [(row["epoch"], row["step"]) for row in rows] == [*enumerate(steps, 1)]
    assert all(row["val/loss"] > 0 for row in rows)
    assert cut.read_config()["trainer"]["val_check_interval"] == 1 / 3
    assert "whole part" not in cut.log.read_text()
    ends = [row["val/loss"] for row in rows if row["epoch"] % 3 == 0]
    assert ends == [row["val/loss"] for row in whole.read_metrics()]
    for name, weight in weights(whole).items():
        torch.testing.assert_close(weights(cut)[name], weight, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("interval", "steps", "often"),
    [
        (3, [2, 5, 8], "3 times"),
        (4, [4, 8], None),
        (5, [4, 8], "2 times"),
        (6, [8], "once"),
        (100, [8], "once"),
        (1, [*range(1, 9)], None),
    ],
)
def test_a_number_of_batches_is_the_nearest_that_cuts_a_pass(
    train: Train, interval: int, steps: list[int], often: str | None
) -> None:
    run = train(*PLAIN, f"trainer.val_check_interval={interval}", "trainer.max_epochs=1")
    assert [row["step"] for row in run.read_metrics()] == steps
    assert run.read_config()["trainer"]["val_check_interval"] == (1 / len(steps) if len(steps) > 1 else None)
    said = f"trainer.val_check_interval={interval} is no whole part of a pass, of 8 batches: each is validated {often}."
    assert (said in run.log.read_text()) == ("whole part" in run.log.read_text()) == (often is not None)


def test_a_limit_of_batches_holds_for_the_pass(train: Train) -> None:
    run = train(*PLAIN, "trainer.val_check_interval=0.5", "trainer.limit_batches=5")
    assert [row["step"] for row in run.read_metrics()] == [2, 5, 7, 10]


def test_less_than_a_batch_is_refused(train: Train) -> None:
    result = train(*PLAIN, "trainer.val_check_interval=0.1").read_result()
    assert result["status"] == "failed"
    said = "trainer.val_check_interval=0.1 is less than a batch: a pass over the training data has 8 batches of 50"
    assert said in result["error"]
    few = train(*PLAIN, "trainer.val_check_interval=2", "trainer.accumulate_grad_batches=4", folder="few")
    assert "trainer.val_check_interval=2 is less than a step, of 4 batches" in few.read_result()["error"]


@pytest.mark.parametrize(("interval", "often"), [(0.7, "once"), (0.4, "2 times")])
def test_what_is_no_whole_part_is_said(train: Train, interval: float, often: str) -> None:
    run = train(*PLAIN, f"trainer.val_check_interval={interval}", "trainer.max_epochs=1")
    said = f"trainer.val_check_interval={interval} is no whole part of a pass: each is validated {often}."
    assert said in run.log.read_text()
    assert run.read_config()["trainer"]["val_check_interval"] == (None if often == "once" else 0.5)


@pytest.mark.wide
def test_each_process_has_to_have_a_batch(train: Train) -> None:
    """9 batches of 46 samples, the last of 3: too few for two processes, which have 8 each."""
    few = ["model=fnn", "data.batch_size=46", "data.limit=371", "trainer.val_check_interval=1"]
    result = train(*few, "trainer.devices=2").read_result()
    assert result["status"] == "finished", result["error"]
    assert result["epochs"] == 8 * 2


@pytest.mark.parametrize(("steps", "is_warned"), [(7, False), (9, True)])
def test_the_last_step_is_reached_where_parts_differ_in_length(train: Train, steps: int, is_warned: bool) -> None:
    few = ["model=fnn", "data.batch_size=50", "data.limit=350", "trainer.val_check_interval=0.5"]
    run = train(*few, "trainer.max_epochs=1", f"trainer.max_steps={steps}")
    assert [row["step"] for row in run.read_metrics()] == [3, 7]
    warned = "trainer.max_epochs=1 ends the training before trainer.max_steps=9." in run.log.read_text()
    assert warned == is_warned


@pytest.mark.wide
def test_a_killed_one_ends_as_if_it_had_not_been(train: Train, resume: Train) -> None:
    words = [*PLAIN, "model.dropout=0.2", "data.augment=light", "scheduler=none", "trainer.val_check_interval=0.33"]
    straight = train(*words, "trainer.max_epochs=3", folder="straight")
    stopped = train(*words, watching=[Fault(kill(signal.SIGINT), epoch=4, batch=1)])
    assert stopped.read_result()["status"] == "interrupted"
    assert resume(stopped).read_result()["status"] == "finished"
    with pytest.raises(UserError, match=r"trained for 6 epochs\. Add trainer\.max_epochs=4 to train on"):
        resume(stopped)
    with pytest.raises(UserError, match=r"cannot be resumed with trainer\.val_check_interval=0\.5"):
        resume(stopped, "trainer.val_check_interval=0.5")
    assert ending(resume(stopped, "trainer.max_epochs=3", "trainer=cpu")) == ending(straight)


def test_steps_and_accumulated_batches_end_it_within_an_epoch(train: Train) -> None:
    words = [*PLAIN, "trainer.val_check_interval=0.5", "trainer.accumulate_grad_batches=3", "scheduler=one_cycle"]
    run = train(*words, folder="all")
    assert [row["step"] for row in run.read_metrics()] == [1, 3, 4, 6]
    run = train(*words, "trainer.max_steps=5", folder="few")
    assert [row["step"] for row in run.read_metrics()] == [1, 3, 4, 5]
