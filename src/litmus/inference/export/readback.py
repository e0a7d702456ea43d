"""Whether an exported network gives the outputs of the original."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import torch
from torch import Generator, Tensor, nn

from litmus.config.protocols import Net
from litmus.errors import UserError
from litmus.inference.export.cells import example
from litmus.inference.export.whole import Bare, Whole
from litmus.spec import Boxes, Columns, Images, Series, Tokens

if TYPE_CHECKING:
    from torch.export.dynamic_shapes import _DimHint  # the type of Dim.DYNAMIC has no public name

MISSING = 0.1  # fraction of a series' values
BATCH_SIZES = (1, 4)  # compared: others than the one that the exporter traced


def compare(exported: Bare, other: Callable[..., Sequence[Tensor]], tolerance: float) -> float:
    """The largest difference between the outputs of two networks for random inputs.

    Args:
        exported: the network.
        other: what runs it elsewhere.
        tolerance: of differences, relative to the largest output, if that is more than 1.

    Raises:
        UserError: it is more than rounding.
    """
    largest = 0.0
    with torch.inference_mode():
        for batch_size in BATCH_SIZES:
            inputs = random_inputs(exported, batch_size)
            outputs = exported(*inputs)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            for difference, scale in exported.differences(outputs, other(*inputs)):
                if not difference <= tolerance * max(1.0, scale):
                    raise UserError(
                        f"The outputs of the exported network differ from the original's by {difference:.1e}, which is "
                        "more than rounding. Nothing was kept."
                    )
                largest = max(largest, difference)
    return largest


def random_inputs(exported: Bare, batch_size: int) -> tuple[Tensor, ...]:
    """Random inputs that resemble the data: pixels, numbers, categories, or tokens in rows of several lengths.

    Args:
        exported: what takes them.
        batch_size: also the seed.
    """
    generator = Generator().manual_seed(batch_size)
    read = exported.spec.input
    if isinstance(read, Tokens):
        return (_tokens(read, batch_size, generator),)
    if not isinstance(exported, Whole):
        return (_normalized(exported.net, batch_size, generator),)
    if isinstance(read, Columns):
        return tuple(example(column, batch_size, generator) for column in read.by_name().values())
    if isinstance(read, Series):
        return (_windows(exported, read, batch_size, generator),)
    sides = [side + 7 * batch_size + odd for odd, side in enumerate((read.height, read.width))]
    count = () if isinstance(exported.spec.target, Boxes) else (batch_size,)
    return (torch.randint(256, (*count, *sides, 3), generator=generator, dtype=torch.uint8),)


def _normalized(net: Net, batch_size: int, generator: Generator) -> Tensor:
    """As the bare network takes them."""
    shape, read = net.example(batch_size).shape, net.spec.input
    if isinstance(read, Images):
        mean, std = (torch.tensor(fact).reshape(1, -1, 1, 1) for fact in (read.mean, read.std))
        return (torch.rand(shape, generator=generator) - mean) / std
    inputs = torch.randn(shape, generator=generator)
    for place, category in enumerate(read.categories if isinstance(read, Columns) else (), start=1):
        inputs[:, -place] = torch.randint(len(category.values) + 1, (batch_size,), generator=generator).float()
    return inputs


def _windows(exported: Bare, read: Series, batch_size: int, generator: Generator) -> Tensor:
    """Windows in which some values are missing."""
    rows, columns = map(int, exported.inputs[0].axes[1:])
    windows = torch.randn(batch_size, rows, columns, generator=generator, dtype=torch.float64)
    windows = windows * torch.tensor(read.std[:columns]) + torch.tensor(read.mean[:columns])
    is_missing = torch.rand(windows.shape, generator=generator) < MISSING
    return torch.where(is_missing, torch.nan, windows)


def _tokens(read: Tokens, batch_size: int, generator: Generator) -> Tensor:
    length = min(read.max_length, 5 + 2 * batch_size)
    tokens = torch.randint(0, read.vocabulary_size, (batch_size, length), generator=generator)
    tokens[tokens == read.padding] = (read.padding + 1) % read.vocabulary_size
    for row in range(1, batch_size):
        tokens[row, length - row :] = read.padding
    return tokens


def dynamic_shapes(exported: Bare) -> "tuple[dict[int, _DimHint], ...]":
    """The dimensions of each input that may have any size: those whose axes have names."""
    return tuple(
        {place: torch.export.Dim.DYNAMIC for place, axis in enumerate(port.axes) if not axis.isdigit()}
        for port in exported.inputs
    )


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
