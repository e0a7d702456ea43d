"""From a table's cells to what a network reads, in operations that every exported format has.

The same numbers as `data/columns/encode.py` makes, of columns of numbers: an exported file has an input for each
column. A date is the days since 1970, a category its number; `onnx_columns.py` takes categories as they are written.
"""

import torch
from torch import Tensor, nn

from litmus.data.columns.encode import FARTHEST_RANK, PERIODS
from litmus.spec import Category, Columns, Date, Number

# Wichura's algorithm AS 241 (Applied Statistics 37, 1988), PPND16: numerators and denominators, from the constant on.
NEAR = 0.425  # from rank 1/2, where the first holds
NEAR_CENTER = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
TOWARDS_ENDS = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)


class Cells(nn.Module):
    """The cells of rows, encoded: of all columns at once, as each operation takes an exporter some time.

    Args:
        columns: how they are encoded.
    """

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        self.columns = list(columns.by_name().values())

    def forward(self, *cells: Tensor) -> Tensor:
        """Float64 (batch,) for each number and date, int64 (batch,) for each category -> float32 (batch, places)."""
        parts: list[Tensor] = []
        given = list(zip(cells, self.columns, strict=True))
        with_days = [(values, _days(column)) for values, column in given if not isinstance(column, Category)]
        numbers = [number for _, number in with_days]
        if numbers:
            parts = _scaled(torch.stack([values for values, _ in with_days], dim=1), numbers)
        for values, column in given:
            if isinstance(column, Date):
                parts += [part[:, None] for part in _cycles(values, column)]
        if categories := [values for values, column in given if isinstance(column, Category)]:
            parts.append(torch.stack(categories, dim=1).double())
        return torch.cat(parts, dim=1)[:, self._order(numbers)].float()

    def _order(self, numbers: list[Number]) -> list[int]:
        """Where each place of the result is among the parts: numbers, what is missing of them, cycles, categories."""
        order, number, cycle = [], 0, 2 * len(numbers)
        category = cycle + 2 * sum(len(column.cycles) for column in self.columns if isinstance(column, Date))
        for column in self.columns:
            if isinstance(column, Category):
                order.append(category)
                category += 1
                continue
            order += [number, number + len(numbers)] if _days(column).missing else [number]
            number += 1
            if isinstance(column, Date):
                order += range(cycle, cycle + 2 * len(column.cycles))
                cycle += 2 * len(column.cycles)
        return order


def _days(column: Number | Date) -> Number:
    return column.days if isinstance(column, Date) else column


def example(column: Number | Date | Category, count: int, generator: torch.Generator) -> Tensor:
    """Random cells of a column, as `Cells.forward` takes them."""
    if isinstance(column, Category):
        return torch.randint(len(column.values) + 1, (count,), generator=generator)
    number = column.days if isinstance(column, Date) else column
    if number.words:
        values = torch.randint(2, (count,), generator=generator).double()
    else:
        values = number.mean + number.std * torch.randn(count, generator=generator, dtype=torch.float64)
    values[0] = torch.nan
    return values


def as_numbers(column: Number | Date | Category) -> str:
    """What the cells of a column are, as `Cells.forward` takes them."""
    if isinstance(column, Date):
        return "days since 1970-01-01, NaN if missing"
    if isinstance(column, Category):
        return "number of the category, from 1; 0 if unknown or missing"
    if column.words:
        return f"1 for {column.words[1]}, 0 for {column.words[0]}, NaN if missing"
    return "NaN if missing"


def as_written(column: Number | Category) -> str:
    """What the cells of a column are, where they are strings."""
    if isinstance(column, Category):
        return "a category; any other string counts as missing"
    return f"{' or '.join(column.words)}; any other string counts as missing"


def _scaled(values: Tensor, numbers: list[Number]) -> list[Tensor]:
    """(batch, numbers) -> the same on a network's scale, and 1 where a value is missing, each (batch, numbers)."""
    absent = ~values.isfinite()
    facts = zip(*((number.fill, number.mean, number.std) for number in numbers), strict=True)
    fill, mean, std = (torch.tensor(fact, dtype=torch.float64) for fact in facts)
    filled = torch.where(absent, fill, values)
    parts, order = [(filled - mean) / std], list(range(len(numbers)))
    for size in sorted({len(number.quantiles) for number in numbers} - {0}):
        ranked = [place for place, number in enumerate(numbers) if len(number.quantiles) == size]
        quantiles = torch.tensor([numbers[place].quantiles for place in ranked], dtype=torch.float64)
        for position, place in enumerate(ranked, start=sum(part.shape[1] for part in parts)):
            order[place] = position
        parts.append(_normal_scores(filled[:, ranked], quantiles))
    scaled = torch.cat(parts, dim=1)[:, order] if len(parts) > 1 else parts[0]
    return [scaled, absent.double()]


def _cycles(days: Tensor, date: Date) -> list[Tensor]:
    parts: list[Tensor] = []
    for name in date.cycles:
        turns = days / PERIODS[name]
        angle = 2 * torch.pi * (turns - turns.floor())
        parts += [torch.where(days.isfinite(), part, 0.0) for part in (angle.sin(), angle.cos())]
    return parts


def _normal_scores(values: Tensor, quantiles: Tensor) -> Tensor:
    """As `encode._normal_scores`: the middle of the lowest and the highest rank, on the normal distribution.

    Args:
        values: (batch, numbers).
        quantiles: of each number, (numbers, quantiles).
    """
    compared = (quantiles < values[:, :, None], quantiles <= values[:, :, None])
    rank = torch.stack([_rank(values, quantiles, below.sum(dim=2)) for below in compared]).mean(dim=0)
    return normal_quantile(rank.clamp(FARTHEST_RANK, 1 - FARTHEST_RANK))


def _rank(values: Tensor, quantiles: Tensor, count: Tensor) -> Tensor:
    """Of values that lie behind so many of their quantiles, the rank in [0, 1]."""
    number, size = quantiles.shape
    first = (count - 1).clamp(0, size - 2)
    place = first + size * torch.arange(number)
    low, high = quantiles.flatten()[place], quantiles.flatten()[place + 1]
    wide = high > low
    within = torch.where(wide, (values - low) / torch.where(wide, high - low, 1.0), 1.0).clamp(0, 1)
    return torch.where(count > 0, first + within, 0.0) / (size - 1)


def normal_quantile(rank: Tensor) -> Tensor:
    """Where the standard normal distribution has that rank, float64 in [1e-11, 1 - 1e-11]; exact to 1e-15 (AS 241)."""
    center = rank - 0.5
    near = _ratio(NEAR**2 - center * center, NEAR_CENTER) * center
    tail = torch.minimum(rank, 1 - rank)
    far = _ratio((-tail.log()).sqrt() - 1.6, TOWARDS_ENDS) * center.sign()
    return torch.where(center.abs() <= NEAR, near, far)


def _ratio(x: Tensor, polynomials: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    above, below = (torch.zeros_like(x) for _ in range(2))
    for upper, lower in zip(*(reversed(each) for each in polynomials), strict=True):
        above, below = above * x + upper, below * x + lower
    return above / below
