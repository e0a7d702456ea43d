"""Every dataset, small, and what is in its splits."""

import torch
from helpers import ON_BOXES, ON_HOUSES, ON_PHOTOS, ON_SCENES, ON_TABLE, ON_WAVE, composed
from hub_sets import ON_HUB
from published import ON_CIFAR, ON_FASHION, ON_KMNIST

from litmus.config.instantiate import build
from litmus.data._base import Data
from litmus.data.image.base import ImageData
from litmus.data.image.boxes import BoxData
from litmus.data.table import Table
from litmus.data.text.base import TextData

DATA = {
    "mnist": ["data=mnist", "data.source=bundled"],
    "fashion_mnist": ON_FASHION,
    "kmnist": ON_KMNIST,
    "cifar10": ON_CIFAR,
    "sentiment": ["model=lstm", "data=sentiment", "data.dir=data"],
    "text_table": ["model=lstm", *ON_TABLE],
    "table": ["model=fnn", *ON_HOUSES],
    "toy": ["model=fnn", "data=toy"],
    "series": ["model=lstm", *ON_WAVE],
    "hub": ["model=lstm", *ON_HUB],
    "image_folder": ON_PHOTOS,
    "mnist_boxes": ["model=yolo", *ON_SCENES],
    "yolo_dataset": ["model=yolo", *ON_BOXES],
}


def prepared(name: str, *overrides: str) -> Data:
    config = composed(*DATA[name], *overrides)
    data: Data = build(config["data"], config["seed"])
    data.prepare_data()
    data.setup()
    return data


def content(data: Data, split: str) -> list[object]:
    """The samples of a split, in an order that does not depend on how they were shuffled."""
    if isinstance(data, TextData):
        return sorted(data.splits[split].texts)
    if isinstance(data, Table):
        return sorted(map(str, data.splits[split].rows()))
    assert isinstance(data, ImageData | BoxData)
    stored, _ = data.stored(split)
    rows = stored.index_select(0, torch.arange(len(stored)))
    return sorted(hash(row.numpy().tobytes()) for row in rows)
