"""What every callback of litmus says of itself."""

from typing import ClassVar

import lightning.pytorch as lightning


class Callback(lightning.Callback):
    """A callback that says whether it affects training."""

    affects_training: ClassVar[bool]
