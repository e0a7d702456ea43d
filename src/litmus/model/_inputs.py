"""From what a dataset provides to the features that dense layers take: one row of numbers for each sample."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from litmus.spec import Category, Columns, Images, Input

MOST_EMBEDDING = 50  # numbers for a category


def as_features(read: Input, embedding: Callable[..., nn.Module] | None) -> tuple[nn.Module, int]:
    """A module that makes features of an input, and how many.

    Args:
        read: images, whose pixels are the features, or columns.
        embedding: makes a layer of learned vectors for the values of a category; None codes each value by a one among
            zeros.
    """
    if isinstance(read, Images):
        return nn.Flatten(), read.channels * read.height * read.width
    assert isinstance(read, Columns)
    if embedding is None:
        sizes = [len(category.values) for category in read.categories]
        return OneHot(read.num_numbers, sizes), read.num_numbers + sum(sizes)
    widths = [embedding_size(category) for category in read.categories]
    layers = [
        embedding(len(category.values) + 1, width) for category, width in zip(read.categories, widths, strict=True)
    ]
    return Embedded(read.num_numbers, layers), read.num_numbers + sum(widths)


def embedding_size(category: Category) -> int:
    """Numbers for each value: 1.6 n^0.56, n values, at most 50; source: fastai's rule for tables."""
    return min(MOST_EMBEDDING, math.ceil(1.6 * (len(category.values) + 1) ** 0.56))


class Embedded(nn.Module):
    """Numbers as they are, and a learned vector for each category; that of unknown values begins with zeros."""

    def __init__(self, num_numbers: int, layers: list[nn.Module]) -> None:
        super().__init__()
        self.num_numbers = num_numbers
        self.layers = nn.ModuleList(layers)
        with torch.no_grad():
            for layer in layers:
                assert isinstance(layer.weight, Tensor)
                layer.weight[0] = 0

    def forward(self, x: Tensor) -> Tensor:
        """(batch, numbers + categories) -> (batch, numbers + embedding sizes)."""
        numbers, codes = x[:, : self.num_numbers], x[:, self.num_numbers :].long()
        return torch.cat([numbers, *(layer(codes[:, i]) for i, layer in enumerate(self.layers))], dim=1)


class OneHot(nn.Module):
    """Numbers as they are, and for each category a one among zeros; all are zeros for an unknown value."""

    def __init__(self, num_numbers: int, sizes: list[int]) -> None:
        super().__init__()
        self.num_numbers = num_numbers
        self.sizes = sizes

    def forward(self, x: Tensor) -> Tensor:
        """(batch, numbers + categories) -> (batch, numbers + values of all categories)."""
        hot = [
            (x[:, self.num_numbers + i, None] == torch.arange(1, size + 1, device=x.device)).to(x.dtype)
            for i, size in enumerate(self.sizes)
        ]
        return torch.cat([x[:, : self.num_numbers], *hot], dim=1)
