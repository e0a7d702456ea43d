"""What is known ahead reaches the forecast of its own step."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import WINDOWS, composed

from litmus.config.instantiate import build
from litmus.model._known_ahead import KnownAhead
from litmus.record.folder import RunDir
from litmus.spec import Series, Spec, Values

READ = Series(6, 3, (0.0,) * 3, (1.0,) * 3, columns=("sales", "sale", "sale is missing"), known=1, known_per_step=True)
SPEC = Spec("series", READ, Values(("sales+1", "sales+2"), (0.0,) * 2, (1.0,) * 2))


def test_each_row_has_its_own_known_values() -> None:
    x = torch.arange(18.0).view(1, 6, 3)
    aligned = KnownAhead(READ, 4, 2).aligned(x)
    assert aligned[0, :, 0].tolist() == x[0, :, 0].tolist()
    assert aligned[0, :, 1].tolist() == [0.0, 0.0, *x[0, :4, 1].tolist()]
    assert aligned[0, :, 2].tolist() == x[0, :, 2].tolist()


def test_a_known_value_changes_its_own_step_alone() -> None:
    net = build(composed("model=lstm", "data=series")["model"], SPEC)
    torch.nn.init.ones_(net.ahead.change.weight)
    x = torch.zeros(1, 6, 3)
    other = x.clone()
    other[0, -1, 1] = 1.0  # of the second step to forecast
    first, second = (net(other) - net(x))[0].tolist()
    assert first == 0.0
    assert second != 0.0


def test_before_the_training_nothing_is_changed() -> None:
    net = build(composed("model=lstm", "data=series")["model"], SPEC)
    x = torch.randn(5, 6, 3)
    assert torch.equal(net(x), net.untrained(x))


def test_a_network_of_an_earlier_version_reads_them_row_by_row() -> None:
    earlier = replace(WINDOWS, input=replace(READ, known_per_step=False), target=SPEC.target)
    net = build(composed("model=lstm", "data=series")["model"], earlier)
    assert net.ahead is None
    assert not any(name.startswith("ahead") for name in net.state_dict())


@pytest.mark.wide
def test_steps_far_ahead_have_what_is_known_of_them(train: Callable[..., RunDir], tmp_path: Path) -> None:
    """A sale at random, on one day of four, which nothing before it tells."""
    random = np.random.default_rng(0)
    sale = random.random(240) < 0.25
    sales = 100 + 30 * sale + random.normal(size=240)
    lines = ["sales,sale", *(f"{value:.2f},{int(own)}" for value, own in zip(sales, sale, strict=True))]
    (tmp_path / "shop.csv").write_text("\n".join(lines) + "\n")
    keys = ["data=series", "data.path=shop.csv", "data.column=sales", "data.known=[sale]", "data.horizon=10"]
    run = train("model=lstm", *keys, "trainer=cpu", "trainer.max_epochs=6", small=[])
    metrics = run.read_result()["metrics"]
    assert metrics["test/rmse"] < 5, "13 is the deviation of the series"
    assert max(metrics[f"test/rmse_step{step}"] for step in range(1, 11)) < 6
