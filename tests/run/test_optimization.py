"""Optimizers, schedules, clipping and early stopping, in a run."""

from collections.abc import Callable

import pytest
import torch
from covering import each_once
from helpers import composed
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

from litmus.config.conf import names
from litmus.config.instantiate import build
from litmus.record.folder import RunDir
from litmus.run.build import assemble, prepare

Train = Callable[..., RunDir]


def test_early_stopping(train: Train) -> None:
    run = train("model=fnn", "trainer.max_epochs=50", "callback.early_stopping.patience=1", "optimizer.lr=1e-9")
    assert run.read_result()["epochs"] < 10
    assert run.read_result()["status"] == "finished"


def test_nothing_stops_a_run_early_unless_asked(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Lightning calls the method by which it passes a check by: it may be renamed any day."""
    check = LightningEarlyStopping._run_early_stopping_check
    for hook in ("on_train_epoch_end", "on_validation_end"):
        monkeypatch.setattr(LightningEarlyStopping, hook, lambda self, trainer, _: check(self, trainer))
    assert train("model=fnn", "trainer.max_epochs=3", "optimizer.lr=1e-9").read_result()["epochs"] == 3
    assert build(composed()["callback"]["early_stopping"]) is None


def test_early_stopping_lets_an_improving_run_be(train: Train) -> None:
    run = train("model=fnn", "trainer.max_epochs=5", "callback.early_stopping.patience=2", "data.limit=2000")
    assert run.read_result()["epochs"] == 5


def test_gradient_clipping_limits_the_step(train: Train) -> None:
    changes = [
        "model=fnn",
        "optimizer=sgd",
        "optimizer.momentum=0.0",
        "scheduler=none",
        "trainer.max_epochs=1",
        "optimizer.lr=1.0",
    ]
    run = train(*changes, "trainer.gradient_clip=1e-6", "trainer.limit_batches=1")
    weights = torch.load(run.last, weights_only=True)["state_dict"]
    torch.manual_seed(0)
    config = run.read_config()
    start = assemble(run, {**config, "callback": {}}, prepare(config)).net.state_dict()
    moved = sum(float((weights[f"net.{name}"] - start[name]).square().sum()) for name in start) ** 0.5
    assert 0 < moved < 3e-6


@pytest.mark.wide
def test_plateau_lowers_the_rate_of_a_run_that_does_not_improve_only(train: Train) -> None:
    changes = ["model=fnn", "scheduler=plateau", "scheduler.patience=1", "trainer.max_epochs=4", "data.limit=2000"]
    rates = [row["optim/lr"] for row in train(*changes, folder="good").read_metrics()]
    assert len(set(rates)) == 1
    stuck = train(*changes, "optimizer=sgd", "optimizer.lr=1e-7", folder="stuck").read_metrics()
    assert stuck[-1]["optim/lr"] < stuck[0]["optim/lr"]


@pytest.mark.wide
@pytest.mark.parametrize(("optimizer", "precision"), each_once(names("optimizer"), ["32", "bf16-mixed"]))
def test_gradients_are_clipped_in_every_precision(optimizer: str, precision: str, train: Train) -> None:
    run = train(
        "model=cnn",
        "model.widths=[8]",
        f"optimizer={optimizer}",
        f"trainer.precision={precision}",
        "trainer.gradient_clip=1.0",
    )
    assert run.read_result()["status"] == "finished", run.read_result()["error"]


@pytest.mark.wide
@pytest.mark.parametrize(("optimizer", "scheduler"), each_once(names("optimizer"), names("scheduler")))
def test_every_optimizer_with_every_scheduler(scheduler: str, optimizer: str, train: Train) -> None:
    run = train("model=fnn", "data.limit=200", f"optimizer={optimizer}", f"scheduler={scheduler}")
    assert run.read_result()["status"] == "finished"
    rates = [row["optim/lr"] for row in run.read_metrics()]
    assert (rates[0] == rates[1]) == (scheduler in ("none", "plateau"))
