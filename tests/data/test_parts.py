"""`trainer.val_check_interval` cuts a pass into epochs: together, these have the batches of one that is not cut."""

from types import SimpleNamespace

import pytest
import torch
from every_data import DATA
from helpers import composed
from torch import Tensor

from litmus.config.epochs import Cut
from litmus.data._base import Data
from litmus.run.build import prepare


def batches(name: str, parts: int, limit: int | None = None) -> list[tuple[Tensor, Tensor]]:
    """Those of the second pass."""
    augmented = {"mnist_boxes": ["data.mosaic=0", "data.flip=0"], "yolo_dataset": ["data.mosaic=0", "data.flip=0"]}
    data = prepare(composed(*DATA[name], "data.batch_size=7", *augmented.get(name, [])))
    assert isinstance(data, Data)
    device = SimpleNamespace(root_device=torch.device("cpu"))
    trainer = SimpleNamespace(current_epoch=0, global_rank=0, world_size=1, strategy=device)
    data.trainer = trainer
    data.cut = Cut(parts, limit)
    loader, found = data.train_dataloader(), []
    for epoch in range(parts, 2 * parts):
        trainer.current_epoch = epoch
        own = list(loader)
        assert len(own) == len(loader) == data.epoch_lengths[epoch % parts]
        found += own
    return found


@pytest.mark.wide
@pytest.mark.usefixtures("tables", "image_files", "published", "snippets", "hub_copies")
@pytest.mark.parametrize("name", DATA)
def test_parts_have_the_batches_of_the_whole(name: str) -> None:
    whole, cut = batches(name, 1), batches(name, 3)
    assert len(whole) == len(cut) > 3
    for before, now in zip(whole, cut, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(before, now, strict=True))
    limited = batches(name, 3, limit=4)
    assert len(limited) == 4
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole, limited, strict=False))
