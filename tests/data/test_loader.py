import traceback
from typing import ClassVar

import pytest
import torch
from torch import Generator, Tensor

from litmus.data._loader import Batching, BatchLoader, Transform, as_stored

FIRST = [[83, 89, 36, 90, 38, 54], [17, 78, 96, 63, 48, 20]]  # of epochs 0 and 1, seed 7


def noisy(inputs: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
    return inputs + torch.rand(batch_size, generator=generator)[rows]


def loader(num: int = 103, transform: Transform = as_stored, **changes: object) -> BatchLoader:
    epoch = changes.pop("epoch", 0)
    current = epoch if callable(epoch) else lambda: epoch
    settings = {"batch_size": 10, "seed": 7, "shuffle": True, "epoch": current, "rank": 0, "world_size": 1}
    inputs = torch.arange(num, dtype=torch.float32)
    return BatchLoader(inputs, inputs.long(), transform, Batching(**{**settings, **changes}))


def flat(batches: list[tuple[Tensor, Tensor]]) -> list[int]:
    return torch.cat([targets for _, targets in batches]).tolist()


def test_an_epoch_gives_every_sample_once() -> None:
    batches = list(loader())
    assert [len(t) for _, t in batches] == [10] * 10 + [3]
    assert len(loader()) == 11
    assert sorted(flat(batches)) == list(range(103))
    assert flat(batches) != list(range(103))
    assert all(torch.equal(x.long(), t) for x, t in batches)


def test_a_single_sample_left_over_is_left_out_another_one_each_epoch() -> None:
    assert len(loader(101)) == 10
    epochs = [set(flat(list(loader(101, epoch=epoch)))) for epoch in range(3)]
    assert all(len(epoch) == 100 for epoch in epochs)
    assert len({frozenset(epoch) for epoch in epochs}) > 1
    assert flat(list(loader(1))) == [0], "but not the only one there is"
    assert len(flat(list(loader(101, shuffle=False)))) == 101


def test_an_epoch_of_several_passes_gives_every_sample_as_often() -> None:
    batches = list(loader(33, passes=3))
    assert [len(t) for _, t in batches] == [10] * 9 + [9]
    assert len(loader(33, passes=3)) == 10
    order = flat(batches)
    assert [sorted(order[i : i + 33]) for i in (0, 33, 66)] == [list(range(33))] * 3
    assert order[:33] != order[33:66]
    assert len(next(iter(loader(4, passes=5)))[1]) == 10, "a batch may be larger than the samples are many"
    halves = [list(loader(33, passes=3, rank=rank, world_size=2)) for rank in (0, 1)]
    assert torch.cat([half[0][1] for half in halves]).tolist() == order[:10]


def test_the_same_seed_gives_the_same_epochs_and_each_epoch_its_own() -> None:
    epochs = [flat(list(loader(epoch=epoch))) for epoch in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert [flat(list(loader(epoch=epoch))) for epoch in range(3)] == epochs
    assert flat(list(loader(seed=8))) != epochs[0]


def test_the_epoch_is_read_whenever_an_iteration_begins() -> None:
    current = 0
    one = loader(epoch=lambda: current)
    iterator = iter(one)
    current = 3  # Lightning creates iterators before the epoch starts
    assert flat(list(iterator)) == flat(list(loader(epoch=3)))
    current = 4
    assert flat(list(one)) == flat(list(loader(epoch=4)))


def test_without_shuffling_the_order_is_the_data_s() -> None:
    assert flat(list(loader(shuffle=False))) == list(range(103))


def test_an_epoch_left_early_does_not_change_the_next() -> None:
    current = 0
    one = loader(transform=noisy, epoch=lambda: current)
    for i, _ in enumerate(one):
        if i == 3:
            break
    current = 1
    assert same(list(one), list(loader(transform=noisy, epoch=1)))


def same(first: list[tuple[Tensor, Tensor]], second: list[tuple[Tensor, Tensor]]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)


@pytest.mark.parametrize("after", [0, 1, 4, 10])
def test_a_loaded_state_continues_in_mid_epoch(after: int) -> None:
    current = 2
    stopped = loader(transform=noisy, epoch=lambda: current)
    batches = iter(stopped)
    for _ in range(after):
        next(batches)
    state = stopped.state_dict()
    assert state["position"] == after
    resumed = loader(transform=noisy, epoch=lambda: current)
    resumed.load_state_dict(state)
    assert same(list(resumed), list(loader(transform=noisy, epoch=2))[after:])
    current = 3
    assert same(list(resumed), list(loader(transform=noisy, epoch=3)))


@pytest.mark.parametrize("after", [4, 11])
def test_a_loaded_state_of_an_earlier_epoch_begins_the_current_one(after: int) -> None:
    stopped = loader(transform=noisy)
    batches = iter(stopped)
    for _ in range(after):
        next(batches)
    resumed = loader(transform=noisy, epoch=1)
    resumed.load_state_dict(stopped.state_dict())
    assert same(list(resumed), list(loader(transform=noisy, epoch=1)))


def test_the_order_is_that_of_earlier_versions() -> None:
    """Runs of earlier versions resume in mid-epoch: their order must be the one they began with."""
    first = [flat(list(loader(epoch=epoch)))[:6] for epoch in range(2)]
    assert first == FIRST


class Traced(Tensor):
    """A tensor that notes through how many calls below the loader's iteration its rows are read."""

    depths: ClassVar[list[int]] = []

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        names = [frame.name for frame in traceback.extract_stack()]
        self.depths.append(len(names) - 1 - names.index("__iter__"))
        return super().index_select(dim, index)


def test_the_way_from_an_iteration_to_the_samples_is_short() -> None:
    batches = loader()
    batches.inputs = batches.inputs.as_subclass(Traced)
    next(iter(batches))
    assert max(Traced.depths) <= 3


def test_state_is_plain(tmp_path: object) -> None:
    torch.save(loader().state_dict(), f"{tmp_path}/state.pt")
    assert set(torch.load(f"{tmp_path}/state.pt", weights_only=True)) == {"epoch", "position", "generator"}


@pytest.mark.parametrize("world_size", [2, 3])
def test_shards_together_are_one_process_s_batches(world_size: int) -> None:
    alone = [set(t.tolist()) for _, t in loader(107)]
    shards = [[t.tolist() for _, t in loader(107, rank=r, world_size=world_size)] for r in range(world_size)]
    for step, batch in enumerate(alone):
        parts = [shard[step] for shard in shards]
        together = [sample for part in parts for sample in part]
        assert len(together) == len(set(together))
        assert set(together) <= batch
        if len(batch) % world_size == 0:
            assert set(together) == batch
        assert len(batch) - len(together) < world_size
    sizes = {tuple(len(shard[step]) for shard in shards) for step in (10,)}
    assert sizes == {(7 // world_size,) * world_size}, "every process has as many, so that averaging gradients is right"


def test_evaluation_shards_lose_nothing() -> None:
    shards = [flat(list(loader(shuffle=False, rank=r, world_size=4))) for r in range(4)]
    assert sorted(sample for shard in shards for sample in shard) == list(range(103))
