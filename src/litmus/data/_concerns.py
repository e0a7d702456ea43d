"""What a training split lacks, in sentences: classes without samples, with few, or with far more than others."""

from collections.abc import Sequence

from litmus.data._classes import list_some

FEW = 10  # training samples of a class, below which it is named
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


def of_texts(num_cut: int, num_texts: int, max_length: int) -> list[str]:
    """A sentence on training texts that are longer than the network reads."""
    if not num_cut:
        return []
    return [
        f"{num_cut:,} of {num_texts:,} training texts are longer than model.max_length={max_length} tokens: the "
        "network reads their beginning only."
    ]
