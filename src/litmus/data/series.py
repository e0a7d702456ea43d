"""Forecasting: from a window of a time series to the values that follow it."""

import logging
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.config.types import BatchSize, Column, Count, File, Section, Seed, Share
from litmus.config.validate import checked
from litmus.data import _table
from litmus.data._base import Data
from litmus.data._loader import BatchLoader, as_stored
from litmus.data._split import limits, row_fingerprints, select_unseen
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.package import SourceUnavailable, package_file, sha256_of
from litmus.spec import Series as SeriesInput
from litmus.spec import Spec, Values

log = logging.getLogger(__name__)

# Yearly mean sunspot numbers, 1700 to 2008, as statsmodels ships them; the cycle is about 11 years long.
SUNSPOTS = ("statsmodels", "datasets", "sunspots", "sunspots.csv")
SUNSPOTS_SHA256 = "f67889b1d9002cd5227f0e0ef54e35b419cdd85a31279adef6f73fb41e5c0a9b"
SUNSPOTS_PERIOD = 11
MOST_NUMBERS = 20_000_000  # of a split's windows, for a baseline


class Series(Data):
    """Windows of one series: `window` values in, the next `horizon` values out, a window every `stride` steps.

    The splits follow one another in time: the last `test_share` of the values are forecast in the test, the
    `val_share` before them in validation. A window may reach back into the split before it, as a
    forecaster's would; no value that is forecast in one split is forecast, or seen in training, in another.
    The mean and standard deviation that scale the network's values are those of the training split.

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
        window: Count,
        horizon: Count,
        stride: Count,
        period: Count | None,
        val_share: Share,
        test_share: Share,
        encoding: str,
        separator: Literal["auto", "comma", "semicolon", "tab", "pipe"],
        limit: Count | None,
        limit_eval: Count | None,
        batch_size: BatchSize,
        eval_batch_size: Count,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.path = local.expand(path) if path else None
        self.column = column
        self.window, self.horizon, self.stride = window, horizon, stride
        self.period = period
        self.val_share, self.test_share = val_share, test_share
        self.encoding, self.separator = encoding, separator
        self.limits = limits(limit, limit_eval)
        self.source = path or "sunspots"
        self.windows: dict[Split, Tensor] = {}  # the number of the first value to forecast, of each window

    def prepare_data(self) -> None:
        """Reads the series and splits it.

        Raises:
            UserError: the series cannot be read, is too short, or is constant.
        """
        if self.windows:
            return
        name, numbers = self._read()
        self.values = torch.from_numpy(numbers)
        num_test, num_val = (round(share * len(numbers)) for share in (self.test_share, self.val_share))
        bounds = [0, len(numbers) - num_test - num_val, len(numbers) - num_test, len(numbers)]
        self.windows = {split: self._windows(split, bounds[i], bounds[i + 1]) for i, split in enumerate(SPLITS)}
        training = self.values[: bounds[1]]
        mean, std = float(training.mean()), float(training.std(correction=0))
        if not std > 0:
            raise UserError(f"{self.source}: {name} is constant in the training split; there is nothing to learn.")
        names = tuple(name if self.horizon == 1 else f"{name}+{step}" for step in range(1, self.horizon + 1))
        target = Values(names, (mean,) * self.horizon, (std,) * self.horizon)
        self.spec = Spec("series", SeriesInput(self.window, 1, (mean,), (std,)), target)
        if self.period is None:
            self.period = _period(training.numpy()) if self.path else SUNSPOTS_PERIOD
            log.info("data.period=null: the seasonal baseline repeats the value %d steps before", self.period)
        self._check_season()

    def targets(self, split: Split) -> Tensor:
        return self._at(self.values.unfold(0, self.horizon, 1), self.windows[split])

    @property
    def chosen(self) -> Section:
        return {"period": self.period}

    @property
    def most_flat(self) -> int:
        return MOST_NUMBERS // self.window

    @property
    def flat_noun(self) -> str:
        return f"the {self.window} values before"

    def flat_inputs(self, split: Split, rows: Tensor) -> NDArray[np.float32]:
        assert isinstance(self.spec.input, SeriesInput)
        before = self.values.unfold(0, self.window, 1)[self.windows[split][rows] - self.window]
        return _scaled(before, self.spec.input.mean[0], self.spec.input.std[0]).numpy()

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
        return self._with_past()[: int(self.windows["val"][-1]) + self.horizon].unique()

    def leave_out(self, seen: Tensor) -> None:
        """Drops test windows of which a value that is to be forecast is among `seen`, with the values before it."""
        was_seen = torch.isin(self._with_past(), seen)
        forecast = self.windows["test"][:, None] + torch.arange(self.horizon)
        self.windows["test"] = self.windows["test"][select_unseen(was_seen[forecast].any(dim=1).tolist(), "windows")]

    def _with_past(self) -> Tensor:
        """Fingerprints of each value with the `window` values before it; at the beginning, there are fewer."""
        padded = np.concatenate([np.full(self.window, np.nan), self.values.numpy()])
        return row_fingerprints(np.lib.stride_tricks.sliding_window_view(padded, self.window + 1))

    def _loader(self, split: Split) -> BatchLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, SeriesInput)
        device = self.trainer.strategy.root_device
        length = self.spec.input.length
        scaled = _scaled(self.values, self.spec.input.mean[0], self.spec.input.std[0]).to(device)
        starts = self.windows[split]
        inputs = self._at(scaled.unfold(0, length, 1), starts - length)
        assert isinstance(self.spec.target, Values)
        targets = _scaled(self.values, self.spec.target.mean[0], self.spec.target.std[0]).to(device)
        targets = self._at(targets.unfold(0, self.horizon, 1), starts)
        return BatchLoader(inputs.unsqueeze(-1), targets, as_stored, self._batching(split))

    def _at(self, windows: Tensor, rows: Tensor) -> Tensor:
        """Those windows: a view, so that they are not copied out of a long series, unless some were left out."""
        evenly = windows[int(rows[0]) :: self.stride][: len(rows)]
        return evenly if torch.equal(rows.diff(), torch.full((len(rows) - 1,), self.stride)) else windows[rows]

    def _windows(self, split: Split, start: int, stop: int) -> Tensor:
        first = max(start, self.window)
        starts = torch.arange(first, max(first, stop - self.horizon + 1), self.stride)[: self.limits[split]]
        if len(starts) == 0:
            raise UserError(
                f"{self.source} is too short: its {split} split has {stop - start} values, too few for data.window="
                f"{self.window} and data.horizon={self.horizon}."
            )
        return starts

    def _back(self) -> Tensor:
        """For each step of the horizon, how far before the window's end the newest known value of its season is."""
        assert self.period is not None
        steps = torch.arange(self.horizon)
        return self.period * (1 + torch.div(steps, self.period, rounding_mode="floor")) - steps

    def _check_season(self) -> None:
        """Checks that the first forecasts have a season before them.

        Raises:
            UserError: they have not.
        """
        for split in ("val", "test"):
            if int(self.windows[split][0]) < int(self._back().max()):
                raise UserError(
                    f"data.period={self.period} is longer than the series before the first {split} forecast."
                )

    def _read(self) -> tuple[str, NDArray[np.float64]]:
        path, column = self.path, self.column
        if path is None:
            path, column = _sunspots(), "SUNACTIVITY"
        wanted = [column] if column else []
        table = _table.read(path, wanted, encoding=self.encoding, separator=self.separator)
        if column is None:
            column = _table.only_numeric(table)
        numbers = [_table.number(cells[column]) for _, cells in table.rows]
        wrong = [line for (line, _), number in zip(table.rows, numbers, strict=True) if number is None]
        wrong += [line for lines in table.problems.values() for line in lines]
        if wrong:
            shown = ", ".join(str(line) for line in sorted(wrong)[:5]) + (", ..." if len(wrong) > 5 else "")
            raise UserError(
                f"{path} has no number in column {column} in {len(wrong)} of its rows (lines {shown}). A series must "
                "not have gaps: fill them, or end the series before them."
            )
        self.sha256[path.name] = sha256_of(path)
        return column if self.path else "sunspots", np.array(numbers, dtype=np.float64)


