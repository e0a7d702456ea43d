import pytest
import torch
from torch import Generator, Tensor

from litmus.data._loader import BatchLoader


def keep(inputs: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
    return inputs


def noisy(inputs: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
    return inputs + torch.rand(batch_size, generator=generator)[rows]


def loader(num: int = 103, **changes: object) -> BatchLoader:
    settings = {"batch_size": 10, "transform": keep, "seed": 7, "shuffle": True, "rank": 0, "world_size": 1}
    inputs = torch.arange(num, dtype=torch.float32)
    return BatchLoader(inputs, inputs.long(), **{**settings, **changes})


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
    lone = loader(101)
    assert len(lone) == 10
    epochs = [set(flat(list(lone))) for _ in range(3)]
    assert all(len(epoch) == 100 for epoch in epochs)
    assert len({frozenset(epoch) for epoch in epochs}) > 1
    assert flat(list(loader(1))) == [0], "but not the only one there is"
    assert len(flat(list(loader(101, shuffle=False)))) == 101


def test_the_same_seed_gives_the_same_epochs_and_each_epoch_its_own() -> None:
    a, b, c = loader(), loader(), loader(seed=8)
    first, second = flat(list(a)), flat(list(a))
    assert first != second
    assert [flat(list(b)), flat(list(b))] == [first, second]
    assert flat(list(c)) != first


def test_without_shuffling_the_order_is_the_data_s() -> None:
    assert flat(list(loader(shuffle=False))) == list(range(103))


def test_an_epoch_left_early_does_not_change_the_next() -> None:
    a, b = loader(), loader()
    for i, _ in enumerate(a):
        if i == 3:
            break
    list(b)
    assert flat(list(a)) == flat(list(b))


@pytest.mark.parametrize("after", [0, 1, 4, 10, 11])
def test_resuming_goes_on_where_it_stood(after: int) -> None:
    whole = loader(transform=noisy)
    expected = list(whole) + list(whole)
    stopped = loader(transform=noisy)
    batches = iter(stopped)
    for _ in range(after):
        next(batches)
    state = stopped.state_dict()
    assert state["position"] == after
    resumed = loader(transform=noisy)
    resumed.load_state_dict(state)
    if after == 0:
        got = list(resumed) + list(resumed)
    elif after == 11:  # the epoch was whole: on with the next one
        got = expected[:11] + list(resumed)
    else:
        got = expected[:after] + list(resumed) + list(resumed)
    assert len(got) == len(expected)
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(got, expected, strict=True))


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
