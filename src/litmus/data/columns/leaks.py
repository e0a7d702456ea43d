"""Columns that give the target away: equal to it, or nearly; they are often not known when one predicts."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from litmus.data.columns.discover import Found
from litmus.data.columns.encode import Floats, values_of

Target = NDArray[np.float64] | NDArray[np.int64]
NUM_ROWS = 10_000  # that are looked at
LEAST_ROWS = 20  # fewer tell nothing
LEAST_OF_A_CLASS = 5  # rows; rarer classes tell nothing, and are left out
# Correlation with a target of numbers, of ranks or of values. It leaves 1.4 % of the target's deviation: less than
# an honest column leaves, but more than a price in another currency does, at whatever rate of the day. Of values only
# where ranks agree, too: one row far from all others would be enough.
SAME, SAME_RANKS = 0.9999, 0.999
LEAST_STEPS = 5  # distinct values of a column that are intervals of the target, one after the other: it is rounded
NEIGHBORS = 5  # values on either side of a cut between classes
# Of the step between two classes, relative to those around it, and of these relative to usual ones of the class whose
# values are rarer. Sets of 60 to 10,000 values (normal, uniform, lognormal) that were cut anywhere stay below both.
FAR, RARE = 15.0, 3.0
PURE = 0.999  # fraction that a column's values give: of the rows beyond the largest class, or of a number's variance


def find_leaks(train: pl.DataFrame, found: Sequence[Found], target: Target) -> list[str]:
    """The names of the columns that determine the target, or nearly; by being missing, too.

    Args:
        train: the training rows, in random order.
        found: its columns.
        target: classes as int64, or numbers as float64, of the rows.
    """
    train, target = train.head(NUM_ROWS), target[:NUM_ROWS]
    if len(target) < LEAST_ROWS:
        return []
    gives_away = _gives_class if target.dtype == np.int64 else _gives_number
    used = [(each.name, each.column) for each in found if each.column is not None]
    numbered = ((name, _numbered(values_of(train[name], column))) for name, column in used)
    return [
        name
        for name, values in numbered
        if gives_away(values, target) or gives_away(np.isnan(values).astype(np.float64), target)
    ]


def _numbered(values: Floats | pl.Series) -> Floats:
    """Names as numbers, in any order."""
    return values.rank("dense").to_numpy().astype(np.float64) if isinstance(values, pl.Series) else values


def _gives_class(values: Floats, target: Target) -> bool:
    """Whether few values each belong to one class, or each class is an interval of the values, next to another's.

    An honest column may tell classes apart that lie far from each other; one that the classes were cut from has values
    on both sides of each cut.
    """
    known = ~np.isnan(values)
    values, target = values[known], target[known].astype(np.int64)
    enough = np.bincount(target)[target] >= LEAST_OF_A_CLASS if len(target) else np.zeros(0, dtype=np.bool_)
    values, target = values[enough], target[enough]
    counts = np.unique(target, return_counts=True)[1]
    num_classes = len(counts)
    if num_classes < 2:
        return False
    own, codes = np.unique(values, return_inverse=True)
    num_values = len(own)
    table = np.zeros((num_values, int(target.max()) + 1), dtype=np.int64)
    np.add.at(table, (codes, target), 1)
    num_wrong = len(values) - table.max(axis=1).sum()
    pure = bool(num_wrong <= (1 - PURE) * (len(values) - counts.max()))
    classes = table.argmax(axis=1)  # of each value, from the smallest
    if not pure or num_values <= len(values) // 10:
        return pure
    cuts = [-1, *np.flatnonzero(np.diff(classes)).tolist(), num_values - 1]
    if len(cuts) != num_classes + 1:
        return False
    steps = np.diff(own)
    return all(_is_cut(steps, *cuts[i : i + 3]) for i in range(num_classes - 1))


def _is_cut(steps: Floats, start: int, cut: int, stop: int) -> bool:
    """Whether values run on from one class to the next, as those do that the classes were made of.

    Classes of which each has its values around a middle are far apart, or their values are rare between the two.

    Args:
        steps: from each value to the next.
        start: of the first class's steps, less 1.
        cut: the step between the two.
        stop: of the second class's.
    """
    near = float(np.median(steps[max(cut - NEIGHBORS, 0) : cut + NEIGHBORS + 1]))
    classes = steps[start + 1 : cut], steps[cut + 1 : stop]
    usual = max(float(np.median(own)) if len(own) else np.inf for own in classes)
    return bool(steps[cut] <= FAR * near) and near <= RARE * usual


def _gives_number(values: Floats, target: Target) -> bool:
    """Whether both are nearly the same, values are the target rounded, or few of them each belong to one number."""
    known = ~np.isnan(values)
    values, target = values[known], target[known]
    if len(values) < LEAST_ROWS or values.std() == 0 or target.std() == 0:
        return False
    ranks = abs(np.corrcoef(rankdata(values), rankdata(target))[0, 1])
    if ranks >= SAME or (ranks >= SAME_RANKS and abs(np.corrcoef(values, target)[0, 1]) >= SAME):
        return True
    if _is_rounded(values, target) or _is_rounded(-values, target):
        return True
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(counts) > len(values) // 10:
        return False
    means = np.bincount(codes, target) / counts
    return bool(((target - means[codes]) ** 2).mean() <= (1 - PURE) * target.var())


def _is_rounded(values: Floats, target: Target) -> bool:
    """Whether the values never fall while the target rises, so that each is an interval of it."""
    rising = values[np.lexsort((values, target))]
    return bool((np.diff(rising) >= 0).all()) and len(np.unique(values)) >= LEAST_STEPS
