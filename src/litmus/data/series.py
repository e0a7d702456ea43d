"""Forecasting: from a window of a time series to the values that follow it."""

import logging
import math
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.config.sample import Sample
from litmus.config.types import BatchSize, Column, ColumnNames, Count, File, Section, Seed, Share
from litmus.config.validate import checked
from litmus.data._ahead import fits, placed_targets, read_ahead
from litmus.data._base import Data
from litmus.data._classes import list_some
from litmus.data._loader import BatchLoader, Stored, as_stored
from litmus.data._preflight import check_series_roles
from litmus.data._split import limits, row_fingerprints, select_unseen
from litmus.data.timeline import dates as calendar
from litmus.data.timeline.season import choose_scaling, choose_window, find_period, least_window, spread
from litmus.data.timeline.source import locate, read_series
from litmus.data.timeline.windows import as_columns, scale_columns, split_bounds, window_starts
from litmus.errors import UserError
from litmus.fetch.package import sha256_of
from litmus.spec import IS_MISSING, Spec, Values
from litmus.spec import Series as SeriesInput

log = logging.getLogger(__name__)

SUNSPOTS_PERIOD = 11
MOST_NUMBERS = 20_000_000  # of a split's windows, for a baseline
MOST_UNLIKE = 3.0  # times a group's deviation that of another may be, for both to be on one scale
EXACT = 1e-6  # of the series' deviation: differences that spread less are forecast to the last digit


