"""What the columns of a table are: numbers, categories, dates, yes and no, or nothing that a network can use."""

import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from litmus.config.validate import list_override
from litmus.data._targets import sort_names
from litmus.data.columns import formats
from litmus.data.columns.encode import Floats, as_days, as_numbers, cycle
from litmus.data.columns.formats import MOST
from litmus.data.columns.read import as_names
from litmus.errors import UserError
from litmus.spec import Category, Columns, Date, Number

log = logging.getLogger(__name__)

Scaling = Literal["standard", "quantile"]
FEW_VALUES = 20  # text of so many distinct values is a category, whatever the number of rows
ROWS_PER_VALUE = 10  # on average, of a category with more
MIN_COUNT = 2  # training rows of a category's value; rarer ones share the number of unknown ones, which they train
NUM_QUANTILES = 101
MIN_SPREAD = 0.01  # of a cycle's sine or cosine, for training rows to differ on it
WORDS = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"), ("nein", "ja"), ("non", "oui"))
ID_NAME = re.compile(r"(?i:(^|[\W_])(id|uuid|guid))$|[a-z](Id|ID)$")
ID_NAME_IF_DISTINCT = re.compile(r"(?i)(^|[\W_])(index|idx|key|nr|no|number|rownames?|row)$|^column_1$|^unnamed: 0$")


@dataclass(frozen=True)
class Found:
    """What was decided of a column: `use` says it to a person; `column` is None if it is left out."""

    name: str
    kind: str
    use: str
    column: Number | Date | Category | None = None


def discover(
    train: pl.DataFrame,
    whole: pl.DataFrame,
    *,
    numeric: Collection[str],
    categorical: Collection[str],
    ignored: Collection[str],
    scaling: Scaling,
) -> list[Found]:
    """What each column is, by the training rows.

    Args:
        train: the training rows, of the columns that may be inputs.
        whole: all rows; whether a column numbers the rows shows there only.
        numeric: columns that are numbers, whatever they look like.
        categorical: columns that are categories, whatever they look like.
        ignored: columns that are left out.
        scaling: of numbers.

    Raises:
        UserError: a column that should be numbers has none.
    """
    found = []
    for column in train:
        if column.name in ignored:
            found.append(Found(column.name, "-", "left out: data.ignore"))
        elif column.name in numeric:
            found.append(_forced_number(column, scaling))
        elif column.name in categorical:
            found.append(_category(column))
        else:
            found.append(_decide(column, whole[column.name], scaling))
    return found


def as_columns(found: Sequence[Found], thousands: Collection[str] = ()) -> Columns:
    """The columns that a network receives.

    Args:
        found: what was decided of each.
        thousands: those in which points stand between thousands, as `read_table` names them.
    """
    columns = [each.column for each in found]
    return Columns(
        tuple(replace(each, thousands=each.name in thousands) for each in columns if isinstance(each, Number)),
        tuple(column for column in columns if isinstance(column, Date)),
        tuple(column for column in columns if isinstance(column, Category)),
    )


def date_format(column: pl.Series, warns: bool = False) -> str | None:
    """The format of a column of dates: empty for a file's own dates; None for another column.

    Args:
        column: all of its cells, as they decide.
        warns: whether to warn where day and month may be in either order.
    """
    if column.dtype == pl.Datetime:
        return ""
    forms = formats.readings(column.drop_nulls()) if column.dtype == pl.String else []
    if warns and len(forms) > 1:
        log.warning("%s", formats.said(column.name, forms))
    return forms[0] if forms else None


