import pytest
import torch
from torch import nn

from litmus.model.fnn import FNN
from litmus.spec import Spec


def fnn(spec: Spec, **changes: object) -> FNN:
    settings = {"widths": [128, 64], "activation": "relu", "init": "he", "residual": False}
    return FNN(spec, **{**settings, "dropout": 0.0, "batchnorm": False, "l2": 0.0, **changes})


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10),
        ({"widths": []}, 784 * 10 + 10),
        ({"batchnorm": True}, 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10 + 2 * (128 + 64)),
        # Projections without bias where the width changes, none where it stays.
        ({"widths": [32, 32], "residual": True}, 784 * 32 + 32 + 784 * 32 + 32 * 32 + 32 + 32 * 10 + 10),
    ],
)
def test_parameters(digits: Spec, changes: dict, count: int) -> None:
    assert sum(p.numel() for p in fnn(digits, **changes).parameters()) == count


def test_by_hand(digits: Spec, images: torch.Tensor) -> None:
    net = fnn(digits, widths=[5], activation="tanh")
    first, head = net.features[1][0], net.head
    hidden = torch.tanh(images.flatten(1) @ first.weight.T + first.bias)
    assert torch.allclose(net(images), hidden @ head.weight.T + head.bias, atol=1e-5)


def test_residual_adds_the_input(digits: Spec, images: torch.Tensor) -> None:
    net = fnn(digits, widths=[6, 6], residual=True)
    x = net.features[1](net.features[0](images))
    block = net.features[2]
    assert torch.allclose(block(x), torch.relu(block.block[0](x)) + x, atol=1e-6)


def test_he_initialisation_has_its_variance(digits: Spec) -> None:
    torch.manual_seed(0)
    net = fnn(digits, widths=[1000])
    assert net.features[1][0].weight.var().item() == pytest.approx(2 / 784, rel=0.02)
    assert torch.equal(net.features[1][0].bias, torch.zeros(1000))


def test_xavier_and_normal(digits: Spec) -> None:
    torch.manual_seed(0)
    bound = (6 / (784 + 1000)) ** 0.5
    weight = fnn(digits, widths=[1000], init="xavier").features[1][0].weight
    assert weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert fnn(digits, widths=[1000], init="normal").features[1][0].weight.std().item() == pytest.approx(0.01, rel=0.02)


def test_order_of_a_layer(digits: Spec) -> None:
    kinds = [type(m) for m in fnn(digits, batchnorm=True, dropout=0.5).features[1]]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout]
