"""Splits in which what belongs together stays together."""

import hashlib
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.errors import UserError

log = logging.getLogger(__name__)

Sample = TypeVar("Sample")


def completed(
    given: Mapping[str, Sequence[Sample]],
    group: Callable[[Sample], Hashable],
    stratum: Callable[[Sample], Hashable],
    shares: Mapping[str, float],
    limit: int | None,
    seed: int,
) -> dict[Split, list[Sample]]:
    """Training, validation and test samples, where some of these parts come ready-made.

    Args:
        given: the parts that there are, "train" among them; the others are split off it.
        group: what a sample shares with those that must stay on its side.
        stratum: what should be as frequent on all sides.
        shares: of the training samples, for "val" and "test", where they are split off.
        limit: samples of a part, at most.
        seed: of the split.
    """
    whole = given["train"]
    wanted = {part: None if part in given else shares[part] for part in ("val", "test")}
    groups, strata = [(group(sample),) for sample in whole], [stratum(sample) for sample in whole]
    rows = split_parts(groups, strata, val_share=wanted["val"], test_share=wanted["test"], seed=seed)
    parts = {**given, **{part: [whole[i] for i in numbers] for part, numbers in rows.items()}}
    # As of those that were dealt, the first n of the others are a fair sample, too.
    for part in set(given) - (set(rows) if len(rows) > 1 else set()):
        parts[part] = [given[part][i] for i in np.random.default_rng(seed).permutation(len(given[part]))]
    return {part: list(parts[part][:limit]) for part in SPLITS}


def split_parts(
    groups: Sequence[Sequence[Hashable]],
    strata: Sequence[Hashable],
    *,
    val_share: float | None,
    test_share: float | None,
    seed: int,
) -> dict[str, list[int]]:
    """Training, validation and test samples, as `split_groups` divides them; None leaves a part out.

    The test part is split off first: what validates does not change what tests.

    Args:
        groups: see `split_groups`.
        strata: see `split_groups`.
        val_share: of all samples.
        test_share: of all samples.
        seed: of the split.
    """
    rows = {"train": list(range(len(groups)))}
    rest = 1.0
    for part, share in (("test", test_share), ("val", val_share)):
        if share is None:
            continue
        left = rows["train"]
        own_ties, own_strata = [groups[i] for i in left], [strata[i] for i in left]
        dealt = split_groups(own_ties, own_strata, {"train": 1 - share / rest, part: share / rest}, seed)
        rows |= {name: [left[i] for i in places] for name, places in dealt.items()}
        rest -= share
    return rows


def split_groups(
    groups: Sequence[Sequence[Hashable]], strata: Sequence[Hashable], shares: Mapping[str, float], seed: int
) -> dict[str, list[int]]:
    """Divides samples among the parts, at random, so that samples that share a tie land in one part.

    Groups are dealt out stratum by stratum, each to the part that lacks most of its share: sizes and
    the strata's proportions come as near to `shares` as the groups allow. The first part has of every
    stratum at least one group, and no part stays empty while another has groups to spare.

    Args:
        groups: of each sample: its group, its text... Two samples that have one in common are never separated,
            nor are those that a chain of such pairs connects.
        strata: of each sample, such as its class; a group counts as its first sample's.
        shares: of each part, training first; they sum to 1.
        seed: the same seed gives the same split.

    Returns:
        The numbers of each part's samples, in random order, so that its first n are a fair sample too.
    """
    components = _components(groups)
    generator = np.random.default_rng(seed)
    shuffled = [components[i] for i in generator.permutation(len(components))]
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
    rows = {part: [row for group in held for row in group] for part, held in dealt.items()}
    return {part: [own[i] for i in generator.permutation(len(own))] for part, own in rows.items()}


def fingerprints(groups: Iterable[Sequence[Hashable]]) -> Tensor:
    """63-bit numbers that stand for the ties, sorted, each once: int64 (different ties,)."""
    hashes = {_fingerprint(group) for own in groups for group in own}
    return torch.tensor(sorted(hashes), dtype=torch.int64)


def known(groups: Sequence[Sequence[Hashable]], seen: Tensor) -> list[bool]:
    """Of each sample, whether one of its ties is among those fingerprints."""
    among = set(seen.tolist())
    return [any(_fingerprint(group) in among for group in own) for own in groups]


def unseen(groups: Sequence[Sequence[Hashable]], seen: Tensor, noun: str) -> list[int]:
    """Test samples that a network was neither trained nor chosen on; the log says how many others there are.

    Raises:
        UserError: there are only others.
    """
    fresh = [i for i, was in enumerate(known(groups, seen)) if not was]
    said = f"{len(groups) - len(fresh)} of {len(groups)} test {noun} belong to what the run was trained or chosen on"
    if not fresh:
        raise UserError(f"{said}: nothing is left to measure.")
    if len(fresh) < len(groups):
        log.warning("%s; they are left out.", said)
    return fresh


def _fingerprint(group: Hashable) -> int:
    return int.from_bytes(hashlib.blake2b(repr(group).encode(), digest_size=8).digest(), "big") >> 1


def _components(groups: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Connected components of the graph in which two samples with a common tie are neighbors, by first sample."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # An edge from each sample to each of its ties, which are nodes of their own after the samples.
    tie = {}
    edges = [(row, tie.setdefault(group, len(groups) + len(tie))) for row, own in enumerate(groups) for group in own]
    size = len(groups) + len(tie)
    rows, columns = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges), dtype=bool), (rows, columns)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    components: dict[int, list[int]] = {}
    for sample, label in enumerate(labels[: len(groups)].tolist()):
        components.setdefault(label, []).append(sample)
    return list(components.values())
