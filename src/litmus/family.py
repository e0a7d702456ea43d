"""Processes that must not outlive the one that started them."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # of Linux' prctl


def die_with_parent() -> None:
    """Ends this process when its parent dies, however that happens; on Linux, where that can be asked for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
