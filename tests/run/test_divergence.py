"""A training that diverges says so, where and why, and what it had before stays."""

import itertools
import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from faults import Fault
from helpers import SMALL

from litmus.errors import Diverged
from litmus.record.folder import RunDir
from litmus.run.divergence import Divergence, divergence_of
from litmus.run.ending import ending

Train = Callable[..., RunDir]
FEW = ["model=fnn", *SMALL, "trainer.max_epochs=3", "trainer.limit_batches=4", "scheduler=none"]


def spoil(trainer: Any, task: Any) -> None:
    """From here on, the second layer's output is not a number."""
    with torch.no_grad():
        task.net.features[2][0].weight.fill_(math.nan)


def spoiled_once(epoch: int, batch: int) -> Fault:
    """Spoils the network the first time that this batch is trained on; not after a rollback."""
    times = itertools.count()
    return Fault(lambda trainer, task: spoil(trainer, task) if next(times) == 0 else None, epoch, batch)


def test_a_loss_that_is_no_number_stops_the_run_at_once(train: Train) -> None:
    run = train(*FEW, watching=[Fault(spoil, epoch=1, batch=1)])
    result = run.read_result()
    assert result["status"] == "diverged"
    assert result["error"].startswith(
        "diverged: the loss is nan at step 7, in epoch 2, with a learning rate of 0.003; "
    )
    assert "the first layer whose output is not finite is features.2.0 (Linear)." in result["error"]
    assert (result["epochs"], result["best_epoch"]) == (1, 1)
    batch = torch.load(run.diverged, weights_only=True)
    assert (len(batch["inputs"]), batch["step"]) == (len(batch["targets"]), 7)
    weights = torch.load(run.best, weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in weights.values())


def test_a_loss_beyond_all_measure_is_no_training_either(train: Train) -> None:
    run = train(*FEW, "optimizer=sgd", "optimizer.lr=1e10")
    result = run.read_result()
    assert result["status"] == "diverged"
    assert "with a learning rate of 1e+10" in result["error"]
    assert not run.best.exists(), "no epoch was fine"


def test_what_the_last_step_of_an_epoch_did_is_seen_in_its_validation(train: Train) -> None:
    """No loss of a further step tells."""
    run = train(*FEW, "trainer.limit_batches=1", "optimizer=sgd", "optimizer.lr=1e10")
    result = run.read_result()
    assert result["status"] == "diverged"
    assert re.search(r"val/loss is \d\.\d+e\+\d+ after epoch 1", result["error"])
    assert not run.best.exists()


def test_an_epoch_whose_validation_is_no_number_is_not_the_best(train: Train) -> None:
    run = train(*FEW, watching=[Fault(spoil, epoch=1, batch=3)])
    result = run.read_result()
    assert (result["status"], result["best_epoch"]) == ("diverged", 1)
    assert "val/loss is nan after epoch 2" in result["error"]
    assert torch.load(run.best, weights_only=True)["epoch"] == 0


