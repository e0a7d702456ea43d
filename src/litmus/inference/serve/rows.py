"""Rows of a table that are sent to a server."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import torch
from torch import Tensor

from litmus.config.explanation import Explanation
from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.data.columns.conform import conform
from litmus.data.columns.encode import check_columns
from litmus.errors import UserError
from litmus.inference.columns import ColumnPredictor
from litmus.inference.rows import as_frame, names_in
from litmus.inference.serve.bodies import JSON, Body, only_keys, read_json
from litmus.inference.serve.kind import Kind, Outcome, answers, check_number
from litmus.inference.serve.limits import LARGEST_NUMBER
from litmus.inference.serve.worker import Question
from litmus.page.selection import evenly
from litmus.spec import Category, Columns, Date, Number

MOST_BACKGROUND = 64  # rows that stand for a column's usual values when a row is explained
DAY = "%Y-%m-%d"
Row = Mapping[str, object]


class RowKind(Kind[Row]):
    """Classes, labels or values of a table's rows.

    Args:
        predictor: whose network computes anywhere.
        net: the same network on the CPU, for explanations.
        known: rows of the run's own as the network receives them, float32 (rows, numbers); None where they are gone.
    """

    name = "rows"

    def __init__(self, predictor: ColumnPredictor, net: Net, known: Tensor | None) -> None:
        self.predictor, self.net, self.known = predictor, net, known
        self.batch_size = predictor.batch_size
        self.columns: Columns = predictor.columns

    @property
    def facts(self) -> Section:
        """The columns, each with its kind and a usual value: a number's mean, a date's, a category's most frequent."""
        usual = _most_usual(self.columns, self.known)
        return {"columns": [_field(column, usual) for column in self.columns.by_name().values()]}

    @property
    def schema(self) -> Section:
        columns = {column["name"]: {"description": column["kind"]} for column in self.facts["columns"]}
        row = {"type": "object", "properties": columns, "required": list(columns)}
        rows = {"type": "array", "items": row}
        return {JSON: {"type": "object", "properties": {"rows": rows}, "required": ["rows"]}}

    @property
    def example(self) -> tuple[str, str]:
        row = {column["name"]: column["usual"] for column in self.facts["columns"]}
        return ("--json", json.dumps({"rows": [row]}, ensure_ascii=False))

    def read(self, body: Body) -> list[Row]:
        content = read_json(body)
        only_keys(content, "rows")
        rows = content.get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UserError('This network takes rows of a table: {"rows": [{"column": 1, "other": "a"}]}.')
        check_number(rows, "rows")
        check_columns(names_in(rows), self.columns, "The request")
        return [{name: _cell(row.get(name), name) for name in self.predictor.column_names} for row in rows]

    def predict(self, questions: Sequence[Question[Row]]) -> list[Outcome]:
        """Each question is read as a table of its own: what a cell is does not depend on who else asks."""
        topk = max(question.topk for question in questions)
        names = self.predictor.column_names
        parts = [conform(as_frame(question.items, names), self.columns) for question in questions]
        return answers(questions, self.predictor.predict_conformed(parts, self.batch_size, topk))

    def explain(self, item: Row, target: str | None) -> list[Explanation]:
        from litmus.inference.explain.columns import ColumnExplainer

        some = None if self.known is None else self.known[torch.from_numpy(evenly(len(self.known), MOST_BACKGROUND))]
        explainer = ColumnExplainer(self.net, some)
        return [explainer.explain(as_frame([item], self.predictor.column_names), 0, target)]


def _cell(cell: object, name: str) -> object:
    """A cell of JSON: text, a number, true, false or null.

    Raises:
        UserError: it is something else.
    """
    if isinstance(cell, list | dict):
        raise UserError(f"Column {name}: a cell is a text, a number, true, false or null.")
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if abs(cell) > LARGEST_NUMBER:
            raise UserError(f"Column {name}: a number is too large.")
        return float(cell) if abs(cell) > 2**53 else cell
    return cell


def _most_usual(columns: Columns, known: Tensor | None) -> dict[str, str]:
    """The most frequent value of each category among the known rows, else its first."""
    found = {category.name: next(iter(category.values), "") for category in columns.categories}
    if known is None or not len(known):
        return found
    for place, category in enumerate(columns.categories, start=columns.num_numbers):
        counts = known[:, place].long().bincount(minlength=len(category.values) + 1)[1:]
        if len(counts) and int(counts.max()):
            found[category.name] = category.values[int(counts.argmax())]
    return found


def _field(column: Number | Date | Category, usual: Mapping[str, str]) -> Section:
    if isinstance(column, Category):
        values = list(column.values)
        return {"name": column.name, "kind": "category", "values": values, "usual": usual[column.name]}
    if isinstance(column, Date):
        return {"name": column.days.name, "kind": "date", "format": column.format or DAY, "usual": _date(column)}
    if column.words:
        word = column.words[column.mean >= 0.5]
        return {"name": column.name, "kind": "category", "values": list(column.words), "usual": word}
    return {"name": column.name, "kind": "number", "usual": _rounded(column.mean, column.std)}


def _rounded(mean: float, std: float) -> float:
    """The mean, to a hundredth of the deviation."""
    digits = max(0, 2 - math.floor(math.log10(std))) if std > 0 else 6
    return round(mean, min(digits, 12))


def _date(column: Date) -> str:
    """The mean of the dates, as the column writes them."""
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=round(column.days.mean))
    form = (column.format or DAY).replace("%.f", "").replace("%#z", "Z")
    return day.strftime(form)
