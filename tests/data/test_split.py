from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import pytest

from litmus.data import _split
from litmus.data._split import are_seen, fingerprints, split_groups, split_samples

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def test_every_sample_is_in_one_part_and_shares_are_kept() -> None:
    parts = split_groups([[i] for i in range(1000)], [0] * 1000, SHARES, seed=1)
    assert sorted(i for rows in parts.values() for i in rows) == list(range(1000))
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 800, "val": 100, "test": 100}


def test_what_is_tied_stays_together_through_chains() -> None:
    # 0 and 1 share a group, 1 and 2 a text: 0, 1 and 2 belong together.
    groups = [[("group", 1), ("text", "a")], [("group", 1), ("text", "b")], [("group", 2), ("text", "b")]]
    groups += [[("group", i), ("text", f"t{i % 40}")] for i in range(3, 103)]
    for seed in range(5):
        parts = split_groups(groups, [0] * len(groups), {"a": 0.5, "b": 0.5}, seed)
        side = {i: part for part, rows in parts.items() for i in rows}
        assert side[0] == side[1] == side[2]
        assert all(side[i] == side[i + 40] for i in range(3, 63))


def test_classes_keep_their_proportions() -> None:
    strata = ["rare"] * 50 + ["common"] * 950
    parts = split_groups([[i] for i in range(1000)], strata, SHARES, seed=3)
    assert {part: Counter(strata[i] for i in rows)["rare"] for part, rows in parts.items()} == pytest.approx(
        {"train": 40, "val": 5, "test": 5}, abs=1
    )


def test_no_part_is_empty_and_every_class_is_trained_on_while_there_are_groups() -> None:
    groups = [[i // 20] for i in range(100)]
    for seed in range(5):
        assert all(split_groups(groups, [0] * 100, {"train": 0.9, "val": 0.1}, seed).values())
        strata = ["lone"] + ["common"] * 99
        assert 0 in split_groups([[i] for i in range(100)], strata, SHARES, seed)["train"]


def test_fingerprints_know_what_is_tied() -> None:
    seen = fingerprints([[("text", "a")], [("text", "b"), ("group", 1)]])
    assert seen.tolist() == sorted(set(seen.tolist()))
    assert are_seen([[("text", "c")], [("text", "d"), ("group", 1)], [("text", "a")]], seen) == [False, True, True]


def test_what_validates_does_not_change_what_tests() -> None:
    groups = [[i // 3] for i in range(300)]
    splits = [split_samples(groups, [0] * 300, val=val, test=0.2, seed=4) for val in (None, 0.1, 0.3)]
    assert splits[0]["test"] == splits[1]["test"] == splits[2]["test"]
    assert [len(split.get("val", [])) for split in splits] == [0, 30, 90]
    assert all(sorted(i for rows in split.values() for i in rows) == list(range(300)) for split in splits)


def test_the_seed_decides() -> None:
    def split(seed: int) -> dict[str, list[int]]:
        return split_groups([[i] for i in range(100)], [0] * 100, SHARES, seed)

    assert split(1) == split(1)
    assert split(1) != split(2)


def test_a_large_group_does_not_fall_to_a_small_part_by_its_size() -> None:
    groups = [[0]] * 300 + [[i] for i in range(1, 701)]
    for seed in range(10):
        parts = split_groups(groups, [0] * 1000, SHARES, seed)
        assert len(parts["test"]) < 250 or 0 not in parts["test"]


def union_find(groups: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """The components as earlier versions found them: the splits of their runs depend on the order."""
    parent = list(range(len(groups)))

    def root(sample: int) -> int:
        while parent[sample] != sample:
            parent[sample] = sample = parent[parent[sample]]
        return sample

    first: dict[Hashable, int] = {}
    for sample, own in enumerate(groups):
        for group in own:
            parent[root(sample)] = root(first.setdefault(group, sample))
    components: dict[int, list[int]] = {}
    for sample in range(len(groups)):
        components.setdefault(root(sample), []).append(sample)
    return list(components.values())


@pytest.mark.parametrize("num_groups", [1, 40, 400, 4000])
def test_splits_are_those_of_earlier_versions(num_groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(num_groups)
    kinds = generator.integers(0, num_groups, (500, 3)).tolist()
    groups = [[(kind, number) for kind, number in enumerate(own)][: i % 4] for i, own in enumerate(kinds)]
    strata = generator.integers(0, 3, 500).tolist()
    assert _split.connected(groups) == union_find(groups)
    now = [split_groups(groups, strata, SHARES, seed) for seed in range(3)]
    monkeypatch.setattr(_split, "connected", union_find)
    assert [split_groups(groups, strata, SHARES, seed) for seed in range(3)] == now


def test_no_samples_have_no_components() -> None:
    assert _split.connected([]) == []
    assert _split.connected([[], []]) == [[0], [1]]
