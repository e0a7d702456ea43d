"""What 01-perceptron.md says."""

from collections.abc import Sequence

import pytest
from guide_runs import Run, of

pytestmark = pytest.mark.slow


def test_a_line_is_enough_for_the_first(runs: Sequence[Run]) -> None:
    assert len(runs) == 12
    for model in ("perceptron", "fnn"):
        assert min(run.metric("test/acc") for run in of(runs, model=model, data__kind="linear")) > 0.88
        assert sum(run.metric("test/acc") for run in of(runs, model=model, data__kind="linear")) / 3 > 0.9


def test_a_line_is_not_enough_for_the_second(runs: Sequence[Run]) -> None:
    assert max(run.metric("test/acc") for run in of(runs, model="perceptron", data__kind="xor")) < 0.75


def test_the_hidden_layer_solves_it(runs: Sequence[Run]) -> None:
    assert min(run.metric("test/acc") for run in of(runs, model="fnn", data__kind="xor")) > 0.8


def test_the_doctor_says_why(runs: Sequence[Run]) -> None:
    for run in runs:
        is_named = run.has(model="perceptron", data__kind="xor")
        assert ("not_linearly_separable" in run.findings) == is_named, run.path