def _decide(column: pl.Series, whole: pl.Series, scaling: Scaling) -> Found:
    present = column.drop_nulls()
    num_distinct = present.n_unique()
    if not len(present):
        return Found(column.name, "empty", "left out: no training row has a value")
    if num_distinct == 1 and len(present) == len(column):
        return Found(column.name, "constant", "left out: the same in every training row")
    if column.dtype == pl.Boolean:
        return _number(column, "standard", "yes/no", "false 0, true 1", ("false", "true"))
    if column.dtype == pl.Float64 and not _is_identifier(column.name, whole):
        return _number(column, scaling)
    form = date_format(whole, warns=True)
    if form is not None and np.isfinite(as_days(present, form)).any():
        return _date(column, form)
    if column.dtype == pl.String and np.isfinite(as_numbers(present)).mean() >= MOST:
        return _number(column, scaling)
    lower = set(present.str.to_lowercase().unique().head(3)) if column.dtype == pl.String else set()
    if words := next((pair for pair in WORDS if lower == set(pair)), None):
        return _number(column, "standard", "yes/no", f"{words[0]} 0, {words[1]} 1", words)
    if _is_identifier(column.name, whole):
        return Found(column.name, "identifier", "left out: it names rows")
    _warn_of_numbers(column)
    if num_distinct <= max(FEW_VALUES, len(column) // ROWS_PER_VALUE) and num_distinct <= max(2, len(present) // 2):
        return _category(column)
    return Found(column.name, "text", f"left out: {num_distinct:,} distinct texts")


def _warn_of_numbers(column: pl.Series) -> None:
    """Of a column that is none of numbers, though many of its distinct cells are."""
    distinct = column.drop_nulls().unique(maintain_order=True).cast(pl.String)
    absent = np.isnan(as_numbers(distinct))
    if len(distinct) > FEW_VALUES and absent.mean() < 0.5:
        log.warning(
            "Column %s has numbers, and others such as %r: %s makes it one of numbers, and counts the "
            "others as missing.",
            column.name,
            distinct.filter(pl.Series(absent))[0],
            list_override("data.numeric", [column.name]),
        )


def _is_identifier(name: str, whole: pl.Series) -> bool:
    """Whether a column names the rows, or what they belong to: as its name says, or by counting from 0 or 1."""
    num_distinct = whole.n_unique()
    if ID_NAME.search(name):
        return num_distinct > FEW_VALUES
    if whole.null_count() or num_distinct < len(whole):
        return False
    if ID_NAME_IF_DISTINCT.search(name):
        return True
    if whole.dtype != pl.Float64:
        return False
    first, last = float(whole.to_numpy().min()), float(whole.to_numpy().max())
    counts = bool((whole == whole.round()).all()) and first in (0, 1) and last - first == len(whole) - 1
    return counts and len(whole) > FEW_VALUES


def _forced_number(column: pl.Series, scaling: Scaling) -> Found:
    words: tuple[str, ...] = ()
    if column.dtype == pl.String:
        lower = set(column.drop_nulls().str.to_lowercase().unique())
        words = next((pair for pair in WORDS if lower == set(pair)), ())
    if not np.isfinite(as_numbers(column, words)).any():
        raise UserError(f"data.numeric names {column.name}, but no training row has a number there.")
    return _number(column, scaling, words=words)


def _number(
    column: pl.Series, scaling: Scaling, kind: str = "number", how: str = "", words: tuple[str, ...] = ()
) -> Found:
    values = as_numbers(column, words)
    number = _facts(column.name, values, scaling, words)
    how = how or ("standardized" if scaling == "standard" else "by its quantiles")
    wrong = int(np.isnan(values).sum()) - column.null_count()
    notes = [how, *([f"{wrong:,} no numbers"] if wrong else []), *_absence(values)]
    return Found(column.name, kind, "; ".join(notes), number)


def _absence(values: Floats) -> list[str]:
    """A note on missing values, if there are any."""
    absent = np.isnan(values).mean()
    return [f"{absent:.1%} missing: the median, and an indicator"] if absent else []


def _facts(name: str, values: Floats, scaling: Scaling, words: tuple[str, ...] = ()) -> Number:
    present = values[~np.isnan(values)]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(present.mean()), float(present.std())
    if not np.isfinite(std):
        raise UserError(f"Column {name} has numbers that are too large: up to {np.abs(present).max():.1e}.")
    quantiles = np.quantile(present, np.linspace(0, 1, NUM_QUANTILES)) if scaling == "quantile" else np.array([])
    median = float(np.median(present))
    return Number(name, mean, std or 1.0, median, len(present) < len(values), tuple(quantiles.tolist()), words)


def _date(column: pl.Series, form: str) -> Found:
    days = as_days(column, form)
    present = days[~np.isnan(days)]
    cycles = tuple(name for name in ("year", "week", "day") if _spread(present, name) > MIN_SPREAD)
    read = [f"read as {form}"] if form else []
    use = "; ".join([*read, ", ".join(["days", *cycles]), *_absence(days)])
    return Found(column.name, "date", use, Date(_facts(column.name, days, "standard"), form, cycles))


def _spread(days: Floats, name: str) -> float:
    return max(float(part.std()) for part in cycle(days, name))


def _category(column: pl.Series) -> Found:
    counts = as_names(column).drop_nulls().value_counts()
    frequent = counts.filter(pl.col("count") >= MIN_COUNT)[column.name].to_list()
    rare = counts.height - len(frequent)
    notes = [f"{len(frequent):,} values", *([f"{rare:,} rare ones as unknown"] if rare else [])]
    if column.null_count():
        notes.append(f"{column.null_count() / len(column):.1%} missing")
    return Found(column.name, "category", "; ".join(notes), Category(column.name, tuple(sort_names(frequent))))
