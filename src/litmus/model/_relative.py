"""Forecasts relative to the window that they follow, so that a series may leave the range that it was trained on."""

import torch
from torch import Tensor, nn

from litmus.spec import Series, Spec, Values

SEASONAL = ("seasonal", "seasonal_difference")
SMALLEST = 1e-5  # standard deviation of a window, of the series': a constant one is divided by it


class Relative(nn.Module):
    """Turns a window into what a network sees, and the network's output into a forecast, by `spec.input.scaling`.

    With y the first feature, the series that is forecast, t its last value and P the season's length, a forecast is

        series               output                      of y as it is
        window               y[t] + s output             of (y - y[t]) / s, s the window's standard deviation
        difference           y[t] + output               of y[i] - y[i-1]
        seasonal             y[t+h-kP] + output          of y[i] - y[i-P], k the season of h
        seasonal_difference  y[t+h-kP] + k (y[t] - y[t-P]) + output   of the changes of y[i] - y[i-P]

    (RevIN, Kim et al. 2022, for the second, about the last value as NLinear, Zeng et al. 2023; Box and Jenkins 1970 for
    the others: the last is the differencing of their airline model.) Nothing is learned here. Differences have the
    scale of `spec.target.std`. Other features stay as they are.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        assert isinstance(spec.input, Series)
        assert isinstance(spec.target, Values)
        self.scaling, self.period = spec.input.scaling, spec.input.period
        self.ratio = spec.input.std[0] / spec.target.std[0]  # from the scale of inputs to that of outputs
        self.horizon = len(spec.target.names)

    def inputs(self, x: Tensor) -> Tensor:
        """Float (batch, length, features) -> what the network sees, which differences make shorter."""
        own, others = x[:, :, :1], x[:, :, 1:]
        if self.scaling == "window":
            own = (own - own[:, -1:]) / _deviation(own)[:, None]
        elif self.scaling != "series":
            if self.scaling in SEASONAL:
                own = own[:, self.period :] - own[:, : -self.period]
            if self.scaling != "seasonal":
                own = own[:, 1:] - own[:, :-1]
            own = own * self.ratio
        return torch.cat([own, others[:, x.shape[1] - own.shape[1] :]], dim=2) if others.shape[2] else own

    def forecast(self, outputs: Tensor, x: Tensor) -> Tensor:
        """Float (batch, horizon) of the network, and the window -> the forecast, on the scale of targets."""
        if self.scaling == "series":
            return outputs
        own = x[:, :, 0] * self.ratio
        last = own[:, -1:]
        if self.scaling == "window":
            return last + outputs * _deviation(x[:, :, :1]) * self.ratio
        if self.scaling == "difference":
            return last + outputs
        steps = torch.arange(self.horizon, device=x.device)
        seasons = 1 + torch.div(steps, self.period, rounding_mode="floor")
        before = own[:, own.shape[1] + steps - seasons * self.period]
        if self.scaling == "seasonal":
            return before + outputs
        return before + seasons * (last - own[:, -1 - self.period, None]) + outputs


def _deviation(own: Tensor) -> Tensor:
    """(batch, length, 1) -> (batch, 1)"""
    return own.var(dim=1, correction=0).sqrt() + SMALLEST
