"""The Hugging Face hub: whether it can be reached, and its libraries without their output."""

import os
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_S = 5


@cache
def reachable() -> bool:
    """Whether the hub can be reached; its libraries would try for half a minute."""
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    return not HF_HUB_OFFLINE and connects(ENDPOINT)


def cache_folder() -> Path:
    """Where its libraries keep the files that they download."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def connects(url: str) -> bool:
    """Whether the server of that URL accepts a connection; assumed, behind a proxy."""
    where = urlsplit(url)
    if urllib.request.getproxies().get(where.scheme):
        return True
    try:
        port = where.port or (443 if where.scheme == "https" else 80)
        socket.create_connection((where.hostname or "", port), TIMEOUT_S).close()
    except OSError:
        return False
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Hides transformers' progress bars, and sends its warnings to train.log only."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # it warns if a process forks after using it
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_default_handler()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
