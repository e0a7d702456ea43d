"""The test samples of a run, as its network receives them."""

import math
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from litmus.config.samples import Samples
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.record.checkpoint import load_best
from litmus.record.folder import RunDir
from litmus.run.build import assemble, for_testing, prepare, resolve
from litmus.run.evaluate import sha256_before
from litmus.run.train import test


def test_samples(run: RunDir, config: Section, most: int) -> Samples:
    """Tests a run's best weights again, and keeps what its network receives.

    Args:
        run: the folder.
        config: of the run.
        most: samples that are kept, the first ones.

    Raises:
        UserError: the weights or the data are not there any more, or the data has changed.
    """
    checkpoint = load_best(run)
    limit = math.ceil(most / (config["data"].get("eval_batch_size") or most))
    own = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "precision": 32, "limit_batches": limit}
    config = {**config, "trainer": {**config["trainer"], **own}}
    data = prepare(config, checkpoint)
    if sha256_before(run, checkpoint) not in (None, data.sha256):
        raise UserError(f"The data has changed since the run was trained on it ({data.source}).")
    keeping = _Keeping(most)
    parts = assemble(run, resolve(for_testing(config), data), data, checkpoint, [keeping])
    checkpoint.load_into(parts.net, run.best)
    data.frozen_part = None  # the network receives images, not kept features of them
    test(run, parts, run.best)
    order = data.evaluation_order("test")
    order = torch.arange(data.sizes["test"]) if order is None else order
    return Samples(data, parts.net.eval(), keeping.inputs, order[: keeping.number])


class _Keeping(lightning.Callback):
    """Keeps the inputs of a test, the first ones.

    Args:
        most: samples.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.inputs: list[Tensor] = []

    @property
    def number(self) -> int:
        return sum(map(len, self.inputs))

    def on_test_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, *_: int
    ) -> None:
        if self.number < self.most:
            self.inputs.append(batch[0][: self.most - self.number].clone())
