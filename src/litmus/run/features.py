"""Features of a network's frozen part, kept on disk for other runs."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from litmus.fetch.once import one_at_a_time
from litmus.fetch.room import make_room
from litmus.record.files import replacing

log = logging.getLogger(__name__)

ENTRY = r"[0-9a-f]{64}\.npy"
MOST_BYTES = 20 * 10**9  # of all entries: those that were unused for longest make room for new ones


def cached(cache: Path, key: str, compute: Callable[[], Tensor]) -> tuple[Tensor, bool]:
    """The features of that key, from the cache if they were computed before.

    Several processes that want the same wait for the first one.

    Args:
        cache: a folder. Where it has no space, or cannot be written to, each run computes its own.
        key: their name, a hash.
        compute: gives them: float32, the images first.

    Returns:
        The features, and whether they were in the cache.
    """
    path = cache / f"{key}.npy"
    if not _can_be_written(cache):
        return compute().cpu(), False
    with one_at_a_time(path):
        if (found := _load(path)) is not None:
            return found, True
        features = compute().cpu()
        if features.nbytes > MOST_BYTES:
            log.info("features of %.1f GB are not kept in %s", features.nbytes / 1e9, cache)
            return features, False
        try:
            make_room(cache, MOST_BYTES - features.nbytes, ENTRY)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, features.numpy())
        except OSError as error:  # the cache is only a convenience
            log.info("features are not kept in %s: %s", cache, error)
        return features, False


def _can_be_written(cache: Path) -> bool:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(cache, os.W_OK)


def _load(path: Path) -> Tensor | None:
    try:
        with suppress(OSError):  # another user's cache may be read-only
            os.utime(path)  # marks when it was last used
        return torch.from_numpy(np.load(path, mmap_mode="c"))  # torch wants an array that can be written
    except (OSError, ValueError, EOFError):  # missing or damaged: they are computed again
        return None
