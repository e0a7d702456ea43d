"""A confusion matrix, drawn: rows are what is true, columns what was predicted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from litmus.page.charts import heat_map
from litmus.page.drawing import Drawing

BACKGROUND = "background"
MOST_NUMBERED = 20  # classes, up to which its cells have numbers


def confusion_matrix(
    label: str, matrix: NDArray[np.int64], names: Sequence[str], axes: tuple[str, str] = ("true", "predicted")
) -> Drawing:
    """The matrix, blue where it is right and orange where it is wrong.

    Args:
        label: what it shows.
        matrix: counts (true, predicted); one row and column more than there are names is the background of boxes.
        names: of the classes.
        axes: what rows are, and columns.
    """
    has_background = len(matrix) > len(names)
    every = [*names, *([BACKGROUND] * has_background)]
    shares = _colored(matrix)
    if has_background:
        shares[-1, -1] = np.nan  # nothing, where there is nothing
    texts = [[f"{n}" if n else "" for n in row] for row in matrix] if len(names) <= MOST_NUMBERED else None
    titles = [
        [f"{every[i]} taken for {every[j]}: {n}" if i != j else f"{every[i]} right: {n}" for j, n in enumerate(row)]
        for i, row in enumerate(matrix)
    ]
    return heat_map(label, shares, every, every, texts, titles, axes)


def _colored(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much color each cell gets: see `heat_map`."""
    right = np.diag(matrix) / np.maximum(matrix.sum(axis=1), 1)
    wrong = matrix - np.diag(np.diag(matrix))
    return np.asarray(np.diag(right) - np.sqrt(wrong / max(int(wrong.max()), 1)))