def _sunspots() -> Path:
    try:
        path = package_file(*SUNSPOTS)
    except SourceUnavailable as reason:
        raise UserError(f"data=series cannot read the sunspots: {reason} Set data.path to a table of yours.") from None
    if (found := sha256_of(path)) != SUNSPOTS_SHA256:
        raise UserError(f"{path} is not the file that statsmodels ships (its sha256 is {found}).")
    return path


def _period(values: NDArray[np.float64]) -> int:
    """The lag with the greatest autocorrelation after it first falls below 0, up to a third of the series; else 1."""
    centered = values - values.mean()
    longest = len(values) // 3
    # The autocorrelation as the spectrum's transform (Wiener and Khinchin), zero-padded so that it does not wrap.
    spectrum = np.fft.rfft(centered, 2 * len(centered))
    products = np.fft.irfft(spectrum * spectrum.conj())[1:longest]
    correlation = products / (len(values) - np.arange(1, longest))
    dips = np.flatnonzero(correlation < 0)
    if len(dips) == 0 or correlation[dips[0] :].max() <= 0:
        return 1
    return int(dips[0] + correlation[dips[0] :].argmax()) + 1


def _scaled(values: Tensor, mean: float, std: float) -> Tensor:
    """float64 in the series' unit -> float32: far from zero, float32 would lose the signal before it is scaled."""
    return ((values - mean) / std).float()
