from pathlib import Path

import pytest
import torch

from litmus.data._loader import Batching
from litmus.data.text.tokens import Ragged, TokenLoader, tokenize
from litmus.model._vocabulary import words

TEXTS = ["a b c", "a", "b a", "c c c c c", "zebra a"]


def ragged(lengths: list[int]) -> Ragged:
    """Row i holds i + 1 over and over."""
    sizes = torch.tensor(lengths)
    values = torch.cat([torch.full((n,), i + 1, dtype=torch.int32) for i, n in enumerate(lengths)])
    return Ragged(values, sizes.cumsum(0) - sizes, sizes, padding=0)


def loader(num: int = 1030, **changes: object) -> TokenLoader:
    lengths = torch.randint(1, 60, (num,), generator=torch.Generator().manual_seed(0)).tolist()
    settings = {"batch_size": 8, "seed": 7, "shuffle": True, "epoch": lambda: 0, "rank": 0, "world_size": 1}
    return TokenLoader(ragged(lengths), torch.arange(num), Batching(**{**settings, **changes}))


def test_padded_rows() -> None:
    assert ragged([2, 1, 3]).padded(torch.tensor([2, 1])).tolist() == [[3, 3, 3], [2, 0, 0]]


def test_an_epoch_visits_every_text_once_each_time_in_another_order() -> None:
    loaders = [loader(epoch=lambda: 0), loader(epoch=lambda: 1)]
    epochs = [torch.cat([targets for _, targets in one]).tolist() for one in loaders]
    assert [sorted(epoch) for epoch in epochs] == [list(range(1030))] * 2
    assert epochs[0] != epochs[1]


def test_batches_hold_the_right_texts_of_like_length() -> None:
    training = loader()
    wasted = total = 0
    for tokens, targets in training:
        assert all(set(row.tolist()) <= {int(target) + 1, 0} for row, target in zip(tokens, targets, strict=True))
        assert (tokens[:, -1] != 0).any(), "padded to the longest of the batch, not further"
        wasted += int((tokens == 0).sum())
        total += tokens.numel()
    assert wasted / total < 0.1, "shuffled without regard to length, half of it would be padding"


def test_long_batches_are_not_all_at_one_end_of_an_epoch() -> None:
    lengths = [tokens.shape[1] for tokens, _ in loader()]
    assert lengths != sorted(lengths)
    assert abs(torch.tensor(lengths[:64]).float().mean() - torch.tensor(lengths[64:]).float().mean()) < 10


def test_two_processes_see_each_step_s_samples_together() -> None:
    whole = [targets.tolist() for _, targets in loader(1024)]
    shares = [[targets.tolist() for _, targets in loader(1024, rank=rank, world_size=2)] for rank in (0, 1)]
    assert [a + b for a, b in zip(*shares, strict=True)] == whole


def test_a_loaded_state_goes_on_in_mid_epoch() -> None:
    first = loader()
    batches = iter(first)
    for _ in range(5):
        next(batches)
    state = first.state_dict()
    rest = [targets.tolist() for _, targets in batches]
    again = loader()
    again.load_state_dict(state)
    assert [targets.tolist() for _, targets in again] == rest


def test_texts_are_cut_at_max_length_and_the_cache_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = words(TEXTS, vocabulary_size=100, min_count=1, max_length=3)
    made = tokenize(TEXTS, tokens, tmp_path)
    assert made.lengths.tolist() == [3, 1, 2, 3, 2]
    monkeypatch.setattr("litmus.data.text.tokens.encode", None)  # not made again
    kept = tokenize(TEXTS, tokens, tmp_path)
    assert torch.equal(made.values, kept.values)
    assert torch.equal(made.lengths, kept.lengths)
    with pytest.raises(TypeError):
        tokenize([*TEXTS, "another"], tokens, tmp_path)


def test_special_tokens_in_a_text_are_letters() -> None:
    tokens = words(["good film pad"], vocabulary_size=100, min_count=1, max_length=9)
    (row,) = tokenize(["good [PAD] film"], tokens, None).padded(torch.tensor([0])).tolist()
    assert 0 not in row
    assert len(row) == 5, "good, a bracket, pad, a bracket, film"


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    tokens = words(TEXTS, vocabulary_size=100, min_count=1, max_length=3)
    made = tokenize(TEXTS, tokens, tmp_path)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:50])
    assert torch.equal(tokenize(TEXTS, tokens, tmp_path).values, made.values)


def test_a_text_without_tokens_is_one_padding(tmp_path: Path) -> None:
    made = tokenize(["", "a"], words(TEXTS, vocabulary_size=100, min_count=1, max_length=3), None)
    assert made.lengths.tolist() == [1, 1]
    assert made.values.tolist()[0] == 0
