"""A run that averages its weights from, or until, the moment that it is resumed."""

from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
import torch

from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
Tensors = dict[str, torch.Tensor]


class AtStart(lightning.Callback):
    """Notes with which weights a training begins."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self.weights = {name: tensor.clone() for name, tensor in pl_module.state_dict().items()}


def same(one: Tensors, other: Tensors) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_without_the_average_the_weights_themselves_train_on(train: Train, resume: Train) -> None:
    run, start = train("model=fnn", "callback.ema.decay=0.99"), AtStart()
    before = torch.load(run.last, weights_only=True)
    assert not same(before["state_dict"], before["current_model_state"])
    resume(run, "callback.ema.decay=null", "trainer.max_epochs=3", watching=[start])
    assert same(start.weights, before["current_model_state"])
    assert "continues with the weights themselves" in run.log.read_text()
    assert "current_model_state" not in torch.load(run.last, weights_only=True)


def test_an_average_that_begins_late_begins_at_the_weights(train: Train, resume: Train) -> None:
    run, start = train("model=fnn"), AtStart()
    before = torch.load(run.last, weights_only=True)["state_dict"]
    resume(run, "callback.ema.decay=1e-9", "trainer.max_epochs=3", watching=[start])
    assert same(start.weights, before)
    assert "the average starts at the weights of this checkpoint" in run.log.read_text()
    after = torch.load(run.last, weights_only=True)
    assert all(torch.allclose(after["state_dict"][name], after["current_model_state"][name]) for name in before)