class Spike:
    """Makes one step's loss not a number, by its input; each time that this step comes, or the first time alone."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.rates: list[float] = []

    def __call__(self, trainer: Any, task: Any) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        step, make = task.step, trainer.global_step

        def spiked(batch: Any, split: str) -> Any:
            inputs, targets = batch
            return step((inputs * (math.nan if trainer.global_step == make else 1), targets), split)

        task.step = spiked


def test_a_step_is_skipped(train: Train) -> None:
    seen = []
    look = Fault(lambda trainer, task: seen.append(divergence_of(trainer).num_skipped), epoch=2)
    run = train(*FEW, "trainer.on_divergence=skip", watching=[Fault(Spike(5), epoch=1, batch=0), look])
    result = run.read_result()
    assert (result["status"], result["skipped_steps"]) == ("finished", 1)
    assert seen == [1]
    said = run.log.read_text()
    assert "skipped: the loss is nan at step 6, in epoch 2, with a learning rate of 0.003; " in said
    assert "epoch 2: 1 of 4 batches were skipped (trainer.on_divergence=skip)" in said
    assert run.diverged.is_file()
    assert all(math.isfinite(row["train/loss"]) for row in run.read_metrics())


def test_a_training_whose_steps_are_all_skipped_has_diverged(train: Train) -> None:
    run = train(*FEW, "trainer.on_divergence=skip", watching=[Fault(spoil, epoch=1)])
    result = run.read_result()
    assert (result["status"], result["best_epoch"]) == ("diverged", 1)
    assert "val/loss is nan after epoch 2" in result["error"] or "every batch of epoch 2 was skipped" in result["error"]


def test_a_rollback_does_not_depend_on_when_checkpoints_were_kept(train: Train) -> None:
    words = [*FEW, "trainer.on_divergence=rollback", "optimizer=sgd", "optimizer.lr=0.01"]

    rare = train(*words, watching=[spoiled_once(epoch=1, batch=2)], folder="rare")
    often = train(*words, "callback.checkpoint.every_s=1e-4", watching=[spoiled_once(epoch=1, batch=2)])
    assert ending(often) == ending(rare)
    assert often.read_result()["rollbacks"] == [{"diverged": 8, "to": 4}]
    assert "back to step 4, with half the learning rate (1 of 3)" in often.log.read_text()


def test_a_rollback_before_any_epoch_begins_anew(train: Train) -> None:
    words = [*FEW, "trainer.on_divergence=rollback", "callback.checkpoint.every_s=1e-4"]
    run = train(*words, watching=[spoiled_once(epoch=0, batch=2)])
    assert run.read_result()["rollbacks"] == [{"diverged": 4, "to": 0}]
    assert run.read_result()["steps"] == 12


def test_a_rollback_goes_on_from_the_last_checkpoint_at_half_the_rate(train: Train) -> None:
    spike = Spike(5)
    run = train(*FEW, "trainer.on_divergence=rollback", watching=[Fault(spike, epoch=1, batch=0)])
    result = run.read_result()
    assert result["status"] == "diverged", "the same step diverges each time"
    assert spike.rates == pytest.approx([0.003, 0.0015, 0.00075, 0.000375])
    assert "back to step 4, with half the learning rate (3 of 3)" in run.log.read_text()


@pytest.mark.wide
@pytest.mark.parametrize(
    "schedule", ["one_cycle", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cosine", "none", "plateau"))]
)
def test_a_rollback_halves_every_schedule_and_is_resumed(train: Train, resume: Train, schedule: str) -> None:
    """The spike comes once: then half the rate is enough. A resumed run keeps it."""

    def once(rates: list[float]) -> Fault:
        def act(trainer: Any, task: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])
            if len(rates) == 1:
                spoil(trainer, task)

        return Fault(act, epoch=1, batch=1)

    words = [*FEW, f"scheduler={schedule}", "trainer.on_divergence=rollback"]
    rates: list[float] = []
    whole = train(*words, watching=[once(rates)], folder="whole")
    assert whole.read_result()["status"] == "finished"
    assert rates[1] == pytest.approx(rates[0] / 2)
    again: list[float] = []
    stop = Fault(lambda trainer, task: (_ for _ in ()).throw(KeyboardInterrupt), epoch=2, batch=1)
    run = train(*words, watching=[once(again), stop])
    assert run.read_result()["status"] == "interrupted"
    assert ending(resume(run)) == ending(whole)


def on_gpu(value: float) -> Any:
    """A loss, as far as the callback looks at it, that seems to lie on a GPU."""
    return SimpleNamespace(device=torch.device("cuda"), detach=lambda: torch.tensor(value))


@pytest.mark.parametrize(("steps_an_epoch", "bad"), [(40, 10), (40, 39), (50, 49), (7, 3), (400, 60)])
def test_on_a_gpu_no_checkpoint_is_kept_after_a_bad_step(
    monkeypatch: pytest.MonkeyPatch, steps_an_epoch: int, bad: int
) -> None:
    """Losses are read every 50 steps, whatever the epochs' length, and before anything is written."""
    monkeypatch.setattr(Divergence, "_describe", lambda *_: "described")
    module = SimpleNamespace(parameters=lambda: iter(()))
    callback = Divergence("stop")
    trainer = SimpleNamespace(is_global_zero=True, global_step=0)
    steps = itertools.count()

    def train_an_epoch() -> None:
        for _ in range(steps_an_epoch):
            callback.on_before_backward(trainer, module, on_gpu(7e30 if next(steps) >= bad else 2.0))
        callback.on_save_checkpoint(trainer, module, {})

    with pytest.raises(Diverged, match="described"):
        train_an_epoch()  # so the first one kept nothing
    assert next(steps) <= bad + 50


def test_of_several_processes_the_first_one_decides() -> None:
    """Another one that ended by itself would be taken for one that is lost, and the run would have failed."""
    callback, trainer = Divergence("stop"), SimpleNamespace(is_global_zero=False, global_step=1)
    callback.on_before_backward(trainer, SimpleNamespace(), on_gpu(2.0))
    callback.on_before_backward(trainer, SimpleNamespace(), on_gpu(7e30))
    callback.on_save_checkpoint(trainer, SimpleNamespace(parameters=lambda: iter(())), {})


def test_weights_that_are_no_numbers_are_not_kept() -> None:
    """The loss was a number, and the gradient was not."""
    weight = torch.nn.Parameter(torch.tensor([1.0, math.inf]))
    trainer = SimpleNamespace(is_global_zero=True, global_step=3)
    with pytest.raises(Diverged, match="a weight is no number after step 3"):
        Divergence("stop").on_save_checkpoint(trainer, SimpleNamespace(parameters=lambda: iter([weight])), {})
