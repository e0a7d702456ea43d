"""The classes of a dataset: in which order, how many samples of each, and how to name some of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from litmus.errors import UserError
from litmus.spec import Classes, Labels, Spec

if TYPE_CHECKING:
    from torch import Tensor

NUM_LISTED = 10


def count_classes(targets: "Tensor", spec: Spec) -> "Tensor":
    """Samples of each class or label, int64 (classes or labels,).

    Args:
        targets: class numbers, int64 (samples,), or a 1 for each label, uint8 (samples, labels).
        spec: of the dataset; its target is `Classes` or `Labels`.
    """
    if isinstance(spec.target, Labels):
        return targets.sum(dim=0)
    assert isinstance(spec.target, Classes)
    return targets.bincount(minlength=len(spec.target.names))


def make_classes(names: Sequence[str], training: Sequence[str], what: str) -> Classes:
    """Classes in the given order.

    Args:
        names: of the classes, each once.
        training: the class of each training sample.
        what: names the source in messages.

    Raises:
        UserError: there is only one class, or only one has training samples; `Data.concerns` names those without.
    """
    if len(names) < 2:
        raise UserError(f"{what} has only one class ({list_some(names)}): a classifier needs at least two.")
    if len(present := sorted(set(training))) < 2:
        raise UserError(f"{what}: all training samples have the class {list_some(present)}: there is nothing to learn.")
    return Classes(tuple(names))


def list_some(names: Sequence[str], separator: str = ", ") -> str:
    """The first ten names, and the number of the others: `a, b and 3 more`."""
    more = len(names) - NUM_LISTED
    return separator.join(names[:NUM_LISTED]) + (f" and {more:,} more" if more > 0 else "")
