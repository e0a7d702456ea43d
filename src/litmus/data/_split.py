"""Splits in which what belongs together stays together."""

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


def split_parts(
    ties: Sequence[Sequence[Hashable]],
    strata: Sequence[Hashable],
    *,
    val_share: float | None,
    test_share: float | None,
    seed: int,
) -> dict[str, list[int]]:
    """Training, validation and test samples, as `split_groups` divides them; None leaves a part out.

    The test part is split off first: what validates does not change what tests.

    Args:
        ties: see `split_groups`.
        strata: see `split_groups`.
        val_share: of all samples.
        test_share: of all samples.
        seed: of the split.
    """
    rows = {"train": list(range(len(ties)))}
    rest = 1.0
    for part, share in (("test", test_share), ("val", val_share)):
        if share is None:
            continue
        left = rows["train"]
        own_ties, own_strata = [ties[i] for i in left], [strata[i] for i in left]
        dealt = split_groups(own_ties, own_strata, {"train": 1 - share / rest, part: share / rest}, seed)
        rows |= {name: [left[i] for i in places] for name, places in dealt.items()}
        rest -= share
    return rows


def split_groups(
    ties: Sequence[Sequence[Hashable]], strata: Sequence[Hashable], shares: Mapping[str, float], seed: int
) -> dict[str, list[int]]:
    """Divides samples among the parts, at random, so that samples that share a tie land in one part.

    Groups are dealt out stratum by stratum, each to the part that lacks most of its share: sizes and
    the strata's proportions come as near to `shares` as the groups allow. The first part has of every
    stratum at least one group, and no part stays empty while another has groups to spare.

    Args:
        ties: of each sample: its group, its text... Two samples that have one in common are never separated,
            nor are those that a chain of such pairs connects.
        strata: of each sample, such as its class; a group counts as its first sample's.
        shares: of each part, training first; they sum to 1.
        seed: the same seed gives the same split.

    Returns:
        The numbers of each part's samples, in random order, so that its first n are a fair sample too.
    """
    groups = list(_connected(ties).values())
    generator = np.random.default_rng(seed)
    shuffled = [groups[i] for i in generator.permutation(len(groups))]
    rank = {stratum: number for number, stratum in enumerate(dict.fromkeys(strata))}
    dealt: dict[str, list[list[int]]] = {part: [] for part in shares}
    sizes = dict.fromkeys(shares, 0)
    begun: set[Hashable] = set()
    seen = 0
    for group in sorted(shuffled, key=lambda group: rank[strata[group[0]]]):
        seen += len(group)
        part = max(shares, key=lambda part: shares[part] * seen - sizes[part])
        if strata[group[0]] not in begun:
            part = next(iter(shares))
            begun.add(strata[group[0]])
        dealt[part].append(group)
        sizes[part] += len(group)
    for part in shares:
        richest = max(dealt, key=lambda other: len(dealt[other]))
        if not dealt[part] and len(dealt[richest]) > 1:
            smallest = min(dealt[richest], key=len)
            dealt[richest].remove(smallest)
            dealt[part].append(smallest)
    rows = {part: [row for group in groups for row in group] for part, groups in dealt.items()}
    return {part: [own[i] for i in generator.permutation(len(own))] for part, own in rows.items()}


def fingerprints(ties: Iterable[Sequence[Hashable]]) -> Tensor:
    """63-bit numbers that stand for the ties, sorted, each once: int64 (different ties,)."""
    hashes = {_fingerprint(tie) for own in ties for tie in own}
    return torch.tensor(sorted(hashes), dtype=torch.int64)


def known(ties: Sequence[Sequence[Hashable]], seen: Tensor) -> list[bool]:
    """Of each sample, whether one of its ties is among those fingerprints."""
    among = set(seen.tolist())
    return [any(_fingerprint(tie) in among for tie in own) for own in ties]


def _fingerprint(tie: Hashable) -> int:
    return int.from_bytes(hashlib.blake2b(repr(tie).encode(), digest_size=8).digest(), "big") >> 1


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
