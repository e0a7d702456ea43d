"""Forecasts of a network beyond the last value of a series, with intervals from its errors in validation.

The intervals are those of split conformal prediction (Vovk et al. 2005; Lei et al. 2018), for each step on its own: of
n errors in validation, the ceil((n + 1) level)-th smallest to both sides. Where the next errors are exchangeable with
those of validation, they hold the value in at least `level` of cases; a series that changes keeps no such promise. Of
several series in a file, each has intervals of its own errors (Mondrian conformal prediction, Vovk et al. 2005): one
may be a thousand times as large as another.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.console import counted
from litmus.data.timeline import dates as calendar
from litmus.data.timeline.dates import Dates
from litmus.data.timeline.intervals import conformal
from litmus.data.timeline.read import Group, Timeline
from litmus.data.timeline.source import read_series
from litmus.data.timeline.windows import as_columns, scale_columns, split_bounds, window_starts
from litmus.errors import UserError
from litmus.fetch.encoding import encoding_of_another
from litmus.inference.device import on_device
from litmus.inference.load import load_run
from litmus.record.folder import RunDir
from litmus.spec import Series, Values

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
LEVEL = 0.9
OTHERS = ("group", "date", "step", "low", "high")  # columns of a forecast beside its value
BATCH = 1000  # windows at a time
MOST_WINDOWS = 2000  # of validation, for errors beyond the horizon, or of groups
DOUBT = "do not rely on the forecast"
UNTRAINED = "The run kept epoch 0: no training made its forecasts better by more than chance."
MOST_NAMED = 5  # groups in a note


@dataclass(frozen=True)
class Forecast:
    """What follows the last value of a series.

    Attributes:
        name: of the column.
        group: of several series in a file; empty for a single one.
        history: the values before, float64 (rows,), the last of them last.
        past: their dates; None where there are none.
        dates: of the forecasts; None where there are none.
        values: float64 (steps,), in the series' unit.
        low: of the interval, float64 (steps,); NaN where there is none.
        high: of the interval.
    """

    name: str
    group: str
    history: Floats
    past: Dates | None
    dates: Dates | None
    values: Floats
    low: Floats
    high: Floats


class Forecaster:
    """Forecasts by the network of a run.

    Args:
        net: in evaluation mode, on the CPU; its input is a series.
        settings: the section `data` of its run.
        is_untrained: whether the network is as it was before its training: see `litmus.model._base.Net.untrained`.

    Attributes:
        horizon: steps that the network forecasts at once; those beyond follow from its own forecasts.
        notes: what is to be said of the last forecast.
    """

    def __init__(self, net: Net, settings: Section, is_untrained: bool = False) -> None:
        assert isinstance(net.spec.input, Series)
        assert isinstance(net.spec.target, Values)
        self.net, self.settings = net, settings
        if settings["path"] is not None and net.spec.input.columns:  # in another file, too
            self.settings = {**settings, "column": net.spec.input.columns[0]}
        self.read, self.target = net.spec.input, net.spec.target
        self.horizon = len(self.target.names)
        self.num_known = len(settings["known"])
        self.is_untrained = is_untrained
        self.notes: list[str] = []

    def forecast(
        self,
        given: "Path | pl.DataFrame | None",
        steps: int | None,
        level: float = LEVEL,
        encoding: str | None = None,
    ) -> list[Forecast]:
        """The steps after the last value of each series in a file or a table.

        Args:
            given: a file or a table with the columns of the run's; None takes the run's own file.
            steps: how many; None takes the horizon.
            level: of the intervals, in (0, 1).
            encoding: of the file; None takes UTF-8, and that of the run's own file where it is something else.

        Raises:
            UserError: the file cannot be read, a series is too short, or what is known ahead is missing.
        """
        steps = steps or self.horizon
        self.notes = [UNTRAINED] if self.is_untrained else []
        if steps > self.horizon and self.settings["inputs"]:
            at_once = counted(self.horizon, "step")
            raise UserError(
                f"--steps {steps} is too many: the network forecasts {at_once} at once, and to go on from "
                f"there it would need {', '.join(self.settings['inputs'])} of the steps before, which are not known. "
                f"data.horizon={steps} trains a network for {steps} steps."
            )
        timeline = self._read(given, encoding)
        if timeline.step and self.read.step and str(timeline.step) != self.read.step:
            self.notes.append(
                f"A row is a {timeline.step} after the last, and in the run's data a {self.read.step}: {DOUBT}."
            )
        ends = self._ends(timeline)
        widths = self._widths(steps, level, [group.name for group in ends])
        found = []
        for (group, end), width in zip(ends.items(), widths, strict=True):
            own, start = self._extended(timeline, group, end, steps)
            values = self._recursive(self._columns(own), np.array([start]), steps)[0]
            last = slice(group.start, group.start + start)
            past = timeline.dates[last] if timeline.dates is not None else None
            dates = calendar.after(past[-1], timeline.step, steps) if past is not None and timeline.step else None
            history = timeline.values[last, 0]
            found.append(
                Forecast(timeline.name, group.name, history, past, dates, values, values - width, values + width)
            )
        return found

    def windows(self, given: "Path | pl.DataFrame | None") -> list[tuple[str, torch.Tensor]]:
        """What the network sees of each series when it forecasts what comes next.

        Args:
            given: a file or a table with the columns of the run's; None takes the run's own file.

        Raises:
            UserError: as `forecast`.

        Returns:
            The name of each series, and its last window as the network receives it, float32 (1, length, features).
        """
        timeline = self._read(given, None)
        found = []
        for group, end in self._ends(timeline).items():
            own, start = self._extended(timeline, group, end, self.horizon)
            window = self._columns(own)[start - self.read.length : start]
            found.append((group.name or timeline.name, scale_columns(window, self.read)[None]))
        return found

    def _read(self, given: "Path | pl.DataFrame | None", encoding: str | None) -> Timeline:
        settings = self.settings
        if isinstance(given, Path):
            settings = {**settings, "encoding": encoding or encoding_of_another(given, settings["encoding"])}
        return read_series(settings, given)

    def values(self, window: Floats) -> Floats:
        """What follows some values of the only column that the network sees: float64 (horizon,), in its unit.

        Args:
            window: float64 (rows,), without gaps; the last ones count, as many as the network sees.

        Raises:
            UserError: there are too few, or the network sees several columns.
        """
        if self.read.features > 1:
            raise UserError(f"This network sees {self.read.features} columns. Give it a table with them.")
        if len(window) < self.read.length:
            raise UserError(f"{len(window)} values are too few to forecast from: the network sees {self.read.length}.")
        columns = np.append(window, np.zeros(self.horizon))[:, None]
        return self._recursive(columns, np.array([len(window)]), self.horizon)[0]

    def _ends(self, timeline: Timeline) -> dict[Group, int]:
        """The row after the last value of each group: rows of what is known ahead may follow. Short groups are noted.

        Raises:
            UserError: all of them have too few values.
        """
        ends, short = {}, []
        for group in timeline.groups:
            present = np.flatnonzero(~timeline.missing[group.start : group.stop, 0])
            number = int(present[-1]) + 1 if len(present) else 0
            if number >= self.read.length:
                ends[group] = group.start + number
            else:
                short.append(f"{number} values{f' of {group.name}' if group.name else ''}")
        if short:
            message = f"{_some(short)} are too few to forecast from: the network sees {self.read.length}."
            if not ends:
                raise UserError(message)
            self.notes.append(message)
        return ends

    def _extended(self, timeline: Timeline, group: Group, end: int, steps: int) -> tuple[Timeline, int]:
        """A group alone, with rows for the steps to forecast, and the number of the first of those.

        Raises:
            UserError: what is known ahead is not known for all of them.
        """
        start = end - group.start
        if self.num_known and group.stop - end < steps:
            known = ", ".join(self.settings["known"])
            raise UserError(
                f"A forecast of {counted(steps, 'step')} needs {steps} rows with {known} after the last value of "
                f"{group.name or timeline.name}, and there are {group.stop - end}. Append rows with {known} and "
                f"without {timeline.name}."
            )
        number = start + math.ceil(steps / self.horizon) * self.horizon
        rows = np.minimum(np.arange(number), group.stop - group.start - 1)  # beyond, the last row stands in
        values = timeline.values[group.start : group.stop][rows]
        missing = timeline.missing[group.start : group.stop][rows]
        missing[start:, 0] = False  # what is to be forecast
        whole = Group(group.name, 0, number)
        return Timeline(timeline.name, timeline.features, values, missing, (whole,), None, timeline.step), start

    def _columns(self, timeline: Timeline) -> Floats:
        """What the network sees of each row, in its unit."""
        if self.read.features == 1:
            return timeline.values[:, :1]
        return as_columns(timeline, self.num_known, self.horizon, list(self.read.indicated))

    def _recursive(self, columns: Floats, starts: NDArray[np.int64], steps: int) -> Floats:
        """Forecasts from each of some windows: float64 (windows, steps); beyond the horizon, by those before.

        Args:
            columns: float64 (rows, features), in their units; of the steps to forecast, the first is not looked at.
            starts: the row after each window.
            steps: how many.
        """
        length = self.read.length
        rows = starts[:, None] + np.arange(-length, 0)
        own, found = columns[rows, 0], np.empty((len(starts), 0))
        std, mean = (np.array(fact) for fact in (self.target.std, self.target.mean))
        while found.shape[1] < steps:
            seen = columns[rows + found.shape[1]].copy()
            seen[:, :, 0] = own
            scaled = scale_columns(seen.reshape(-1, seen.shape[2]), self.read).view(seen.shape)
            with torch.inference_mode():
                outputs = torch.cat([self.net(batch) for batch in scaled.split(BATCH)])
            values = outputs.double().numpy() * std + mean
            found = np.concatenate([found, values], axis=1)
            own = np.concatenate([own, values], axis=1)[:, -length:]
        return found[:, :steps]

    def _widths(self, steps: int, level: float, groups: Sequence[str]) -> Floats:
        """Half of each step's interval, float64 (groups, steps); NaN where there are too few errors to say."""
        if self.net.errors is None:
            self.notes.append("There are no intervals: the run is of an earlier version, which kept no errors.")
            return np.full((len(groups), steps), np.nan)
        errors = self.net.errors.numpy()
        of_all = conformal(errors, level)[:steps]
        if np.isnan(of_all).any():
            number = len(errors)
            self.notes.append(
                f"There are no intervals: {number} errors in validation are too few for {100 * level:g}%."
            )
        # Of the steps that the network forecasts at once, and of those beyond: a step's interval is its own.
        near = self._errors_again(self.horizon) if self.settings["group"] is not None else None
        far = self._errors_again(steps) if steps > self.horizon else {}
        if steps > self.horizon:
            every = np.concatenate(list(far.values())) if far else np.empty((0, steps))
            of_all = np.concatenate([of_all, conformal(every, level)[self.horizon :]])
        widths = np.repeat(of_all[None], len(groups), axis=0)
        if near is not None:
            nothing = np.empty((0, steps))
            own = {name: conformal(errors, level)[:steps] for name, errors in near.items()}
            if steps > self.horizon:
                beyond = {name: conformal((far or {}).get(name, nothing), level)[self.horizon :] for name in own}
                own = {name: np.concatenate([width, beyond[name]]) for name, width in own.items()}
            enough = {name for name, width in own.items() if not np.isnan(width).any()}
            for row, name in enumerate(groups):
                if name in enough:
                    widths[row] = own[name]
            if others := [name for name in groups if name not in enough]:
                few = f"{_some(others)}: too few errors in validation for {100 * level:g}% intervals of their own"
                self.notes.append(f"{few}. Those of all groups stand in.")
        return widths

    def _errors_again(self, steps: int) -> dict[str, Floats] | None:
        """Absolute errors in validation by group, float64 (windows, steps); None where the run's data is not there.

        Beyond the horizon, the network's forecasts are fed back to it, as for the future.
        """
        is_beyond = steps > self.horizon
        first = f"From step {self.horizon + 1} on, forecasts follow from forecasts (data.horizon={self.horizon})"
        try:
            with _quiet_reading():  # what is odd about it was said in training, and of this file by now
                timeline = read_series(self.settings)
        except UserError as error:
            without = f"{first}, without intervals" if is_beyond else "All groups have intervals of the same width"
            self.notes.append(f"{without}: the run's own data is not there. {error}")
            return None
        bounds = split_bounds(timeline, self.settings["val_share"], self.settings["test_share"])
        stretches = [(max(own.val, own.train + self.read.length), own.test) for own in bounds]
        starts = [window_starts(timeline, [stretch], steps, 1) for stretch in stretches]
        number = sum(map(len, starts))
        starts = [own[:: max(1, math.ceil(number / MOST_WINDOWS))] for own in starts]
        number = sum(map(len, starts))
        if not number:
            self.notes.append(f"{first}, without intervals: no window in validation has so many steps after it.")
            return None
        if is_beyond:
            self.notes.append(f"{first}; their intervals are by {number:,} such forecasts in validation.")
        whole = math.ceil(steps / self.horizon) * self.horizon
        columns = self._columns(timeline)
        columns = np.concatenate([columns, np.repeat(columns[-1:], whole, axis=0)])
        return {
            group.name: self._errors(timeline, columns, own, steps)
            for group, own in zip(timeline.groups, starts, strict=True)
            if len(own)
        }

    def _errors(self, timeline: Timeline, columns: Floats, starts: NDArray[np.int64], steps: int) -> Floats:
        found = self._recursive(columns, starts, steps)
        return np.abs(found - timeline.values[starts[:, None] + np.arange(steps), 0])


