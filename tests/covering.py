"""Of a product of two lists, what is tested each time: every element of both. `make test-all` has the rest."""

from collections.abc import Sequence
from itertools import product

import pytest
from _pytest.mark import ParameterSet

Pair = tuple[str, str]


def cover(pairs: Sequence[Pair]) -> list[Pair]:
    """Of each first element the first pair, and the first pair of each second one."""
    return [
        pair
        for i, pair in enumerate(pairs)
        if any(pair[side] not in [before[side] for before in pairs[:i]] for side in (0, 1))
    ]


def covering(pairs: Sequence[Pair]) -> list[ParameterSet]:
    """All pairs, of which those that cover them are no slow tests."""
    kept = cover(pairs)
    return [pytest.param(*pair, marks=[] if pair in kept else [pytest.mark.slow]) for pair in pairs]


def each_once(first: Sequence[object], second: Sequence[object]) -> list[ParameterSet]:
    """All pairs of two lists; those that go along the longer one, with the other again and again, are no slow tests."""
    kept = {(i % len(first), i % len(second)) for i in range(max(len(first), len(second)))}
    return [
        pytest.param(one, other, marks=[] if (i, j) in kept else [pytest.mark.slow])
        for (i, one), (j, other) in product(enumerate(first), enumerate(second))
    ]
