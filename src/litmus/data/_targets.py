"""What a column of targets holds: classes or numbers, in which order, and on which scale."""

import logging
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from litmus.data import _numbers
from litmus.errors import UserError
from litmus.spec import Values

log = logging.getLogger(__name__)

TargetKind = Literal["auto", "classes", "numbers"]
MIN_NUMERIC = 0.9  # fraction of targets that must be numbers for the others to count as mistakes
DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}\b")
MAX_CLASSES = 20  # numeric targets with more distinct ones than this are values


def is_blank(cell: object) -> bool:
    """Whether a cell holds nothing."""
    return cell is None or not str(cell).strip() or (isinstance(cell, float) and math.isnan(cell))


def name_of(cell: object) -> str:
    """The name of a class, as text."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):  # integers of a column with gaps are read as floats
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell).strip()


def sort_names(names: Collection[str]) -> list[str]:
    """The names in alphabetical order; of numbers, in that of numbers."""
    numbers = {name: _numbers.number(name) for name in names}
    if all(number is not None for number in numbers.values()):
        return sorted(names, key=lambda name: numbers[name] or 0.0)
    return sorted(names)


def is_numeric(key: str, column: str, kind: TargetKind, counts: Mapping[str, int], *, asks: bool = False) -> bool:
    """Whether targets are values, not classes; a few that are not numbers do not change that.

    What may be either is asked about: many dates; many words, half of them numbers; with `asks`, many whole numbers.

    Args:
        key: that names the column in messages, such as `data.label`.
        column: its name.
        kind: as requested.
        counts: how often each target occurs, by its name.
        asks: whether many whole numbers are as likely the names of classes, as of images.

    Raises:
        UserError: they are neither: nearly all are distinct; or `kind` has to say it.
    """
    num_rows = sum(counts.values())
    if kind == "numbers" or not num_rows:
        return kind == "numbers"
    numbers = {name: number for name in counts if (number := _numbers.number(name)) is not None}
    many, fractions = len(set(numbers.values())) > MAX_CLASSES, any(n != round(n) for n in numbers.values())
    share = sum(counts[name] for name in numbers) / num_rows
    if kind == "auto" and len(counts) > MAX_CLASSES:
        _ask(key, column, counts, numeric=share >= 0.5 and (share < MIN_NUMERIC or (asks and not fractions)))
    if kind == "auto" and (many or fractions) and share >= MIN_NUMERIC:
        log.info("%s=%s: numbers; set data.kind=classes to treat them as classes", key, column)
        return True
    if len(counts) > max(MAX_CLASSES, num_rows // 2):
        raise UserError(
            f"{key}={column} has {len(counts):,} distinct values in {num_rows:,} rows, such as "
            f"{next((name for name in counts if name not in numbers), column)!r}: neither classes nor numbers. "
            f"Set {key} to the column to predict, or data.kind=numbers if these are numbers with mistakes among them."
        )
    log.info("%s=%s: %d classes", key, column, len(counts))
    return False


def _ask(key: str, column: str, counts: Mapping[str, int], *, numeric: bool) -> None:
    """Raises a UserError for what may be numbers, and for dates."""
    found = f"{key}={column} has {len(counts):,} distinct values, such as {next(iter(counts))}."
    if numeric:
        raise UserError(
            f"{found} Is this a number? data.kind=numbers. Are these the names of classes? data.kind=classes."
        )
    if sum(DATE.match(name) is not None for name in counts) >= MIN_NUMERIC * len(counts):
        raise UserError(
            f"{found} These are dates, which are neither classes nor numbers. Set {key} to the column to predict, or "
            "data.kind=classes if each date is a class."
        )


def make_values(names: Sequence[str], training: Tensor) -> Values:
    """Values to predict, with the mean and standard deviation of their training samples.

    Args:
        names: of the values.
        training: float64 (samples, values).

    Raises:
        UserError: the training targets of a value are all the same.
    """
    columns = training.T.contiguous()
    means, stds = [float(column.mean()) for column in columns], [float(column.std(correction=0)) for column in columns]
    for name, std in zip(names, stds, strict=True):
        if not std > 0:
            raise UserError(f"Every training sample has the same {name}: there is nothing to learn.")
    return Values(tuple(names), tuple(means), tuple(stds))


def scaled(numbers: Tensor, values: Values) -> Tensor:
    """float64 (samples, values) in their own units -> float32, as a network predicts them."""
    mean, std = (torch.tensor(fact, dtype=torch.float64) for fact in (values.mean, values.std))
    return ((numbers - mean) / std).float()
