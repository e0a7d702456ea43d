"""What 10-vanishing-gradients.md says."""

from collections.abc import Sequence

import pytest
from guide_runs import Run, of

pytestmark = pytest.mark.slow

SICK = {"model__activation": "sigmoid", "model__batchnorm": False, "model__residual": False}
CURED = ({"model__activation": "relu"}, {"model__batchnorm": True}, {"model__residual": True})
LAST_EPOCH = 8


def ends(run: Run, epoch: int) -> tuple[float, float]:
    """The gradients of the first hidden layer's weights and of the last one's."""
    found = run.layers("gradient", epoch)
    hidden = [value for name, value in found.items() if name != "head" and not name.endswith("shortcut")]
    assert len(hidden) == 20
    return hidden[0], hidden[-1]


def test_four_times_less_in_each_layer(runs: Sequence[Run]) -> None:
    assert len(runs) == 12
    for run in of(runs, **SICK):
        first, last = ends(run, 0)
        assert first < 1e-13
        assert 3.5 < (last / first) ** (1 / 19) < 4.5


def test_time_does_not_heal_it(runs: Sequence[Run]) -> None:
    for run in of(runs, **SICK):
        first, last = ends(run, LAST_EPOCH)
        assert first < 1e-8 * last
        assert run.metric("test/acc") < 0.15


def test_each_cure_lets_the_gradient_through(runs: Sequence[Run]) -> None:
    for cure in CURED:
        for run in of(runs, **cure):
            first, last = ends(run, 0)
            assert 1 / 20 < first / last < 20


def test_each_cure_passes_90_percent(runs: Sequence[Run]) -> None:
    for cure in CURED:
        accuracies = [run.metric("test/acc") for run in of(runs, **cure)]
        assert min(accuracies) > 0.89
        assert sum(accuracies) / 3 > 0.9


def test_the_doctor_names_the_sick_one(runs: Sequence[Run]) -> None:
    for run in runs:
        assert ("vanishing_gradients" in run.findings) == run.has(**SICK), run.path


def test_one_cure_has_a_price(runs: Sequence[Run]) -> None:
    for run in runs:
        assert ("saturated_activations" in run.findings) == run.has(model__residual=True), run.path
