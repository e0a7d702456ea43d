"""What 11-dying-relu.md says."""

from collections.abc import Sequence
from statistics import mean, median

import pytest
from guide_runs import Run, of

from litmus.record.folder import RunDir

pytestmark = pytest.mark.slow

USUAL, LARGE = 0.003, 0.1


def accuracy(runs: Sequence[Run], activation: str, rate: float) -> float:
    """In the test, as a mean over the seeds."""
    return mean(run.metric("test/acc") for run in of(runs, model__activation=activation, optimizer__lr=rate))


def dead(run: Run, epoch: int) -> list[float]:
    """The shares of the first and of the second layer."""
    shares = list(run.layers("dead", epoch).values())
    assert len(shares) == 2
    return shares


def last(run: Run) -> float:
    """The validation accuracy of the last epoch."""
    return float(RunDir(run.path).read_metrics()[-1]["val/acc"])


def test_at_the_usual_rate_hardly_a_unit_dies(runs: Sequence[Run]) -> None:
    assert len(runs) == 12
    for run in of(runs, model__activation="relu", optimizer__lr=USUAL):
        assert max(dead(run, 10)) < 0.1
    relu, leaky = (accuracy(runs, each, USUAL) for each in ("relu", "leaky_relu"))
    assert min(relu, leaky) > 0.9
    assert abs(relu - leaky) < 0.015


def test_at_the_large_rate_most_of_them_die(runs: Sequence[Run]) -> None:
    for run in of(runs, model__activation="relu", optimizer__lr=LARGE):
        first, second = dead(run, 10)
        assert first >= 0.5
        assert second >= 0.8


def test_it_does_not_take_long(runs: Sequence[Run]) -> None:
    for run in of(runs, model__activation="relu", optimizer__lr=LARGE):
        assert max(dead(run, 0)) < 0.05
        assert dead(run, 2)[0] > 1 / 3
        assert dead(run, 10)[1] > dead(run, 2)[1]


def test_with_the_units_the_learning_dies(runs: Sequence[Run]) -> None:
    dying = of(runs, model__activation="relu", optimizer__lr=LARGE)
    assert all(run.result["best_epoch"] == 1 for run in dying)
    assert max(map(last, dying)) < 0.5
    assert median(map(last, dying)) < 0.15


def test_the_leaky_network_keeps_learning(runs: Sequence[Run]) -> None:
    assert min(last(run) for run in of(runs, model__activation="leaky_relu", optimizer__lr=LARGE)) > 0.8


def test_the_doctor_names_it(runs: Sequence[Run]) -> None:
    for run in runs:
        is_named = run.has(model__activation="relu", optimizer__lr=LARGE)
        assert ("dying_relu" in run.findings) == is_named, run.path


def test_the_leak_does_not_make_the_rate_right(runs: Sequence[Run]) -> None:
    usual, large = (accuracy(runs, "leaky_relu", rate) for rate in (USUAL, LARGE))
    assert usual - large > 0.04
