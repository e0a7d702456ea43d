import math

import pytest
import torch

from litmus import scheduler


def rates(name: str, num_steps: int, **settings: float) -> list[float]:
    """The rate of every step of a run, and the one after it."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    schedule = getattr(scheduler, name)(optimizer, num_steps, "max", **settings)
    seen = []
    for _ in range(num_steps + 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if schedule:
            schedule["scheduler"].step()
    return seen


def test_none() -> None:
    assert rates("none", 5) == [0.4] * 6


def test_cosine() -> None:
    got = rates("cosine", 10, final=0.25)
    assert got[0] == 0.4
    assert got[5] == pytest.approx(0.4 * (0.25 + 0.75 / 2))
    assert got[2] == pytest.approx(0.4 * (0.25 + 0.75 * 0.5 * (1 + math.cos(math.pi * 0.2))))
    assert got[10] == pytest.approx(0.1)


def test_one_cycle() -> None:
    got = rates("one_cycle", 20, warmup=0.25, initial=0.1)
    assert got[0] == pytest.approx(0.04)
    assert max(got) == pytest.approx(0.4, rel=0.01)
    assert got[5] == pytest.approx(0.4)
    assert got[-1] == pytest.approx(0)
    assert rates("one_cycle", 1, warmup=0.3, initial=0.1)[0] > 0
    assert got[5:] == sorted(got[5:], reverse=True)


def test_warmup_linear() -> None:
    got = rates("warmup_linear", 10, warmup=0.2, final=0.0)
    assert got[:3] == pytest.approx([0.2, 0.4, 0.4])
    assert got[6] == pytest.approx(0.2)
    assert got[10] == pytest.approx(0.0)
    assert rates("warmup_linear", 4, warmup=0.0, final=0.5)[0] == pytest.approx(0.4)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_plateau_waits_and_lowers(mode: str) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    schedule = scheduler.plateau(optimizer, 10, mode, factor=0.5, patience=2)
    assert schedule["interval"] == "epoch"
    better, worse = [(4, 0.4), (3, 0.4), (2, 0.4)], [(2, 0.4), (3, 0.2), (3, 0.2), (3, 0.1)]
    for value, rate in better + worse:
        schedule["scheduler"].step(value if mode == "min" else 10 - value)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate)
