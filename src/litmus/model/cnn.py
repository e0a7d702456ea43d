"""The convolutional network, after LeNet-5 (LeCun et al. 1998) with today's activations and pooling."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from litmus.config.types import Activation, Count, Init, NonNegative, Probability, Widths
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.model._base import Net
from litmus.model._blocks import ACTIVATIONS, Add, Dropout, Residual, initialize
from litmus.spec import Images, Spec


class CNN(Net):
    """Blocks of convolution -> (batch norm) -> activation -> max-pooling by 2, then a dense layer and a linear head.

    A block pools if that leaves a map of at least 3 x 3; deeper blocks keep the size, so that `widths` may
    have any length. Dropout drops whole channels after a block (Tompson et al.
    2015) and units after the dense layer. With `residual`, each block's convolution is added to its
    input before pooling, through a 1 x 1 convolution where the number of channels changes.
    """

    input_kinds: ClassVar = (Images,)
    gains_from_bf16: ClassVar = True

    @checked
    def __init__(
        self,
        spec: Spec,
        *,
        widths: Widths,
        kernel_size: Count,
        convolutions: Count,
        dense: Count,
        activation: Activation,
        init: Init,
        residual: bool,
        dropout: Probability,
        batchnorm: bool,
        l2: NonNegative,
    ) -> None:
        super().__init__(spec, l2)
        assert isinstance(spec.input, Images)
        channels, height, width = spec.input.channels, spec.input.height, spec.input.width
        if kernel_size > max(height, width):
            raise UserError(
                f"model.kernel_size={kernel_size} is larger than the images of {width} x {height} pixels. Set it to "
                f"{max(height, width)} or less."
            )

        def convolution(num_inputs: int, num_filters: int) -> nn.Module:
            block = nn.Sequential(
                nn.Conv2d(num_inputs, num_filters, kernel_size, padding="same"),
                *([nn.BatchNorm2d(num_filters)] if batchnorm else []),
                ACTIVATIONS[activation](),
            )
            if not residual:
                return block
            same = num_inputs == num_filters
            shortcut = nn.Identity() if same else nn.Conv2d(num_inputs, num_filters, 1, bias=False)
            return Residual(block, shortcut, Add())

        blocks: list[nn.Module] = []
        for num_filters in widths:
            for _ in range(convolutions):
                blocks.append(convolution(channels, num_filters))
                channels = num_filters
            if min(height, width) // 2 >= 3:
                blocks.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            if dropout:
                blocks.append(nn.Dropout2d(dropout))
        self.features = nn.Sequential(
            *blocks,
            nn.Flatten(),
            nn.Linear(channels * height * width, dense),
            *([nn.BatchNorm1d(dense)] if batchnorm else []),
            ACTIVATIONS[activation](),
            *([Dropout(dropout)] if dropout else []),
        )
        self.head = nn.Linear(dense, self.num_outputs)
        initialize(self, init, activation)
        # On a CPU, convolutions in bf16 are about 1.7 times as fast in this layout.
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) float -> (batch, names of the target), unbounded."""
        return self.head(self.features(x.contiguous(memory_format=torch.channels_last)))
