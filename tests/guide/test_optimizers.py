"""What 05-optimizers.md says."""

import importlib.util
import json
import re
from collections.abc import Sequence
from itertools import pairwise

import guide_runs
import pytest
from guide_runs import GUIDE, Run

pytestmark = pytest.mark.slow
SPEC = importlib.util.spec_from_file_location("optimizers", GUIDE / "optimizers.py")
assert SPEC is not None
assert SPEC.loader is not None
optimizers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(optimizers)

SEEDS = (0, 1, 2)


def run_of(runs: Sequence[Run], name: str, seed: int) -> Run:
    (found,) = [run for run in optimizers.chosen(runs, optimizers.SETTINGS[name]) if run.has(seed=seed)]
    return found


def first_updates(run: Run) -> list[float]:
    """How far the first step moves each layer's weights, as a fraction of their size."""
    first = json.loads((run.path / "health.json").read_text(encoding="utf-8"))["epochs"][0]
    assert first["epoch"] == 0
    return [value for value in first["update"] if value is not None]


def largest_fall(run: Run) -> float:
    """Of the validation accuracy, from an epoch to the next."""
    return max(before - after for before, after in pairwise(optimizers.by_epoch(run, "val/acc")))


def test_the_valley() -> None:
    (page,) = [page for page in guide_runs.pages() if page.stem == "05-optimizers"]
    text = " ".join(page.read_text(encoding="utf-8").split())
    stated = re.search(
        r"needs (\d+) steps until the loss stays below 0\.01\. With momentum and the same rate it needs (\d+), "
        r"RMSprop (\d+), and Adam (\d+)\.",
        text,
    )
    assert stated is not None
    assert [optimizers.steps_of(name) for name in optimizers.OPTIMIZERS] == [int(each) for each in stated.groups()]
    points, _ = optimizers.path("SGD")
    assert all(before[1] * after[1] < 0 for before, after in pairwise(points[:20])), "from side to side"
    for name in ("RMSprop", "Adam"):
        (before, after), *_ = pairwise(optimizers.path(name)[0])
        assert after[0] - before[0] == pytest.approx(before[1] - after[1], rel=0.01), "diagonally"


def test_momentum_pays(runs: Sequence[Run]) -> None:
    assert len(runs) == 12
    for seed in SEEDS:
        plain, momentum = run_of(runs, "SGD", seed), run_of(runs, "momentum", seed)
        assert optimizers.by_epoch(momentum, "train/loss")[1] < optimizers.by_epoch(plain, "train/loss")[4]
        assert momentum.metric("test/acc") > plain.metric("test/acc") + 0.02


def test_rmsprop_begins_with_a_leap(runs: Sequence[Run]) -> None:
    for seed in SEEDS:
        updates = [first_updates(run_of(runs, name, seed)) for name in ("RMSprop", "Adam")]
        assert len(updates[0]) == 3
        assert all(8 < leap / step < 12 for leap, step in zip(*updates, strict=True))


def test_and_it_stays_nervous(runs: Sequence[Run]) -> None:
    for seed in SEEDS:
        assert largest_fall(run_of(runs, "RMSprop", seed)) > 0.03
        assert max(largest_fall(run_of(runs, name, seed)) for name in ("momentum", "Adam")) < 0.03


def test_adam_is_no_better_than_momentum_here(runs: Sequence[Run]) -> None:
    for seed in SEEDS:
        adam, momentum = (run_of(runs, name, seed).metric("test/acc") for name in ("Adam", "momentum"))
        assert abs(adam - momentum) < 0.02
