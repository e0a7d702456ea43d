"""Several labels in a cell: which there are, and which of them a sample has."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import torch
from torch import Tensor

from litmus.data._classes import list_some
from litmus.data._targets import is_blank, name_of, sort_names
from litmus.errors import UserError
from litmus.spec import Labels

Marked = tuple[str, ...]  # the labels of a sample


def split_cell(cell: object, separator: str) -> Marked:
    """The labels of a cell, each once, in order; none for one that is empty. A list holds its labels themselves."""
    items = _as_list(cell)
    parts = items if items is not None else name_of("" if cell is None else cell).split(separator)
    return tuple(dict.fromkeys(name_of(part) for part in parts if not is_blank(part)))


def refuse_lists(cells: Iterable[object], what: str) -> None:
    """Refuses cells that are lists, where no separator says that they hold labels.

    Args:
        cells: of the targets.
        what: names the source in messages: `data.target=tags`.

    Raises:
        UserError: each cell that is not empty is a list.
    """
    present = [cell for cell in cells if not is_blank(cell)]
    if present and all(_as_list(cell) is not None for cell in present):
        raise UserError(
            f"{what} holds lists, such as {present[0]}. If they are the labels of a sample, set data.target_separator: "
            "data.target_separator='|'."
        )


def _as_list(cell: object) -> list[object] | None:
    """The items of a list, or of one that is written as JSON; None for another cell."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    return cell if isinstance(cell, list) else None


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
