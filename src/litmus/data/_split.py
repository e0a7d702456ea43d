"""Splits into train, val and test in which samples that belong together stay together."""

import hashlib
import logging
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.data._folds import Fold, Shares
from litmus.errors import UserError

log = logging.getLogger(__name__)

Sample = TypeVar("Sample")


def limits(limit: int | None, limit_eval: int | None) -> dict[Split, int | None]:
    """How many samples of each split are used at most: of the training split, and of the others."""
    return {"train": limit, "val": limit_eval, "test": limit_eval}


def complete_splits(
    given: Mapping[str, Sequence[Sample]],
    group: Callable[[Sample], Hashable],
    stratum: Callable[[Sample], Hashable],
    shares: Shares,
    limits: Mapping[Split, int | None],
    seed: int,
) -> dict[Split, list[Sample]]:
    """Training, validation and test samples, where the dataset defines some of these splits itself.

    Args:
        given: the splits that the dataset defines, "train" among them; the others are taken from it.
        group: of a sample; samples of the same group are in the same split.
        stratum: of a sample, such as its class; its frequency should be the same in all splits.
        shares: what of the training samples becomes "val" and "test", where these are not given.
        limits: maximum number of samples in each split.
        seed: of the random split.
    """
    whole = given["train"]
    groups, strata = [(group(sample),) for sample in whole], [stratum(sample) for sample in whole]
    val, test = shares.wanted(given)
    rows = split_samples(groups, strata, val=val, test=test, seed=seed)
    splits = {**given, **{split: [whole[i] for i in numbers] for split, numbers in rows.items()}}
    # Given splits are shuffled, too, so that their first n samples are a random sample.
    for split in set(given) - (set(rows) if len(rows) > 1 else set()):
        splits[split] = [given[split][i] for i in np.random.default_rng(seed).permutation(len(given[split]))]
    return {split: list(splits[split][: limits[split]]) for split in SPLITS}


def split_samples(
    groups: Sequence[Sequence[Hashable]],
    strata: Sequence[Hashable],
    *,
    val: Fold | float | None,
    test: float | None,
    seed: int,
) -> dict[str, list[int]]:
    """Numbers of the training, validation and test samples, as `split_groups` divides them.

    The test samples are chosen first, so that they do not depend on the size of the validation set, nor on the fold.

    Args:
        groups: see `split_groups`.
        strata: see `split_groups`.
        val: a fold of what is not for the test, or a fraction of all samples; None makes no validation set.
        test: fraction of all samples; None makes no test set.
        seed: of the random split.
    """
    rows = {"train": list(range(len(groups)))}
    rest = 1.0
    wanted: tuple[tuple[str, Fold | float | None], ...] = (("test", test), ("val", val))
    for split, share in wanted:
        if share is None:
            continue
        left = rows["train"]
        own_groups, own_strata = [groups[i] for i in left], [strata[i] for i in left]
        if isinstance(share, Fold):
            divided = _split_fold(own_groups, own_strata, share, seed)
        else:
            divided = split_groups(own_groups, own_strata, {"train": 1 - share / rest, split: share / rest}, seed)
            rest -= share
        rows |= {name: [left[i] for i in numbers] for name, numbers in divided.items()}
    return rows


def _split_fold(
    groups: Sequence[Sequence[Hashable]], strata: Sequence[Hashable], fold: Fold, seed: int
) -> dict[str, list[int]]:
    """Numbers of the samples that train and validate; arguments as of `split_groups`."""
    parts = list(split_groups(groups, strata, dict.fromkeys(map(str, range(fold.of)), 1 / fold.of), seed).values())
    val = parts.pop(fold.number)
    train = [number for part in parts for number in part]
    return {"train": [train[i] for i in np.random.default_rng(seed).permutation(len(train))], "val": val}


