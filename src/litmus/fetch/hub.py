"""The Hugging Face hub: whether it is there, and the libraries that ask it, kept quiet."""

import os
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

TIMEOUT_S = 5


@cache
def reachable() -> bool:
    """Whether the hub answers; the libraries themselves would try for half a minute."""
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    return not HF_HUB_OFFLINE and connects(ENDPOINT)


def connects(url: str) -> bool:
    """Whether the server of that address takes a connection; behind a proxy it is taken to."""
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
    """Keeps transformers' progress bars off the screen, and its warnings in train.log."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # it warns when a process forks after it was used
    from transformers.utils import logging as said

    said.disable_default_handler()
    bars = said.is_progress_bar_enabled()
    said.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            said.enable_progress_bar()
