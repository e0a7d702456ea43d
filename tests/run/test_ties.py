"""Epochs with the same value of the monitored metric: the lower loss is better, and of equal ones the first."""

from collections.abc import Callable

import pytest
import torch
from faults import Fault, fail

from litmus.record.folder import RunDir
from litmus.record.metrics import best_row
from litmus.run.ending import ending

Train = Callable[..., RunDir]
CLASSIFIES, FORECASTS = "litmus.task.classification.Classification", "litmus.task.regression.Regression"
TIED = ["model=fnn", "optimizer.lr=1e-7", "trainer.max_epochs=4", "data.limit_eval=100"]  # the loss alone gets lower


def epochs_of(*pairs: tuple[float | None, float | None], monitor: str) -> list[dict]:
    return [{"epoch": i, "step": 10 * i, monitor: value, "val/loss": loss} for i, (value, loss) in enumerate(pairs, 1)]


@pytest.mark.parametrize(
    ("pairs", "best"),
    [
        ([(0.5, 1.0), (0.5, 0.8), (0.5, 0.9), (0.4, 0.1)], 2),
        ([(0.5, 0.8), (0.5, 0.8)], 1),
        ([(0.5, None), (0.5, None)], 1),
        ([(float("nan"), 0.1), (None, 0.1), (0.1, 2.0)], 3),
        ([(None, 0.2), (None, 0.1)], 2),
    ],
)
def test_a_tie_is_broken_by_the_loss_then_by_the_order(pairs: list, best: int) -> None:
    assert best_row(epochs_of(*pairs, monitor="val/acc"), CLASSIFIES)["epoch"] == best
    lowest = [(None if value is None else -value, loss) for value, loss in pairs]
    assert best_row(epochs_of(*lowest, monitor="val/rmse"), FORECASTS)["epoch"] == best


def test_the_checkpoint_of_a_tie_is_that_of_the_lower_loss(train: Train, resume: Train) -> None:
    whole = train(*TIED, folder="whole")
    rows = whole.read_metrics()
    assert len({row["val/acc"] for row in rows}) == 1
    losses = [row["val/loss"] for row in rows]
    assert losses == sorted(losses, reverse=True)
    assert whole.read_result()["best_epoch"] == 4
    assert torch.load(whole.best, weights_only=True)["epoch"] == 3
    parted = train(*TIED, folder="parted", watching=[Fault(fail("gone"), epoch=2, batch=1)])
    assert parted.read_result()["best_epoch"] == 2
    resume(parted)
    assert ending(parted) == ending(whole)
    states = [torch.load(run.best, weights_only=True)["callbacks"]["checkpoint"] for run in (whole, parted)]
    assert states[0]["best_loss"] == states[1]["best_loss"] == losses[3]


def test_a_run_that_an_earlier_version_began_keeps_the_first(train: Train, resume: Train) -> None:
    run = train(*TIED, "trainer.max_epochs=1")
    for path in (run.last, run.best):
        content = torch.load(path, weights_only=True)
        del content["callbacks"]["checkpoint"]["best_loss"]
        torch.save(content, path)
    resume(run, "trainer.max_epochs=3")
    result = run.read_result()
    assert result["best_epoch"] == torch.load(run.best, weights_only=True)["epoch"] + 1 == 1
    assert result["metrics"]["val/loss"] == run.read_metrics()[0]["val/loss"]
