"""Whether an exported network gives the outputs of the original."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from litmus.config.protocols import Net
from litmus.errors import UserError
from litmus.spec import Columns, Images, Tokens

if TYPE_CHECKING:
    from torch.export.dynamic_shapes import _DimHint  # the type of Dim.DYNAMIC has no public name

TOLERANCE = 1e-5  # relative to the largest output; rounding of float32 in another order gives about 1e-6
BATCH_SIZES = (1, 4)  # compared: others than the one that the exporter traced


def compare(net: Net, other: Callable[[Tensor], Tensor]) -> float:
    """The largest difference between the outputs of two networks for random inputs.

    Raises:
        UserError: it is more than rounding.
    """
    largest = 0.0
    with torch.inference_mode():
        for batch_size in BATCH_SIZES:
            inputs = random_inputs(net, batch_size)
            for difference, scale in net.max_differences(net(inputs), other(inputs)):
                if not difference <= TOLERANCE * max(1.0, scale):
                    raise UserError(
                        f"The outputs of the exported network differ from the original's by {difference:.1e}, which is "
                        "more than rounding. Nothing was kept."
                    )
                largest = max(largest, difference)
    return largest


def random_inputs(net: Net, batch_size: int) -> Tensor:
    """Random inputs that resemble the data: pixels, numbers, categories, or tokens in rows of several lengths.

    Args:
        net: the network that takes them.
        batch_size: also the seed.
    """
    generator = torch.Generator().manual_seed(batch_size)
    shape = net.example(batch_size).shape
    kind = net.spec.input
    if isinstance(kind, Images):
        mean, std = (torch.tensor(fact).reshape(1, -1, 1, 1) for fact in (kind.mean, kind.std))
        return (torch.rand(shape, generator=generator) - mean) / std
    if not isinstance(kind, Tokens):
        inputs = torch.randn(shape, generator=generator)
        for place, category in enumerate(kind.categories if isinstance(kind, Columns) else (), start=1):
            inputs[:, -place] = torch.randint(len(category.values) + 1, (batch_size,), generator=generator).float()
        return inputs
    length = min(kind.max_length, 5 + 2 * batch_size)
    tokens = torch.randint(0, kind.vocabulary_size, (batch_size, length), generator=generator)
    tokens[tokens == kind.padding] = (kind.padding + 1) % kind.vocabulary_size
    for row in range(1, batch_size):
        tokens[row, length - row :] = kind.padding
    return tokens


def dynamic_shapes(net: Net) -> "dict[int, _DimHint]":
    """The dimensions of the input that may have any size: the batch, and the length of texts."""
    dimensions = (0, 1) if isinstance(net.spec.input, Tokens) else (0,)
    return dict.fromkeys(dimensions, torch.export.Dim.DYNAMIC)


@contextmanager
def quiet(net: Net) -> Iterator[None]:
    """Exports without gradients, in the usual layout of images, and without the warnings and advice of exporters."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    net.requires_grad_(False)
    if isinstance(net.spec.input, Images):
        cast(nn.Module, net).to(memory_format=torch.contiguous_format)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            exporter.setLevel(level)