@contextmanager
def _quiet_reading() -> Iterator[None]:
    """Files are read without warnings."""
    reader = logging.getLogger("litmus.data")
    level = reader.level
    reader.setLevel(logging.ERROR)
    try:
        yield
    finally:
        reader.setLevel(level)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def as_rows(forecasts: Sequence[Forecast]) -> list[dict[str, object]]:
    """A row for each step of each forecast.

    It has `group` and `date` where there are any; `step`, counted from 1; the value by the name of its column (`value`
    if that is one of the others); `low` and `high`, None where there is no interval.
    """
    has_groups = any(own.group for own in forecasts)
    rows: list[dict[str, object]] = []
    for own in forecasts:
        name = "value" if own.name in OTHERS else own.name
        for i, (value, low, high) in enumerate(zip(own.values, own.low, own.high, strict=True)):
            row: dict[str, object] = {"group": own.group} if has_groups else {}
            if own.dates is not None:
                row["date"] = calendar.shown(own.dates[i])
            low, high = (None, None) if np.isnan(low) else (float(low), float(high))
            rows.append({**row, "step": i + 1, name: float(value), "low": low, "high": high})
    return rows


def load_forecaster(run: RunDir, device: str = "cpu") -> Forecaster:
    """What forecasts by the best weights of a run on a series.

    Args:
        run: its folder.
        device: one of `litmus.inference.device.DEVICES`.

    Raises:
        UserError: the run has no weights, or takes no series; there is no such device.
    """
    net = on_device(load_run(run), device)
    if not isinstance(net.spec.input, Series):
        raise UserError(f"{run.path} was trained on {net.spec.input.noun}: it forecasts no series.")
    is_untrained = (run.read_result() or {}).get("best_epoch") == 0
    return Forecaster(net, run.read_config()["data"], is_untrained)
