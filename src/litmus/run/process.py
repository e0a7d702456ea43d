"""Processes that must not outlive the one that started them."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # of Linux' prctl


def die_with_parent(parent: int) -> None:
    """Ends this process when its parent does, however that happens; on Linux, which can do that.

    Args:
        parent: its process number. One that has ended already ends this process at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
