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
def test_training_is_that_of_whole_passes(train: Train, scheduler: str) -> None:
    words = [*PLAIN, f"scheduler={scheduler}"]
    whole = train(*words, folder="whole")
    cut = train(*words, "trainer.val_check_interval=0.3", folder="cut")
    rows = cut.read_metrics()
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 2), (2, 5), (3, 8), (4, 10), (5, 13), (6, 16)]
    assert all(row["val/loss"] > 0 for row in rows)
    ends = [row["val/loss"] for row in rows if row["step"] % 8 == 0]
    assert ends == [row["val/loss"] for row in whole.read_metrics()]
    for name, weight in weights(whole).items():
        torch.testing.assert_close(weights(cut)[name], weight, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("interval", "steps"), [(3, [2, 5, 8]), (4, [4, 8]), (5, [4, 8]), (100, [8]), (1, [*range(1, 9)])]
)
def test_a_number_of_batches_is_the_nearest_that_cuts_a_pass(train: Train, interval: int, steps: list[int]) -> None:
    run = train(*PLAIN, f"trainer.val_check_interval={interval}", "trainer.max_epochs=1")
    assert [row["step"] for row in run.read_metrics()] == steps
    assert run.read_config()["trainer"]["val_check_interval"] == (1 / len(steps) if len(steps) > 1 else None)


def test_a_limit_of_batches_holds_for_the_pass(train: Train) -> None:
    run = train(*PLAIN, "trainer.val_check_interval=0.5", "trainer.limit_batches=5")
    assert [row["step"] for row in run.read_metrics()] == [2, 5, 7, 10]


def test_less_than_a_batch_is_refused(train: Train) -> None:
    result = train(*PLAIN, "trainer.val_check_interval=0.1").read_result()
    assert result["status"] == "failed"
    assert (
        "trainer.val_check_interval=0.1 is less than a batch: a pass over the training data has 8 of 50 samples."
        in result["error"]
    )


@pytest.mark.wide
def test_a_killed_one_ends_as_if_it_had_not_been(train: Train, resume: Train) -> None:
    words = [*PLAIN, "model.dropout=0.2", "data.augment=light", "scheduler=none", "trainer.val_check_interval=0.3"]
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
    assert [row["step"] for row in run.read_metrics()] == [2, 4, 6, 8]
    run = train(*words, "trainer.max_steps=5", folder="few")
    assert [row["step"] for row in run.read_metrics()] == [2, 4, 5]
