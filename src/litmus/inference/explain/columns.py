"""What each column of a row adds to a network's answer."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import torch
from torch import Tensor

from litmus.config.explanation import Explanation, Part
from litmus.config.protocols import Net
from litmus.data.columns.conform import conform
from litmus.inference.explain.attribution import shapley_values
from litmus.inference.explain.target import chosen, score_of
from litmus.inference.prediction import TOPK, predictions_of
from litmus.spec import Columns

METHOD = "Shapley values"
MOST_BACKGROUND = 64  # rows whose values a column takes when it is left out


class ColumnExplainer:
    """Explains the answers of a network for rows of a table, column by column.

    Args:
        net: in evaluation mode; its input are columns.
        background: rows as the network receives them, float32 (rows, numbers), whose values stand for those of a column
            that is left out; None takes one row of averages, whose categories are unknown.
    """

    def __init__(self, net: Net, background: Tensor | None) -> None:
        assert isinstance(net.spec.input, Columns)
        self.net, self.columns = net, net.spec.input
        self.names, numbers = column_groups(self.columns)
        self.groups = torch.tensor(numbers)
        self.baseline = "the row of averages, whose categories are unknown"
        if background is None:
            background = torch.zeros(1, len(numbers))
        else:
            self.baseline = f"{len(background)} rows of the test split, in the mean"
        self.background = background

    def explain(self, frame: pl.DataFrame, row: int, target: str | None, decimal_comma: bool = False) -> Explanation:
        """What each column adds to the output for a row.

        Args:
            frame: with the network's columns.
            row: its number, counted from 0.
            target: the class, label or value to explain; None takes the likeliest.
            decimal_comma: whether text such as "1,5" is a number.

        Raises:
            UserError: there is no such target.
        """
        conformed = conform(frame[row : row + 1], self.columns, decimal_comma)
        shown = ["" if cell is None else str(cell) for cell in frame.select(self.names).row(row)]
        found = self.explain_inputs(conformed.inputs, shown, f"row {row + 1:,}", target)
        return replace(found, notes=conformed.notes.get(0, []))

    def explain_inputs(self, inputs: Tensor, shown: Sequence[str], name: str, target: str | None) -> Explanation:
        """The same for a row as the network receives it.

        Args:
            inputs: float32 (1, numbers).
            shown: the cells of `names`.
            name: of the row.
            target: see `explain`.
        """
        with torch.no_grad():
            outputs = self.net(inputs)
        number = chosen(self.net, outputs, target)
        found = shapley_values(score_of(self.net, number), inputs, self.background, self.groups)
        (prediction,) = predictions_of(self.net, outputs, TOPK)
        cells = zip(self.names, shown, found.values.tolist(), strict=True)
        return Explanation(
            name,
            self.net.spec.target.names[number],
            dict(prediction),
            found.output,
            found.reference,
            self.baseline,
            METHOD,
            found.error,
            kind="row",
            parts=[Part(*cell) for cell in cells],
        )


def column_groups(columns: Columns) -> tuple[list[str], list[int]]:
    """The names of the columns, and of each number that a network receives the place of its column among them."""
    widths = {number.name: 1 + number.missing for number in columns.numbers}
    widths |= {date.days.name: 1 + date.days.missing + 2 * len(date.cycles) for date in columns.dates}
    widths |= {category.name: 1 for category in columns.categories}
    return list(widths), [place for place, width in enumerate(widths.values()) for _ in range(width)]