def split_groups(
    groups: Sequence[Sequence[Hashable]], strata: Sequence[Hashable], shares: Mapping[str, float], seed: int
) -> dict[str, list[int]]:
    """Divides samples among splits at random, so that samples with a group in common are in the same split.

    Connected samples are assigned stratum by stratum, each component to the split that lacks most samples: sizes and
    proportions of the strata come as close to `shares` as the components allow. A training split gets at least one
    component of every stratum, and no split stays empty while another has more than one.

    Args:
        groups: of each sample, any number, such as its text. Two samples with a group in common are never separated,
            nor are those that a chain of such pairs connects.
        strata: of each sample, such as its class; a component counts as its first sample's.
        shares: the fraction of samples in each split, "train" first where there is one; they sum to 1.
        seed: the same seed makes the same split.

    Returns:
        The numbers of each split's samples, in random order, so that its first n are a random sample, too.
    """
    components = connected(groups)
    generator = np.random.default_rng(seed)
    shuffled = [components[i] for i in generator.permutation(len(components))]
    rank = {stratum: number for number, stratum in enumerate(dict.fromkeys(strata))}
    ordered = sorted(shuffled, key=lambda group: rank[strata[group[0]]])
    names = _assign([len(group) for group in ordered], [strata[group[0]] for group in ordered], shares)
    assigned: dict[str, list[list[int]]] = {split: [] for split in shares}
    for name, group in zip(names, ordered, strict=True):
        assigned[name].append(group)
    for split in shares:
        richest = max(assigned, key=lambda other: len(assigned[other]))
        if not assigned[split] and len(assigned[richest]) > 1:
            smallest = min(assigned[richest], key=len)
            assigned[richest].remove(smallest)
            assigned[split].append(smallest)
    rows = {split: [row for group in held for row in group] for split, held in assigned.items()}
    return {split: [own[i] for i in generator.permutation(len(own))] for split, own in rows.items()}


def _assign(sizes: Sequence[int], strata: Sequence[Hashable], shares: Mapping[str, float]) -> list[str]:
    """The split of each component, in turn: that which lacks most samples, and "train" for a stratum's first."""
    filled = dict.fromkeys(shares, 0)
    # Strata of which the training split has a component; folds are alike.
    started: set[Hashable] = set() if "train" in shares else set(strata)
    names = []
    num_seen = 0
    for size, stratum in zip(sizes, strata, strict=True):
        num_seen += size
        # A loop of its own: max() with a function takes three times as long, and there may be millions.
        split, most = "", -math.inf
        for name, share in shares.items():
            if (lack := share * num_seen - filled[name]) > most:
                split, most = name, lack
        if stratum not in started:
            split = "train"
            started.add(stratum)
        names.append(split)
        filled[split] += size
    return names


def split_rows(
    groups: NDArray[np.int64],
    strata: NDArray[np.int64],
    *,
    val: Fold | float | None,
    test: float | None,
    seed: int,
) -> dict[Split, NDArray[np.int64]]:
    """As `split_samples`, by arrays, of rows that are in one group each: a million takes seconds.

    Args:
        groups: the number of each row's group.
        strata: the number of each row's stratum.
        val: a fold of what is not for the test, or a fraction of all rows; None makes no validation set.
        test: fraction of all rows; None makes no test set.
        seed: of the random split.
    """
    rows: dict[Split, NDArray[np.int64]] = {"train": np.arange(len(groups))}
    rest = 1.0
    wanted: tuple[tuple[Split, Fold | float | None], ...] = (("test", test), ("val", val))
    for split, share in wanted:
        if share is None:
            continue
        left = rows["train"]
        if isinstance(share, Fold):
            parts = dict.fromkeys(map(str, range(share.of)), 1 / share.of)
            chosen = _choose(groups[left], strata[left], parts, str(share.number), seed)
        else:
            parts = {"train": 1 - share / rest, split: share / rest}
            chosen = _choose(groups[left], strata[left], parts, split, seed)
            rest -= share
        rows |= {"train": left[~chosen], split: left[chosen]}
    generator = np.random.default_rng(seed)
    return {split: generator.permutation(own) for split, own in rows.items()}


def _choose(
    groups: NDArray[np.int64], strata: NDArray[np.int64], shares: Mapping[str, float], wanted: str, seed: int
) -> NDArray[np.bool_]:
    """Which rows are in the split that is wanted, as `split_groups` divides them."""
    _, firsts, codes, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(firsts))
    order = order[np.argsort(strata[firsts][order], kind="stable")]
    names = _assign(sizes[order].tolist(), strata[firsts][order].tolist(), shares)
    chosen = np.zeros(len(firsts), dtype=np.bool_)
    chosen[order] = [name == wanted for name in names]
    if not chosen.any() and len(chosen) > 1 and "train" in shares:
        chosen[sizes.argmin()] = True
    return chosen[codes]


