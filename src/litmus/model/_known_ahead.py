"""What is known ahead of a series, such as a holiday, for each step that is forecast."""

import torch
from torch import Tensor, nn

from litmus.spec import Series


class KnownAhead(nn.Module):
    """What the known values of a step change in its forecast: a small network that all steps share.

    A window's rows hold what is known of `horizon` rows later, so that its last rows hold what is known of the steps to
    forecast. A network that read them one after the other would have to remember each until the end, and would see a
    row's own values `horizon` rows apart from the value that they explain.

    Args:
        series: the input, of which columns are known ahead.
        width: of the network's features.
        horizon: how many steps it forecasts.
    """

    def __init__(self, series: Series, width: int, horizon: int) -> None:
        super().__init__()
        self.last = len(series.raw)
        self.first, self.horizon = self.last - series.known, horizon
        self.hidden = nn.Linear(width + series.known, width)
        self.change = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.change.weight)  # at first, nothing: see `litmus.model._base.Net.untrained`

    def aligned(self, x: Tensor) -> Tensor:
        """Windows (batch, length, features) with each row's own known values; of the first rows, the mean."""
        known = x[:, :, self.first : self.last]
        own = torch.cat([torch.zeros_like(known[:, : self.horizon]), known[:, : -self.horizon]], dim=1)
        return torch.cat([x[:, :, : self.first], own, x[:, :, self.last :]], dim=2)

    def forward(self, features: Tensor, x: Tensor) -> Tensor:
        """Features (batch, width) and windows (batch, length, features) -> (batch, horizon)."""
        known = x[:, x.shape[1] - self.horizon :, self.first : self.last]
        each = torch.cat([features[:, None].expand(-1, self.horizon, -1), known], dim=2)
        return self.change(torch.relu(self.hidden(each)))[:, :, 0]
