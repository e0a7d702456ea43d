"""mixup and CutMix: the mixed images and targets, whatever the number of processes, and after a resumption."""

import itertools

import pytest
import torch
from torch import Generator, Tensor
from torchvision.transforms import v2

from litmus.data._loader import Batching, as_stored
from litmus.data.image.mixing import MIXES, Mix, MixingLoader, cutmix, mixup

CLASSES = 3


def loader(mix: Mix = mixup, number: int = 22, rank: int = 0, world_size: int = 1) -> MixingLoader:
    """Of images whose pixels are all the sample's number."""
    images = torch.arange(number).reshape(-1, 1, 1, 1).expand(-1, 1, 12, 16).float()
    batching = Batching(8, 3, shuffle=True, epoch=lambda: 2, rank=rank, world_size=world_size)
    return MixingLoader(images, torch.arange(number) % CLASSES, as_stored, batching, mix=mix, num_classes=CLASSES)


@pytest.mark.parametrize("mix", MIXES)
def test_targets_are_the_shares_of_two_classes(mix: str) -> None:
    batches = list(loader(MIXES[mix]))
    assert [len(images) for images, _ in batches] == [8, 8, 6]
    order = loader()._begin_epoch()
    assert sorted(order[:-1].tolist()) == list(range(22))
    assert order[-1] == order[0], "the last is mixed with the first"
    images, targets = (torch.cat(each) for each in zip(*batches, strict=True))
    assert torch.allclose(targets.sum(dim=1), torch.ones(22))
    for (own, other), pixels, target in zip(itertools.pairwise(order.tolist()), images, targets, strict=True):
        share = (pixels.mean() - other) / (own - other)  # of both kinds: how much of the image is the sample's own
        expected = torch.zeros(CLASSES)
        expected[own % CLASSES] += share
        expected[other % CLASSES] += 1 - share
        assert torch.allclose(target, expected, atol=1e-4)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_take_their_parts_of_the_same_batches(mix: str, world_size: int) -> None:
    whole = list(loader(MIXES[mix], number=24))
    parts = [list(loader(MIXES[mix], 24, rank, world_size)) for rank in range(world_size)]
    for batch, *own in zip(whole, *parts, strict=True):
        for each, theirs in zip(batch, zip(*own, strict=True), strict=True):
            assert torch.equal(each, torch.cat(theirs))


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_loaded_state_goes_on_with_the_same_bits(mix: str, position: int) -> None:
    first, second = loader(MIXES[mix]), loader(MIXES[mix])
    batches = list(loader(MIXES[mix]))
    running = iter(first)
    for _ in range(position):
        next(running)
    second.load_state_dict(first.state_dict())
    for (images, targets), (same, equal) in zip(batches[position:], second, strict=True):
        assert torch.equal(images, same)
        assert torch.equal(targets, equal)


def theirs(kind: type[v2.MixUp | v2.CutMix], images: Tensor, others: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """What torchvision does with the pair, which it takes for a batch: it mixes each with the one before it."""
    made = kind(num_classes=2)
    made._dist.sample = lambda _: torch.tensor(share)  # type: ignore[method-assign]
    mixed, targets = made(torch.stack([others, images]), torch.tensor([0, 1]))
    return mixed[1], targets[1]


@pytest.mark.parametrize("share", [0.03, 0.4, 0.75, 0.999])
@pytest.mark.parametrize("place", [(0, 0), (5, 15), (11, 3)])
def test_they_are_torchvision_s(share: float, place: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    images, others = torch.rand(2, 3, 12, 16, generator=Generator().manual_seed(0))
    drawn = torch.tensor([share, (place[0] + 0.5) / 12, (place[1] + 0.5) / 16])[:, None]
    expected, target = theirs(v2.MixUp, images, others, share)
    got, own = mixup(images[None], others[None], drawn)
    assert torch.allclose(got[0], expected, atol=1e-6)
    assert target.tolist() == pytest.approx([1 - float(own), float(own)], abs=1e-6)
    places = iter([place[1], place[0]])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: torch.tensor([next(places)]))
    expected, target = theirs(v2.CutMix, images, others, share)
    got, own = cutmix(images[None], others[None], drawn)
    assert torch.equal(got[0], expected)
    assert target.tolist() == pytest.approx([1 - float(own), float(own)], abs=1e-6)