def time_bounds(times: NDArray[np.float64], num_val: int, num_test: int) -> list[int]:
    """Where validation and test begin, among rows in the order of time; rows of the same time stay together.

    A split begins at the change of time that is nearest to the place asked for, and no split is left empty that another
    place would fill.

    Args:
        times: of the rows, sorted.
        num_val: rows to validate on; 0 for none.
        num_test: rows to test on; 0 for none.
    """
    changes = np.flatnonzero(np.diff(times)) + 1
    test = _nearest(changes[1 if num_val else 0 :], len(times) - num_test, len(times)) if num_test else len(times)
    return [_nearest(changes[changes < test], test - num_val, test) if num_val else test, test]


def _nearest(places: NDArray[np.int64], wanted: int, otherwise: int) -> int:
    return int(places[np.abs(places - wanted).argmin()]) if len(places) else otherwise


def some_of(number: int, limit: int | None, seed: int) -> NDArray[np.int64]:
    """The numbers of at most `limit` of so many samples, at random, in their order."""
    if limit is None or limit >= number:
        return np.arange(number)
    return np.sort(np.random.default_rng(seed).permutation(number)[:limit])


def fingerprints(groups: Iterable[Sequence[Hashable]]) -> Tensor:
    """63-bit hashes of the groups, sorted, without duplicates: int64 (groups,)."""
    hashes = {fingerprint(group) for own in groups for group in own}
    return torch.tensor(sorted(hashes), dtype=torch.int64)


def row_fingerprints(rows: NDArray[np.generic]) -> Tensor:
    """63-bit hashes of the content of each row, int64 (rows,): a product with random odd numbers, modulo 2^64.

    Args:
        rows: numbers of 8 bytes, which are not copied, or of fewer.
    """
    if rows.dtype.itemsize < 8:
        content = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
        rows = np.pad(content, ((0, 0), (0, -content.shape[1] % 8)))
    words = rows.view(np.uint64)
    factors = np.random.default_rng(0).integers(1 << 63, size=words.shape[1], dtype=np.uint64) * 2 + 1
    return torch.from_numpy((np.einsum("ij,j->i", words, factors) >> 1).astype(np.int64))


def are_seen(groups: Sequence[Sequence[Hashable]], seen: Tensor) -> list[bool]:
    """For each sample, whether one of its groups is among the fingerprints `seen`."""
    hashes = set(seen.tolist())
    return [any(fingerprint(group) in hashes for group in own) for own in groups]


def num_tied(groups: Mapping[Split, Sequence[Sequence[Hashable]]]) -> dict[Split, int]:
    """How many samples of validation and test share a group with one of an earlier split.

    Args:
        groups: of each sample of each split: its content, say.
    """
    earlier: dict[Split, list[Split]] = {"val": ["train"], "test": ["train", "val"]}
    return {
        split: sum(are_seen(groups[split], fingerprints(own for other in others for own in groups[other])))
        for split, others in earlier.items()
    }


def select_unseen(were_seen: Sequence[bool], noun: str) -> list[int]:
    """Numbers of the test samples that a network was neither trained nor selected on; warns of the others.

    Args:
        were_seen: of each test sample, whether it was.
        noun: names the samples in messages.

    Raises:
        UserError: no sample is left.
    """
    fresh = [i for i, was in enumerate(were_seen) if not was]
    num_seen, number = len(were_seen) - len(fresh), len(were_seen)
    message = f"{num_seen} of {number} test {noun} are in the run's training or validation data"
    if not fresh:
        raise UserError(f"{message}: none is left to test on.")
    if num_seen:
        log.warning("%s; they are not used.", message)
    return fresh


class Fingerprint(int):
    """That of a group, in the place of what it was made of: a text takes its length."""

    __slots__ = ()


def fingerprint(group: Hashable) -> Fingerprint:
    """63-bit hash of a group; of a fingerprint, itself."""
    if isinstance(group, Fingerprint):
        return group
    return Fingerprint(int.from_bytes(hashlib.blake2b(repr(group).encode(), digest_size=8).digest(), "big") >> 1)


def connected(groups: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Connected components of the graph in which two samples with a group in common are neighbors, by first sample."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # An edge from each sample to each of its groups, which are nodes of their own after the samples.
    node: dict[Hashable, int] = {}
    columns = np.fromiter((node.setdefault(group, len(node)) for own in groups for group in own), np.int64)
    rows = np.repeat(np.arange(len(groups)), np.fromiter(map(len, groups), np.int64))
    size = len(groups) + len(node)
    del node
    graph = coo_array((np.ones(len(rows), dtype=bool), (rows, len(groups) + columns)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    components: dict[int, list[int]] = {}
    for sample, label in enumerate(labels[: len(groups)].tolist()):
        components.setdefault(label, []).append(sample)
    return list(components.values())
