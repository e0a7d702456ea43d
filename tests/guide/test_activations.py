"""What 02-activations.md says."""

import json
import re
from collections.abc import Sequence

import guide_runs
import pytest
import torch
from guide_runs import Run, of

from litmus.callback._layers import EDGE, RANGES
from litmus.model._blocks import ACTIVATIONS

pytestmark = pytest.mark.slow
SEEDS = (0, 1, 2)
FLAT = ("sigmoid", "tanh")


def layers(run: Run, epoch: int, name: str) -> list[float]:
    """What was measured of each layer that has it, from input to output; epoch 0 is the first step."""
    epochs = json.loads((run.path / "health.json").read_text(encoding="utf-8"))["epochs"]
    (found,) = [each for each in epochs if each["epoch"] == epoch]
    return [value for value in found[name] if value is not None]


def accuracy(runs: Sequence[Run], activation: str, seed: int) -> float:
    (run,) = of(runs, model__activation=activation, seed=seed)
    return run.metric("test/acc")


def slope(name: str, places: torch.Tensor) -> torch.Tensor:
    x = places.clone().requires_grad_()
    return torch.autograd.grad(ACTIVATIONS[name]()(x).sum(), x)[0]


def test_the_steepest_slopes_and_those_of_saturated_units() -> None:
    (page,) = [page for page in guide_runs.pages() if page.stem == "02-activations"]
    text = page.read_text(encoding="utf-8")
    stated = re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) \|$", text, re.MULTILINE)
    assert {name for name, _ in stated} == set(ACTIVATIONS)
    places = torch.linspace(-8, 8, 16_001, dtype=torch.float64)
    for name, steepest in stated:
        assert slope(name, places).max().item() == pytest.approx(float(steepest), abs=5e-4)
    for name, largest in zip(FLAT, (0.0196, 0.0784), strict=True):
        assert str(largest) in text
        (low, high), outputs = RANGES[name], ACTIVATIONS[name]()(places)
        edge = EDGE * (high - low)
        saturated = places[(outputs < low + edge) | (outputs > high - edge)]
        assert slope(name, saturated).max().item() == pytest.approx(largest, rel=0.01)


def test_relu_and_its_relatives_are_alike_here(runs: Sequence[Run]) -> None:
    assert len(runs) == 15
    for seed in SEEDS:
        found = [accuracy(runs, name, seed) for name in ("relu", "leaky_relu", "gelu")]
        assert min(found) > 0.92
        assert max(found) - min(found) < 0.01


def test_both_curves_with_flat_ends_do_worse(runs: Sequence[Run]) -> None:
    for seed in SEEDS:
        relu = accuracy(runs, "relu", seed)
        assert relu - 0.02 < accuracy(runs, "tanh", seed) < relu
        assert accuracy(runs, "sigmoid", seed) < relu - 0.03


def test_training_saturates_the_first_layer(runs: Sequence[Run]) -> None:
    for name, most_before, least_after in (("sigmoid", 0.02, 0.6), ("tanh", 1 / 3, 0.5)):
        for run in of(runs, model__activation=name):
            assert layers(run, 0, "saturated")[0] < most_before
            first, *others = layers(run, 5, "saturated")
            assert first > least_after
            assert max(others) < 1 / 3


def test_saturation_is_not_what_slows_the_sigmoid(runs: Sequence[Run]) -> None:
    for run in runs:
        first, _, _, fourth, _ = layers(run, 0, "gradient")
        if run.has(model__activation="sigmoid"):
            assert max(layers(run, 0, "saturated")) < 0.02
            assert first < 0.1 * fourth
        else:
            assert first > 0.4 * fourth


def test_the_doctor_notices(runs: Sequence[Run]) -> None:
    for run in runs:
        assert bool(run.findings) == run.has(model__activation="sigmoid"), run.path
    assert any("worse_than_baseline" in run.findings for run in runs)
