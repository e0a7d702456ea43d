from dataclasses import replace

import pytest
import torch
from helpers import COLUMNS, inputs_for
from torch import nn

from litmus.model._blocks import Dropout
from litmus.model.fnn import FNN
from litmus.spec import Category, Columns, Spec


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


def test_categories_of_a_table_are_embedded() -> None:
    net = fnn(COLUMNS, widths=[6], activation="tanh")
    embedded = net.features[0]
    sizes = [tuple(layer.weight.shape) for layer in embedded.layers]
    assert sizes == [(4, 4), (3, 3)]  # of 3 and 2 values and the unknown ones: ceil(1.6 n**0.56)
    x = inputs_for(COLUMNS)
    numbers, codes = x[:, : COLUMNS.input.num_numbers], x[:, COLUMNS.input.num_numbers :].long()
    expected = torch.cat([numbers, *(layer.weight[codes[:, i]] for i, layer in enumerate(embedded.layers))], dim=1)
    assert torch.equal(embedded(x), expected)
    assert all(torch.equal(layer.weight[0], torch.zeros(layer.weight.shape[1])) for layer in embedded.layers)


def test_on_columns_it_begins_as_a_constant(digits: Spec) -> None:
    assert torch.equal(fnn(COLUMNS)(inputs_for(COLUMNS)), torch.zeros(8, 10))
    assert fnn(digits).head.weight.abs().sum() > 0


def test_many_values_have_fifty_numbers_at_most() -> None:
    spec = replace(COLUMNS, input=Columns(categories=(Category("city", tuple(map(str, range(9999)))),)))
    assert fnn(spec).features[0].layers[0].weight.shape == (10_000, 50)


def test_embeddings_are_not_under_l2() -> None:
    net = fnn(COLUMNS, l2=0.1)
    decayed = {id(p) for group in net.parameter_groups() if group["weight_decay"] for p in group["params"]}
    assert not decayed & {id(layer.weight) for layer in net.features[0].layers}


def test_order_of_a_layer(digits: Spec) -> None:
    kinds = [type(m) for m in fnn(digits, batchnorm=True, dropout=0.5).features[1]]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, Dropout]