class Series(Data):
    """Windows of one series or several: `window` rows in, the next `horizon` values out, a window every `stride` steps.

    A row holds the column that is forecast, the `inputs` beside it, and what is `known` ahead, such as a holiday: of
    that the value `horizon` steps later, so that a window's last rows say what is known of the steps to forecast.
    Columns with missing values have an indicator, 1 where the last value before stands in; none of these is forecast.
    Dates (the column `time`) are checked, and give the usual lengths of a season. A `group` is a series of its own, as
    each stock is in a table of stocks: no window crosses two.

    The splits follow one another in time, within each group: the last `test_share` of the values are forecast in the
    test, the `val_share` before them in validation. A window may reach back into the split before it, as a
    forecaster's would; no value that is forecast in one split is forecast, or seen in training, in another.
    The means and standard deviations that scale the network's values are those of the training split. `scaling` says
    what a forecast is relative to (`model/_relative.py`); `auto` decides by the training split. Where groups'
    deviations are very different, each window has its own, so that the largest group does not decide alone.

    Two of its baselines are forecasts that need no fitting: `naive` repeats the last value, `seasonal` the value
    `period` steps before.
    """

    input_kinds: ClassVar = (SeriesInput,)
    target_kinds: ClassVar = (Values,)

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        path: File | None,
        column: Column | None,
        time: Column | None,
        group: Column | None,
        inputs: ColumnNames,
        known: ColumnNames,
        thousands: ColumnNames | None,
        window: Count | None,
        horizon: Count,
        stride: Count,
        scaling: Literal["auto", "series", "window", "difference", "seasonal", "seasonal_difference"],
        period: Count | None,
        val_share: Share,
        test_share: Share,
        encoding: str,
        separator: Literal["auto", "comma", "semicolon", "tab", "pipe"],
        limit: Count | None,
        limit_eval: Count | None,
        min_steps: Count,
        batch_size: BatchSize,
        eval_batch_size: Count,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        check_series_roles(column, time, group, inputs, known)
        self.path, self.group, self.num_known = path, group, len(known)
        self.settings = {"path": path, "column": column, "time": time, "group": group, "inputs": inputs}
        self.settings |= {"known": known, "thousands": thousands, "encoding": encoding, "separator": separator}
        self.window, self.horizon, self.stride = window, horizon, stride
        self.scaling, self.period = scaling, period
        self.val_share, self.test_share = val_share, test_share
        self.limits = limits(limit, limit_eval)
        self.min_steps = min_steps
        self.source = path or "sunspots"
        self.windows: dict[Split, Tensor] = {}  # the number of the first value to forecast, of each window

    def prepare_data(self) -> None:
        """Reads the series, splits it, and finds its season and scale.

        Raises:
            UserError: the series cannot be read, is too short, or is constant.
        """
        if self.windows:
            return
        path = locate(self.path)
        self.timeline = read_series(self.settings)
        self.sha256[path.name] = sha256_of(path)
        self.values = torch.from_numpy(np.ascontiguousarray(self.timeline.values[:, 0]))
        self.bounds = split_bounds(self.timeline, self.val_share, self.test_share)
        training = [self.values[start:stop].numpy() for start, stop, _, _ in self.bounds]
        self._choose(max(training, key=len))
        self.windows = {split: self._windows(split) for split in SPLITS}
        self._warn_of_short_groups()
        if self.scaling == "auto":
            assert self.window is not None
            assert self.period is not None
            starts = self.windows["train"].numpy()
            deviations = [own.std() for own in training if len(own)]
            if max(deviations) > MOST_UNLIKE * min(deviations):
                self.scaling = "window"
            else:
                self.scaling = choose_scaling(self.values.numpy(), starts, self.horizon, self.period, self.window)
        self.spec = self._spec(np.concatenate(training))

    def _choose(self, training: NDArray[np.float64]) -> None:
        """Decides what was left open, by the training values of the longest group."""
        step = self.timeline.step
        if self.period is None:
            self.period = find_period(training, step.seasons if step else ()) if self.path else SUNSPOTS_PERIOD
        if self.window is None:
            self.window = choose_window(self.period, len(training))
        if self.window < (least := least_window(self.scaling, self.period)):
            raise UserError(f"data.scaling={self.scaling} needs a data.window of at least {least}, not {self.window}.")
        if self.num_known and self.window < self.horizon:
            raise UserError(f"With data.known, data.window={self.window} must be at least data.horizon={self.horizon}.")

    def _spec(self, training: NDArray[np.float64]) -> Spec:
        """The facts of the training split.

        Args:
            training: values of all groups.
        """
        assert self.window is not None
        assert self.period is not None
        name = self.timeline.name if self.path else "sunspots"
        mean, std = float(training.mean()), float(training.std())
        if not std > 0:
            raise UserError(
                f"{self.source}: {name} is constant in the training split, so there is nothing to learn. data.column "
                "chooses another column."
            )
        others = np.concatenate([self._columns[start:stop, 1:] for start, stop, _, _ in self.bounds])
        means, stds = np.nanmean(others, axis=0), np.nanstd(others, axis=0)
        names = tuple(name if self.horizon == 1 else f"{name}+{step}" for step in range(1, self.horizon + 1))
        scale = std
        if self.scaling not in ("series", "window"):
            starts = self.windows["train"].numpy()
            scale = max(spread(self.values.numpy(), starts, self.horizon, self.scaling, self.period), EXACT * std)
        features = self.timeline.features
        columns = (*features, *(f"{features[column]}{IS_MISSING}" for column in self._indicated))
        read = SeriesInput(
            length=self.window,
            features=len(columns),
            mean=(mean, *map(float, means)),
            std=(std, *(float(own) or 1.0 for own in stds)),
            scaling=self.scaling,
            period=self.period,
            columns=columns,
            step=str(self.timeline.step or ""),
            known=self.num_known,
            group=self.group or "",
            known_per_step=True,
            thousands=self.timeline.thousands,
        )
        return Spec("series", read, Values(names, (mean,) * self.horizon, (scale,) * self.horizon))

    @cached_property
    def _columns(self) -> NDArray[np.float64]:
        """What a network sees of each row, in its unit: float64 (rows, features)."""
        return as_columns(self.timeline, self.num_known, self.horizon, self._indicated)

    @cached_property
    def _indicated(self) -> list[int]:
        """The columns of which training rows lack values."""
        absent = np.concatenate([self.timeline.missing[start:stop] for start, stop, _, _ in self.bounds])
        return [int(column) for column in np.flatnonzero(absent.any(axis=0))]

    @property
    def notes(self) -> list[str]:
        season = f"a season is {self.period} values long" if self.period != 1 else "no season was found"
        relative = {
            "series": "forecasts are on the scale of the series",
            "window": "forecasts are relative to the last value and the deviation of their window",
            "difference": "forecasts are changes from the last value",
            "seasonal": "forecasts are changes from the season before",
            "seasonal_difference": "forecasts are changes from the season before, and of that change",
        }
        step = self.timeline.step
        return [
            *([f"dates  a value for each {step}"] if step else []),
            f"series  period={self.period} ({season})  window={self.window}  scaling={self.scaling} "
            f"({relative[self.scaling]})",
        ]

    @property
    def passes(self) -> int:
        """So many that an epoch has `min_steps` steps: one, for all but short series."""
        return math.ceil(self.min_steps * self.batch_size / self.sizes["train"])

    def targets(self, split: Split) -> Tensor:
        return self._at(self.values.unfold(0, self.horizon, 1), self.windows[split])

    @property
    def chosen(self) -> Section:
        chosen = {"window": self.window, "scaling": self.scaling, "period": self.period}
        return {**chosen, "thousands": list(self.timeline.thousands)}

    @property
    def most_flat(self) -> int:
        assert self.window is not None
        return MOST_NUMBERS // (self.window * self._columns.shape[1])

    @property
    def flat_noun(self) -> str:
        more = f" of {self._columns.shape[1]} columns" if self._columns.shape[1] > 1 else ""
        return f"the {self.window} values before{more}"

    def flat_inputs(self, split: Split, rows: Tensor) -> NDArray[np.float32]:
        assert self.window is not None
        before = self._scaled_columns().unfold(0, self.window, 1)[self.windows[split][rows] - self.window]
        return before.flatten(1).numpy()

    def sample(self, split: Split, number: int) -> Sample:
        assert self.window is not None
        row = int(self.windows[split][number])
        dates, group = self.timeline.dates, next(own for own in self.timeline.groups if row < own.stop)
        date = "" if dates is None else calendar.shown(dates[row])
        past = self.values[row - self.window : row].numpy()
        return Sample(past=past, row=row, date=date, name=group.name)

    def forecasts(self, split: Split) -> dict[str, Tensor]:
        last = self.values[self.windows[split] - 1]
        return {
            "naive": last[:, None].expand(-1, self.horizon),
            "seasonal": self.values[self.windows[split][:, None] - self._back()],
        }

    @property
    def sizes(self) -> dict[Split, int]:
        return {split: len(starts) for split, starts in self.windows.items()}

    @cached_property  # every checkpoint stores them
    def seen(self) -> Tensor:
        """Of the values up to the last that validation forecasts, each with those of a window's length before it."""
        prints, val = self._with_past(), self.windows["val"]
        kept = []
        for start, _, val_stop, _ in self.bounds:
            own = val[(val >= start) & (val < val_stop)]
            if len(own):
                kept.append(prints[start : int(own[-1]) + self.horizon])
        return torch.cat(kept).unique()

    def leave_out(self, seen: Tensor) -> None:
        """Drops test windows of which a value that is to be forecast is among `seen`, with the values before it."""
        was_seen = torch.isin(self._with_past(), seen)
        forecast = self.windows["test"][:, None] + torch.arange(self.horizon)
        self.windows["test"] = self.windows["test"][select_unseen(was_seen[forecast].any(dim=1).tolist(), "windows")]

    def _with_past(self) -> Tensor:
        """Fingerprints of each value with the `window` values before it; at the beginning, there are fewer."""
        assert self.window is not None
        padded = np.concatenate([np.full(self.window, np.nan), self.values.numpy()])
        return row_fingerprints(np.lib.stride_tricks.sliding_window_view(padded, self.window + 1))

    def _loader(self, split: Split) -> BatchLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, SeriesInput)
        device = self.trainer.strategy.root_device
        length = self.spec.input.length
        starts = self.windows[split]
        columns = self._scaled_columns()
        here = self._at(columns.unfold(0, length, 1), starts - length).transpose(1, 2)
        inputs: Stored = here
        if not fits(here.untyped_storage().nbytes(), device):  # of the series, or of windows that were copied out of it
            inputs = read_ahead(here, device)
        elif device.type != "cpu":
            inputs = self._at(columns.to(device).unfold(0, length, 1), starts - length).transpose(1, 2)
        assert isinstance(self.spec.target, Values)
        scaled = placed_targets(_scaled(self.values, self.spec.target.mean[0], self.spec.target.std[0]), device)
        targets = self._at(scaled.unfold(0, self.horizon, 1), starts)
        return BatchLoader(inputs, targets, as_stored, self._batching(split))

    def _scaled_columns(self) -> Tensor:
        """As a network receives them: float32 (rows, features)."""
        assert isinstance(self.spec.input, SeriesInput)
        return scale_columns(self._columns, self.spec.input)

    def _at(self, windows: Tensor, rows: Tensor) -> Tensor:
        """Those windows: a view, so that they are not copied out of a long series, unless some were left out."""
        evenly = windows[int(rows[0]) :: self.stride][: len(rows)]
        return evenly if bool((rows.diff() == self.stride).all()) else windows[rows]

    def _windows(self, split: Split) -> Tensor:
        """Of all groups; none of which a value to forecast is missing.

        Raises:
            UserError: there are none.
        """
        assert self.window is not None
        number = SPLITS.index(split)
        past = max(self.window, self._check_season(split) if number else 0)
        stretches = [(max(own[number], own.train + past), own[number + 1]) for own in self.bounds]
        starts = torch.from_numpy(window_starts(self.timeline, stretches, self.horizon, self.stride))
        if len(starts) == 0:
            season = f", data.period={self.period}" if past > self.window else ""
            raise UserError(
                f"{self.source} is too short: its {split} split has {self._longest(number)} values, too few for "
                f"data.window={self.window}{season} and data.horizon={self.horizon}."
            )
        limit = self.limits[split]
        if limit is None or limit >= len(starts):
            return starts
        if split != "train":
            return starts[torch.arange(limit) * len(starts) // limit]  # evenly over all groups and times
        log.warning(
            "data.limit=%d: trained on the last %d of %d windows, those next to the validation split.",
            *(limit, limit, len(starts)),
        )
        ends = torch.tensor([own.val for own in self.bounds])
        before = ends[torch.searchsorted(ends, starts, right=True)] - starts  # rows from each to its group's validation
        return starts[before.argsort(stable=True)[:limit].sort().values]

    def _check_season(self, split: Split) -> int:
        """How far back a forecast by season looks.

        Raises:
            UserError: the only series has less before the split. (A short group's first windows are left out.)
        """
        longest = int(self._back().max())
        first, begin = self.bounds[0].train, self.bounds[0][SPLITS.index(split)]
        if len(self.bounds) == 1 and begin - first < longest:
            raise UserError(f"data.period={self.period} is longer than the series before the first {split} forecast.")
        return longest

    def _warn_of_short_groups(self) -> None:
        """Names groups that a split has no window of."""
        ends = torch.tensor([own.stop for own in self.bounds])
        lacking: dict[str, list[Split]] = {}
        for split, starts in self.windows.items():
            counts = torch.searchsorted(ends, starts, right=True).bincount(minlength=len(ends))
            for number in (counts == 0).nonzero()[:, 0].tolist():
                lacking.setdefault(self.timeline.groups[number].name, []).append(split)
        if lacking:
            named = list_some([f"{name} ({', '.join(splits)})" for name, splits in lacking.items()])
            log.warning(
                "Too short for a window of %d values in some splits, and left out there: %s.", self.window, named
            )

    def _longest(self, number: int) -> int:
        return max(own[number + 1] - own[number] for own in self.bounds)

    def _back(self) -> Tensor:
        """For each step of the horizon, how far before the window's end the newest known value of its season is."""
        assert self.period is not None
        steps = torch.arange(self.horizon)
        return self.period * (1 + torch.div(steps, self.period, rounding_mode="floor")) - steps


def _scaled(values: Tensor, mean: float, std: float) -> Tensor:
    """float64 in the series' unit -> float32: far from zero, float32 would lose the signal before it is scaled."""
    return ((values - mean) / std).float()
