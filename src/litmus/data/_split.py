"""Splits in which what belongs together stays together."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np


def split_groups(
    ties: Sequence[Sequence[Hashable]], strata: Sequence[Hashable], shares: Mapping[str, float], seed: int
) -> dict[str, list[int]]:
    """Divides samples among the parts, at random, so that samples that share a tie land in one part.

    Groups are dealt out stratum by stratum, each to the part that lacks most of its share: sizes and
    the strata's proportions come as near to `shares` as the groups allow.

    Args:
        ties: of each sample: its group, its text... Two samples that have one in common are never separated,
            nor are those that a chain of such pairs connects.
        strata: of each sample, such as its class; a group counts as its first sample's.
        shares: of each part; they sum to 1.
        seed: the same seed gives the same split.

    Returns:
        The numbers of each part's samples, in random order, so that its first n are a fair sample too.
    """
    groups = list(_connected(ties).values())
    generator = np.random.default_rng(seed)
    shuffled = [groups[i] for i in generator.permutation(len(groups))]
    rank = {stratum: number for number, stratum in enumerate(dict.fromkeys(strata))}
    dealt: dict[str, list[int]] = {part: [] for part in shares}
    seen = 0
    for group in sorted(shuffled, key=lambda group: rank[strata[group[0]]]):
        seen += len(group)
        neediest = max(shares, key=lambda part: shares[part] * seen - len(dealt[part]))
        dealt[neediest] += group
    return {part: [rows[i] for i in generator.permutation(len(rows))] for part, rows in dealt.items()}


def _connected(ties: Sequence[Sequence[Hashable]]) -> dict[int, list[int]]:
    """Samples by component: of the graph in which two samples with a common tie are neighbours."""
    parent = list(range(len(ties)))

    def root(sample: int) -> int:
        while parent[sample] != sample:
            parent[sample] = sample = parent[parent[sample]]
        return sample

    first: dict[Hashable, int] = {}
    for sample, own in enumerate(ties):
        for tie in own:
            parent[root(sample)] = root(first.setdefault(tie, sample))
    components: dict[int, list[int]] = {}
    for sample in range(len(ties)):
        components.setdefault(root(sample), []).append(sample)
    return components
