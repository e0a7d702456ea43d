"""The average of the weights, by its formula, and without a word to the device."""

import math

import lightning.pytorch as lightning
import torch
from torch import nn

from litmus.callback.ema import EMA

DECAY, RAMP = 0.9, 5


def test_the_average_follows_its_formula_and_counts_on_the_processor() -> None:
    torch.manual_seed(0)
    ema, module = EMA(DECAY, RAMP), lightning.LightningModule()
    module.net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, barebones=True)
    ema.setup(trainer, module, "fit")
    average = ema._average_model
    weight, expected = module.net[0].weight, module.net[0].weight.detach().clone()
    for step in range(4):
        with torch.no_grad():
            weight += torch.randn(2, 3)
        module.net(torch.randn(4, 3))  # moves batch norm's statistics, and its counter
        average.update_parameters(module)
        share = 1 - DECAY * (1 - math.exp(-(step + 1) / RAMP)) if step else 1.0
        expected = expected.lerp(weight.detach(), share)
        assert torch.equal(average.module.net[0].weight, expected)
        assert average.module.net[1].num_batches_tracked == step + 1
    assert int(average.n_averaged) == 4
    assert average.n_averaged.device.type == "cpu"
    assert not torch.equal(average.module.net[1].running_mean, module.net[1].running_mean)


def test_only_a_training_has_an_average() -> None:
    ema = EMA(DECAY, RAMP)
    ema.setup(lightning.Trainer(accelerator="cpu", logger=False, barebones=True), lightning.LightningModule(), "test")
    assert ema._average_model is None
