"""Several labels in a cell: which there are, and which of them a sample has."""

from collections import Counter
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from litmus.data._classes import list_some
from litmus.data._targets import name_of, sort_names
from litmus.errors import UserError
from litmus.spec import Labels

Marked = tuple[str, ...]  # the labels of a sample


def split_cell(cell: object, separator: str) -> Marked:
    """The labels of a cell, each once, in order; none for one that is empty."""
    parts = name_of("" if cell is None else cell).split(separator)
    return tuple(dict.fromkeys(part for part in map(str.strip, parts) if part))


def make_labels(samples: Collection[Marked], what: str, separator: str) -> Labels:
    """The labels in order of their names.

    Args:
        samples: the labels of each, of all splits.
        what: names the source in messages: `data.target=tags`.
        separator: in a cell.

    Raises:
        UserError: no sample has several.
    """
    names = {name for own in samples for name in own}
    if all(len(own) < 2 for own in samples):
        raise UserError(
            f"{what}: no cell has several labels with {separator} between them. Leave data.target_separator out if "
            "each sample has one class."
        )
    return Labels(tuple(sort_names(names)))


def multi_hot(samples: Sequence[Marked], labels: Labels, data: str) -> Tensor:
    """A 1 for each label that a sample has: uint8 (samples, labels).

    Raises:
        UserError: a sample has a label that is none of these.
    """
    number = {name: i for i, name in enumerate(labels.names)}
    if unknown := sorted({name for own in samples for name in own} - set(number)):
        raise UserError(f"data={data} has labels that the network was not trained on: {list_some(unknown)}.")
    rows = [row for row, own in enumerate(samples) for _ in own]
    marked = torch.zeros(len(samples), len(labels.names), dtype=torch.uint8)
    marked[rows, [number[name] for own in samples for name in own]] = 1
    return marked


def rarest(samples: Sequence[Marked]) -> list[str]:
    """Of each sample its rarest label, as the stratum of a split: so that training has every label.

    Not all its labels: of combinations there are many, which occur once. (As Sechidis et al. 2011 begin with the
    rarest label.)
    """
    counts = Counter(name for own in samples for name in own)
    return [min(own, key=lambda name: (counts[name], name), default="") for own in samples]
