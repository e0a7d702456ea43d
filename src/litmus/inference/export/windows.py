"""The preprocessing of windows of a series, as a module that is exported: raw columns in, what a network receives out.

It does what `data/timeline` does to a whole file, as far as a window shows it.
"""

import torch
from torch import Tensor, nn

from litmus.inference.export.standardize import Standardize
from litmus.spec import Series


class Windows(nn.Module):
    """Fills what is missing, adds its indicators, moves up what is known ahead, and standardizes.

    From float64 (batch, rows, columns), in the data's units and NaN where a value is missing, to float32 (batch,
    length, features). `rows` are one with the last value of each column before the window, the `length` of the window,
    and the steps to forecast where columns are known ahead.

    Args:
        series: what the network receives.
        horizon: how many steps it forecasts.
    """

    def __init__(self, series: Series, horizon: int) -> None:
        super().__init__()
        self.length, self.known, self.horizon = series.length, series.known, horizon
        self.indicated = list(series.indicated)
        self.standardize = Standardize(series.mean, series.std)

    def forward(self, x: Tensor) -> Tensor:
        missing = x[:, 1:].isnan()
        filled = _carried_forward(x)[:, 1:]
        # What is forecast takes the first value where there is none before; `scale_columns` says what others take.
        own, ahead = filled[:, : self.length, :1], filled[:, self.length :, :1]
        own = torch.cat([_carried_forward(own.flip(1)).flip(1), ahead], dim=1)
        filled = torch.cat([own, filled[:, :, 1:]], dim=2)
        columns = self._moved_up(filled)
        if self.indicated:
            indicators = self._moved_up(missing.double())[:, :, self.indicated]
            columns = torch.cat([columns, indicators], dim=2)
        return torch.nan_to_num(self.standardize(columns), nan=0.0)

    def _moved_up(self, x: Tensor) -> Tensor:
        if not self.known:
            return x
        seen = x.shape[2] - self.known
        ahead = x[:, self.horizon :, seen:]
        return torch.cat([x[:, : self.length, :seen], ahead], dim=2)


def _carried_forward(x: Tensor) -> Tensor:
    """Each NaN as the last number of its column before it: after each step, of twice as many rows before."""
    step = 1
    while step < x.shape[1]:
        before = torch.cat([torch.full_like(x[:, :step], float("nan")), x[:, :-step]], dim=1)
        x = torch.where(x.isnan(), before, x)
        step *= 2
    return x
