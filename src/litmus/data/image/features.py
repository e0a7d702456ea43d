"""Features of a network's frozen part: named by all that they depend on, and those of several views."""

import hashlib
import platform

import torch
from torch import Generator, Tensor

from litmus.data._loader import Stored

VERSION = 1  # of how features are computed: another number invalidates the cache
CHUNK = 256  # images that are read at a time for their fingerprint


def key_of(pixels: Stored, num_images: int, about: str, device: torch.device) -> str:
    """Names features by all that they depend on: the images, what computes them, and on what.

    Args:
        pixels: of the images, uint8.
        num_images: their number.
        about: the network's weights, the normalization, the views.
        device: that computes; another one rounds differently, and so does another number of threads.
    """
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    rounding: tuple[object, ...] = (torch.backends.cpu.get_cpu_capability(), torch.get_num_threads())
    if device.type == "cuda":
        rounding = (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)
    digest = hashlib.sha256(repr((VERSION, torch.__version__, device.type, on, rounding, about)).encode())
    for start in range(0, num_images, CHUNK):
        some = pixels[start : min(start + CHUNK, num_images)].cpu().contiguous()
        digest.update(repr(some.shape).encode())
        digest.update(some.numpy().data)
    return digest.hexdigest()


def pick_view(features: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
    """The transform that takes one view of each image: (batch, views, features) -> (batch, features)."""
    numbers = torch.randint(features.shape[1], (batch_size,), generator=generator)[rows].to(features.device)
    return features[torch.arange(len(features), device=features.device), numbers]
