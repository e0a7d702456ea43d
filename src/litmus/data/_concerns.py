"""What is wrong with splits, in sentences: rare classes, columns that tell the target, rows in two of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from litmus.config.protocols import Split
from litmus.config.validate import list_override
from litmus.data._classes import list_some

FEW = 10  # training samples of a class, below which it is named
REPEATED = 0.01  # fraction of a split's rows that are in an earlier one, from which on it is said
BETWEEN_LABELS = ("|", ";", ",", "/")
IMBALANCE = 4  # ratio of the largest class to the smallest from which on it is said


def of_classes(counts: Sequence[int], names: Sequence[str], noun: str, limit: int | None, hint: str) -> list[str]:
    """Sentences on classes or labels.

    Args:
        counts: training samples of each; of boxes, how many there are.
        names: of each.
        noun: for several of them, such as `classes`.
        limit: of the training samples, if some were left out.
        hint: what can be done about an imbalance; empty where classes need not be balanced.
    """
    said = []
    own = dict(zip(names, counts, strict=True))
    if absent := [name for name, count in own.items() if not count]:
        why = f" data.limit={limit} leaves them out, or there are none." if limit is not None else ""
        said.append(
            f"{len(absent)} of {len(own)} {noun} have no training sample, so the network cannot learn them: "
            f"{list_some(absent)}.{why}"
        )
    rarest = sorted((count, name) for name, count in own.items() if 0 < count < FEW)
    if rarest:
        listed = list_some([f"{name} ({count})" for count, name in rarest])
        said.append(f"{len(rarest)} of {len(own)} {noun} have fewer than {FEW} training samples: {listed}.")
    present = {name: count for name, count in own.items() if count}
    if hint and present:
        most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        if present[most] >= IMBALANCE * present[least]:
            said.append(
                f"{noun.capitalize()} are imbalanced: {present[most]:,} training samples of {most}, "
                f"{present[least]:,} of {least}. {hint}"
            )
    return said


def of_joined(names: Sequence[str]) -> list[str]:
    """A sentence on classes such as `cat|dog`, where `cat` and `dog` are classes, too, and a cell may hold several."""
    for separator in BETWEEN_LABELS:
        parts = {name: [part.strip() for part in name.split(separator)] for name in names if separator in name}
        if joined := [name for name, own in parts.items() if set(own) <= set(names) - set(parts)]:
            return [
                f"{list_some(joined)}: {'is a class' if len(joined) == 1 else 'are classes'} made of others. If a cell "
                f"holds several labels, set \"data.target_separator='{separator}'\"."
            ]
    return []


def of_leaks(target: str, columns: Sequence[str]) -> list[str]:
    """A sentence on columns that determine the target."""
    if not columns:
        return []
    return [
        f"data.target={target} is determined, or nearly, by the column{'s' * (len(columns) > 1)} {', '.join(columns)}. "
        f"If that is not known when you predict, leave it out: {list_override('data.ignore', columns)}."
    ]


def num_repeated(samples: Mapping[Split, NDArray[np.generic]]) -> dict[Split, int]:
    """How many samples of validation and test are equal to one of an earlier split.

    Args:
        samples: of each split, a number for each sample's content.
    """
    earlier: dict[Split, list[Split]] = {"val": ["train"], "test": ["train", "val"]}
    return {
        split: int(np.isin(samples[split], np.concatenate([samples[other] for other in others])).sum())
        for split, others in earlier.items()
    }


def of_equal_rows(repeated: Mapping[Split, int], sizes: Mapping[Split, int]) -> list[str]:
    """Sentences on validation and test rows that a network knows from training, or was selected on.

    Args:
        repeated: see `num_repeated`; of rows, the target included.
        sizes: rows of each split.
    """
    what = {
        "val": "validation rows are also in the training",
        "test": "test rows are also in the training or validation",
    }
    return [
        f"{number:,} of {sizes[split]:,} {what[split]} split, target included: they measure no new data."
        for split, number in repeated.items()
        if number > REPEATED * sizes[split]
    ]


def of_texts(num_cut: int, num_texts: int, max_length: int) -> list[str]:
    """A sentence on training texts that are longer than the network reads."""
    if not num_cut:
        return []
    return [
        f"{num_cut:,} of {num_texts:,} training texts are longer than model.max_length={max_length} tokens: the "
        "network reads their beginning only."
    ]
