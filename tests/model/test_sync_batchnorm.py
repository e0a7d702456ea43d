"""Several GPUs share batch norm's statistics; what a network keeps frozen stays frozen."""

import pytest
from model.test_contract import NAMES, fitting, make
from torch import nn

NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm


def training(net: nn.Module) -> list[bool]:
    return [module.training for module in net.train().modules() if isinstance(module, NORMS)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batchnorm", [False, True])
def test_what_is_frozen_stays_so_when_it_is_shared(name: str, batchnorm: bool) -> None:
    net = make(name, fitting(name), batchnorm=batchnorm)
    before = training(net)
    assert any(before) == batchnorm
    shared = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert training(shared) == before
    assert all(isinstance(each, nn.SyncBatchNorm) for each in shared.modules() if isinstance(each, NORMS))
    assert shared.state_dict().keys() == make(name, fitting(name), batchnorm=batchnorm).state_dict().keys()
