"""One linear layer, which ends where mathematics says."""

from dataclasses import replace

import torch
from helpers import COLUMNS, inputs_for
from torch.nn.functional import mse_loss

from litmus.model.linear import Linear
from litmus.model.perceptron import Perceptron
from litmus.spec import Spec, Values

OFF = {"dropout": 0.0, "batchnorm": False, "l2": 0.0}


def test_parameters(digits: Spec) -> None:
    assert sum(p.numel() for p in Linear(digits, **OFF).parameters()) == 784 * 10 + 10


def test_a_category_is_a_one_among_zeros() -> None:
    x = torch.zeros(2, COLUMNS.input.num_numbers + 2)
    x[0, -2:] = torch.tensor([3.0, 1.0])
    for net in (Linear(COLUMNS, **OFF), Perceptron(COLUMNS, **OFF)):
        features = net.features(x)[:, COLUMNS.input.num_numbers :]
        assert features.tolist() == [[0, 0, 1, 1, 0], [0, 0, 0, 0, 0]], "of unknown values, none"


def test_its_minimum_is_that_of_least_squares() -> None:
    spec = replace(COLUMNS, target=Values(("a",), (0.0,), (1.0,)))
    net = Linear(spec, **OFF).double()
    x = inputs_for(spec, 60).double()
    y = torch.randn(60, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    design = torch.cat([net.features(x), torch.ones(60, 1, dtype=torch.float64)], dim=1)
    best = torch.linalg.lstsq(design, y).solution
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-16)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = mse_loss(net(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert torch.allclose(net(x), design @ best, atol=1e-6)
