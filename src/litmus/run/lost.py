"""What rank 0 does where another process of its run has ended before it."""

import os
import signal
import sys
import time
from collections.abc import Callable

from litmus import console
from litmus.record.folder import RunDir

MOST_LINES = 5  # of the log of a process that failed, in the sentence on it
NOTICED_S = 1  # in which what a signal or torch says of a process that has ended has reached the main thread
STUCK_S = 8  # in which the main thread has ended the run for that, or never will


def sentence(who: str, how: str, run: RunDir | None, rank: int) -> str:
    """What is said of the process, with the last lines that it wrote.

    Args:
        who: the process.
        how: it ended.
        run: its folder, where it has got one.
        rank: its number.
    """
    lines = run.last_lines(rank)[-MOST_LINES:] if run else []
    where = f" Its last lines, in {run.rank_log(rank)}:" if run and lines else ""
    return "\n".join([f"{who} {how}, so the training stopped.{where}", *(f"  {line}" for line in lines)])


def end(said: str, run: RunDir | None, is_over: Callable[[], bool], is_signalled: Callable[[], bool]) -> None:
    """Interrupts the main thread, where it has not noticed by itself; ends this process, where that is of no use.

    A thread that waits within a library, as NCCL does for a process that is gone, hears no signal.

    Args:
        said: on the process that has ended, where this one has to end, too.
        run: the folder to resume from, if there is one.
        is_over: whether the main thread has noticed, or needs the other no longer.
        is_signalled: whether a signal ends the run already.
    """
    time.sleep(NOTICED_S)
    if not is_over() and not is_signalled():
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STUCK_S - NOTICED_S)
    if not is_over():
        console.error(f"{said}\nGo on from its last checkpoint: resume={run.path}" if run else said)
        sys.stderr.flush()
        os._exit(1)
