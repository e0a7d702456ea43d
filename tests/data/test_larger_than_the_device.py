"""What does not fit on the device that trains stays where it is: the batches are the same, and so is the training."""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from every_data import DATA, prepared
from helpers import CONF, ON_HOUSES, ON_TABLE, ON_WAVE
from torch import Tensor

from litmus.config.protocols import SPLITS
from litmus.data import _ahead
from litmus.data._ahead import Ahead, placed, placed_targets, read_ahead
from litmus.data._base import Data
from litmus.data._loader import Batching, BatchLoader, as_stored
from litmus.data.text.base import TextData
from litmus.data.text.tokens import Ragged
from litmus.model._vocabulary import words
from litmus.record.folder import RunDir
from litmus.spec import Images

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")
TRAINED = {
    "table": ("model=fnn", *ON_HOUSES),
    "text_table": ("model=lstm", *ON_TABLE),
    "series": ("model=lstm", *ON_WAVE),
}

pytestmark = pytest.mark.usefixtures("tables", "image_files", "snippets", "published", "hub_copies")


def without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ahead, "room", lambda _: 0)


def loaders(name: str) -> dict[str, BatchLoader]:
    """Of each split, as a training on a CPU has them."""
    data: Data = prepared(name)
    if isinstance(data, TextData):
        data.spec = replace(data.spec, input=words(data.training_texts, vocabulary_size=50, min_count=1, max_length=9))
    if isinstance(data.spec.input, Images) and not data.spec.input.mean:  # the network says
        channels = data.spec.input.channels
        data.spec = replace(data.spec, input=replace(data.spec.input, mean=(0.5,) * channels, std=(0.2,) * channels))
    data.batch_size = data.eval_batch_size = 4
    strategy = SimpleNamespace(root_device=CPU)
    data.trainer = SimpleNamespace(strategy=strategy, global_rank=0, world_size=1, current_epoch=1)
    return {split: data._loader(split) for split in SPLITS}


@pytest.mark.wide
@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("data/*.yaml")))
def test_batches_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert name in DATA, "add the new dataset to every_data.py"
    whole = {split: [*islice(loader, 5)] for split, loader in loaders(name).items()}
    without_room(monkeypatch)
    for split, loader in loaders(name).items():
        assert not isinstance(loader.inputs, Tensor | Ragged), "it is moved as a whole"
        batches = [*islice(loader, 5)]
        assert len(batches) == len(whole[split]) > 0
        for ours, theirs in zip(batches, whole[split], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", TRAINED)
def test_training_gives_the_same_digits(
    name: str, train: Callable[..., RunDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*TRAINED[name], "trainer.max_epochs=1", "task.baselines=false"]
    metrics = []
    for folder in ("whole", "ahead"):
        run = train(*words, small=[], folder=folder)
        rows = [{k: v for k, v in row.items() if not k.startswith("time/")} for row in run.read_metrics()]
        metrics.append((rows, run.read_result()["metrics"]))
        without_room(monkeypatch)
    assert metrics[0] == metrics[1]


def test_a_place_is_chosen_by_the_bytes_and_the_memory_left(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[object] = []
    samples = torch.arange(1000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (4 * 8000, 0))
    monkeypatch.setattr(Tensor, "to", lambda self, device, **_: moved.append(device) or self)
    assert placed(samples, GPU) is samples
    assert placed_targets(samples, GPU) is samples
    assert moved == [GPU, GPU]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (4 * 8000 - 4, 0))
    assert isinstance(placed(samples, GPU), Ahead)
    assert placed_targets(samples, GPU) is samples
    assert moved == [GPU, GPU], "nothing was moved"


def test_targets_that_stay_are_sent_with_their_batch() -> None:
    """With `meta` for a device that is not the CPU: it has shapes, and no values."""
    device = torch.device("meta")
    batching = Batching(batch_size=4, seed=7, shuffle=True, epoch=lambda: 0, rank=0, world_size=1, device=device)
    loader = BatchLoader(read_ahead(torch.rand(10, 3), device), torch.arange(10), as_stored, batching)
    batches = list(loader)
    assert [(inputs.device, targets.device) for inputs, targets in batches] == [(device, device)] * 3
    assert [(len(inputs), len(targets)) for inputs, targets in batches] == [(4, 4), (4, 4), (2, 2)]
