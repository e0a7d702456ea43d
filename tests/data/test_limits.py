"""`data.limit`, `data.limit_eval` and `data.split_seed` mean the same in every dataset."""

from collections.abc import Callable

import pytest
import torch
from helpers import CONF, ON_BOXES, ON_HOUSES, ON_PHOTOS, ON_SCENES, ON_TABLE, ON_WAVE, composed
from published import ON_CIFAR, ON_FASHION, ON_KMNIST

from litmus.config.instantiate import build
from litmus.config.keys import choice
from litmus.config.validate import signature
from litmus.data._base import Data
from litmus.data.image.base import ImageData
from litmus.data.image.boxes import BoxData
from litmus.data.table import Table
from litmus.data.text.base import TextData
from litmus.record.folder import RunDir

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
    "image_folder": ON_PHOTOS,
    "mnist_boxes": ["model=yolo", *ON_SCENES],
    "yolo_dataset": ["model=yolo", *ON_BOXES],
}
SPLITTING = sorted(set(DATA) - {"series"})  # at random

pytestmark = pytest.mark.usefixtures("tables", "image_files", "snippets", "published")


def prepared(name: str, *overrides: str) -> Data:
    config = composed(*DATA[name], *overrides)
    data: Data = build(config["data"], config["seed"])
    data.prepare_data()
    data.setup()
    return data


def content(data: Data, split: str) -> object:
    """The samples of a split, in an order that does not depend on how they were shuffled."""
    if isinstance(data, TextData):
        return sorted(data.splits[split].texts)
    if isinstance(data, Table):
        return sorted(map(str, data.splits[split].rows()))
    assert isinstance(data, ImageData | BoxData)
    stored, _ = data.stored(split)
    rows = stored.index_select(0, torch.arange(len(stored)))
    return sorted(hash(row.numpy().tobytes()) for row in rows)


def test_every_dataset_is_here() -> None:
    assert sorted(DATA) == sorted(path.stem for path in (CONF / "data").glob("*.yaml"))
    for name in DATA:
        keys = signature(composed(f"data={name}")["data"]["_target_"])
        assert {"limit", "limit_eval"} <= set(keys)
        assert ("split_seed" in keys) == (name in SPLITTING)


@pytest.mark.parametrize("name", DATA)
def test_a_limit_cuts_the_training_alone(name: str) -> None:
    whole = prepared(name).sizes
    assert prepared(name, "data.limit=30").sizes == {**whole, "train": 30}
    assert prepared(name, "data.limit_eval=3").sizes == {"train": whole["train"], "val": 3, "test": 3}


@pytest.mark.parametrize("name", SPLITTING)
def test_a_split_has_a_seed_of_its_own(name: str) -> None:
    def splits(*overrides: str) -> list[object]:
        data = prepared(name, *overrides)
        return [content(data, split) for split in ("train", "val", "test")]

    given = name == "yolo_dataset"  # its splits are those of the files
    assert splits("seed=1", "data.split_seed=7") == splits("seed=2", "data.split_seed=7") == splits("seed=7")
    assert (splits("seed=1") == splits("seed=2")) == given
    if given:
        limited = ["data.limit=30"]
        assert splits("seed=1", "data.split_seed=7", *limited) == splits("seed=7", *limited)
        assert splits("seed=1", *limited) != splits("seed=2", *limited)


def test_runs_of_two_seeds_on_one_split_learn_differently(train: Callable[..., RunDir]) -> None:
    runs = [train("model=fnn", "data.split_seed=5", f"seed={seed}", folder=str(seed)) for seed in (1, 2)]
    first, second = (run.read_result() for run in runs)
    assert first["status"] == second["status"] == "finished"
    assert first["metrics"] != second["metrics"]


def test_the_run_of_an_earlier_version_keeps_its_limit(train: Callable[..., RunDir]) -> None:
    run = train("model=fnn")
    path = run.path / "config.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "limit_eval" not in line and "split_seed" not in line))
    data = run.read_config()["data"]
    assert (data["limit"], data["limit_eval"], data["split_seed"]) == (400, 400, None)
    assert choice(run.read_config(), "data") == "mnist"
