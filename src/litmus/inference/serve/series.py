"""Series that are sent to a server, and the run's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import polars as pl

from litmus.config.explanation import Explanation
from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.data.columns.read import tidied_frame
from litmus.data.timeline import dates as calendar
from litmus.errors import UserError
from litmus.inference.forecast import LEVEL, Forecast, Forecaster, as_rows
from litmus.inference.rows import as_frame, names_in
from litmus.inference.serve.bodies import CSV, EMPTY, JSON, Body, only_keys, read_json
from litmus.inference.serve.kind import Kind, Outcome, check_number
from litmus.inference.serve.limits import LARGEST_NUMBER, MOST_STEPS
from litmus.inference.serve.worker import Question
from litmus.spec import Series

MOST_VALUES = 100_000  # of a series
LEAST, PER_STEP = 40, 4  # values before the forecast that are given: so many, and so many for each step
MOST_GROUPS = 6  # of several series, whose history and explanations are given
THE_TABLE = "The table"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Given:
    """A series to continue: some values, a table or a CSV; the run's own where there is neither.

    `steps` is how many are forecast; None takes the network's horizon.
    """

    steps: int | None = None
    values: Sequence[float] | None = None
    table: pl.DataFrame | None = None
    content: bytes | None = None


class SeriesKind(Kind[Given]):
    """Forecasts of a series.

    Args:
        forecaster: whose network computes anywhere.
        net: the same network on the CPU, for explanations.
        data: the section `data` of the run.
        is_untrained: see `Forecaster`.
    """

    name = "series"
    batch_size = 1

    def __init__(self, forecaster: Forecaster, net: Net, data: Section, is_untrained: bool) -> None:
        self.forecaster, self.net = forecaster, net
        self.on_cpu = Forecaster(net, data, is_untrained)
        plain = {**data, "time": None, "group": None}  # of values that come without dates
        self.of_values = [Forecaster(each, plain, is_untrained) for each in (forecaster.net, net)]
        self.read_spec: Series = forecaster.read

    @property
    def facts(self) -> Section:
        return {
            "length": self.read_spec.length,
            "horizon": self.forecaster.horizon,
            "columns": list(self.read_spec.raw),
            "values": self.read_spec.features == 1,
        }

    @property
    def schema(self) -> Section:
        return {
            JSON: {
                "type": "object",
                "properties": {
                    "values": {"type": "array", "items": {"type": "number"}},
                    "rows": {"type": "array", "items": {"type": "object"}},
                    "steps": {"type": "integer", "minimum": 1},
                },
            },
            CSV: {"type": "string"},
        }

    @property
    def example(self) -> tuple[str, str]:
        return ("--json", "{}")

    def read(self, body: Body) -> list[Given]:
        if not body.content:
            raise UserError(f"{EMPTY} Send JSON: {{}} forecasts the run's own series.")
        if body.kind == CSV:
            return [Given(content=body.content)]
        content = read_json(body)
        only_keys(content, "values", "rows", "steps")
        steps, rows = _steps(content.get("steps")), content.get("rows")
        if content.get("values") is not None:
            return [Given(steps, values=_values(content["values"]))]
        if rows is None:
            return [Given(steps)]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UserError('The rows of a series are objects: {"rows": [{"month": "2024-01", "sales": 3}]}.')
        check_number(rows, "rows")
        return [Given(steps, table=tidied_frame(as_frame(rows, names_in(rows))))]

    def predict(self, questions: Sequence[Question[Given]]) -> list[Outcome]:
        return [self._forecast(question.items[0]) for question in questions]

    def explain(self, item: Given, target: str | None) -> list[Explanation]:
        from litmus.inference.explain.series import WindowExplainer

        forecaster = self.on_cpu if item.values is None else self.of_values[1]
        windows = self._with(item, forecaster.windows)
        explainer = WindowExplainer(forecaster.net)
        return [explainer.explain(window, name, target) for name, window in windows[:MOST_GROUPS]]

    def _forecast(self, given: Given) -> Section:
        forecaster = self.forecaster if given.values is None else self.of_values[0]
        found = self._with(given, lambda what: forecaster.forecast(what, given.steps, LEVEL))
        history = [{"group": own.group, "name": own.name, **_tail(own)} for own in found[:MOST_GROUPS]]
        return {"predictions": as_rows(found), "notes": list(forecaster.notes), "history": history}

    def _with(self, given: Given, call: "Callable[[Path | pl.DataFrame | None], Result]") -> Result:
        """What the function gives for the series.

        A CSV is read as any other file is, from a folder of the server's own, under a name of its own.

        Raises:
            UserError: as the function; the table has no path in it.
        """
        if given.values is not None:
            name = next(iter(self.read_spec.columns), "value")
            return call(pl.DataFrame({name: pl.Series(given.values, dtype=pl.Float64)}))
        if given.content is None:
            return call(given.table)
        with TemporaryDirectory() as folder:
            path = Path(folder, "series.csv")
            path.write_bytes(given.content)
            try:
                return call(path)
            except UserError as error:
                raise UserError(str(error).replace(str(path), THE_TABLE)) from None


def _values(found: object) -> list[float]:
    """The values of a series.

    Raises:
        UserError: they are no list of numbers.
    """
    if not isinstance(found, list):
        raise UserError('The values of a series are a list of numbers: {"values": [1, 2.5, 3]}.')
    for place, value in enumerate(found, start=1):
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST_NUMBER:
            raise UserError(f"Value {place:,} of the series is no number, or too large a one.")
    if not 1 <= len(found) <= MOST_VALUES:
        raise UserError(f"A series of {len(found):,} values cannot be used: from 1 to {MOST_VALUES:,} are.")
    return [float(value) for value in found]


def _steps(found: object) -> int | None:
    """How many steps are forecast.

    Raises:
        UserError: it is no such number.
    """
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= MOST_STEPS:
        raise UserError(f"steps should be a whole number, from 1 to {MOST_STEPS:,}.")
    return found


def _tail(forecast: Forecast) -> Section:
    """The last values before a forecast, and their dates where there are any."""
    number = max(LEAST, PER_STEP * len(forecast.values))
    tail: Section = {"values": [float(value) for value in forecast.history[-number:]]}
    if forecast.past is not None:
        tail["dates"] = [calendar.shown(date) for date in forecast.past[-number:]]
    return tail
