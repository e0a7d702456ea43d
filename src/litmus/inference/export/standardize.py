"""Numbers in their units and on a network's scale, as modules that are exported."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """`(x - mean) / std` for each feature, the last dimension: float64, where 1e8 may change a little, -> float32."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.std).float()


class Unstandardize(Standardize):
    """`x * std + mean`: float32 -> float64, values in the data's unit."""

    def forward(self, x: Tensor) -> Tensor:
        return x.double() * self.std + self.mean
