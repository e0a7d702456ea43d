"""What a checkpoint holds."""

from pathlib import Path

import torch

from litmus.config.types import Section


def load_checkpoint(checkpoint: Path) -> Section:
    """What rebuilds a run's network: the plain part of a checkpoint, and its weights, not read before they are used."""
    return torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True)
