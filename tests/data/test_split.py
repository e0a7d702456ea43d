from collections import Counter

import pytest

from litmus.data._split import split_groups

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def test_every_sample_is_in_one_part_and_shares_are_kept() -> None:
    parts = split_groups([[i] for i in range(1000)], [0] * 1000, SHARES, seed=1)
    assert sorted(i for rows in parts.values() for i in rows) == list(range(1000))
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 800, "val": 100, "test": 100}


def test_what_is_tied_stays_together_through_chains() -> None:
    # 0 and 1 share a group, 1 and 2 a text: 0, 1 and 2 belong together.
    ties = [[("group", 1), ("text", "a")], [("group", 1), ("text", "b")], [("group", 2), ("text", "b")]]
    ties += [[("group", i), ("text", f"t{i % 40}")] for i in range(3, 103)]
    for seed in range(5):
        parts = split_groups(ties, [0] * len(ties), {"a": 0.5, "b": 0.5}, seed)
        side = {i: part for part, rows in parts.items() for i in rows}
        assert side[0] == side[1] == side[2]
        assert all(side[i] == side[i + 40] for i in range(3, 63))


def test_classes_keep_their_proportions() -> None:
    strata = ["rare"] * 50 + ["common"] * 950
    parts = split_groups([[i] for i in range(1000)], strata, SHARES, seed=3)
    assert {part: Counter(strata[i] for i in rows)["rare"] for part, rows in parts.items()} == pytest.approx(
        {"train": 40, "val": 5, "test": 5}, abs=1
    )


def test_the_seed_decides() -> None:
    def split(seed: int) -> dict[str, list[int]]:
        return split_groups([[i] for i in range(100)], [0] * 100, SHARES, seed)

    assert split(1) == split(1)
    assert split(1) != split(2)


def test_a_large_group_does_not_fall_to_a_small_part_by_its_size() -> None:
    ties = [[0]] * 300 + [[i] for i in range(1, 701)]
    for seed in range(10):
        parts = split_groups(ties, [0] * 1000, SHARES, seed)
        assert len(parts["test"]) < 250 or 0 not in parts["test"]
