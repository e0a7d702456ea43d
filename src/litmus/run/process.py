"""What a process does when it starts: imports, and a promise not to outlive the one that started it."""

import ctypes
import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from litmus.config.deferred import defer

PR_SET_PDEATHSIG = 1  # of Linux' prctl


def import_all(modules: Sequence[str]) -> None:
    """Imports modules, and takes all that exists by then out of the garbage collector's sight.

    Importing torch and Lightning makes hundreds of thousands of lasting objects. The collector would scan them again
    and again, and once more at the exit: 1.9 of the 7.0 seconds of a whole run of a small FNN. In a process that
    forks, it would also write to, and so copy, every page that the children share.

    A process that has the modules already is left as it is: what its earlier runs left behind must be collected.
    """
    if all(module in sys.modules for module in modules):
        return
    defer()
    gc.disable()
    try:
        for module in modules:
            importlib.import_module(module)
        gc.collect()  # or what the imports dropped in cycles would stay, and be shared
        gc.freeze()
    finally:
        gc.enable()


def die_with_parent(parent: int) -> None:
    """Ends this process when its parent does, however that happens; on Linux, which can do that.

    Args:
        parent: its process number. One that has ended already ends this process at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
