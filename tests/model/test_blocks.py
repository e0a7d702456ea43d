"""Layers that several networks share."""

import math

import pytest
import torch
from torch import nn

from litmus.model._blocks import LEAST_DROPPED, Dropout, with_fast_dropout

MANY = 400_000


@pytest.mark.parametrize("p", [1e-3, 0.1, 0.5, 0.9, 1 - 1e-4])
def test_dropout_drops_that_fraction_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(MANY)
    y = Dropout(p)(x)
    deviation = math.sqrt(p * (1 - p) / MANY)
    assert float((y == 0).float().mean()) == pytest.approx(p, abs=5 * deviation)
    assert float(y.mean()) == pytest.approx(1, abs=5 * deviation / (1 - p) + 1e-4)
    assert len(y.unique()) == 2


def test_neighbors_are_dropped_independently() -> None:
    """Four values share the bits of one random number."""
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(MANY)) > 0).double()
    for distance in range(1, 9):
        pairs = torch.stack([kept[:-distance], kept[distance:]])
        assert abs(float(torch.corrcoef(pairs)[0, 1])) < 5 / math.sqrt(MANY)


@pytest.mark.parametrize("shape", [(LEAST_DROPPED,), (67, 64), (3, 5, 7, 41)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_its_gradient_is_that_of_what_was_kept(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.ones(shape, dtype=dtype, requires_grad=True)
    y = Dropout(0.25)(x)
    assert (y.shape, y.dtype) == (x.shape, dtype)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_a_seed_decides_what_is_dropped() -> None:
    drop, x = Dropout(0.5), torch.ones(10_001)
    torch.manual_seed(1)
    first, second = drop(x), drop(x)
    torch.manual_seed(1)
    assert torch.equal(drop(x), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("p", [0.0, 1e-6])
def test_nothing_is_dropped_where_that_is_asked_for(p: float) -> None:
    x = torch.ones(10_000)
    assert torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(Dropout(p).eval()(x), x)


def test_dropout_of_other_libraries_is_replaced_and_keeps_its_mode() -> None:
    net = nn.Sequential(nn.Dropout(0.3), nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.2).eval()), nn.Dropout2d(0.1))
    with_fast_dropout(net)
    assert [type(module) for module in net.modules() if isinstance(module, nn.Dropout)] == [Dropout, Dropout]
    assert (net[0].p, net[0].training, net[1][1].p, net[1][1].training) == (0.3, True, 0.2, False)
    assert isinstance(net[2], nn.Dropout2d)
