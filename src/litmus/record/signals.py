"""Signals that end a run: what is being written becomes whole before they act."""

import logging
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from litmus import console
from litmus.errors import Interrupted

log = logging.getLogger(__name__)

Handler = Callable[[int, FrameType | None], object] | int | None  # what signal.signal takes and gives
# Besides Ctrl-C: the end of a terminal, of a process, and what a queue sends when a job's time is nearly over.
NAMES = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


def stopping_signals() -> list[signal.Signals]:
    """Those of this system that are not ignored, as `nohup` ignores SIGHUP."""
    found = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    return [number for number in found if signal.getsignal(number) is not signal.SIG_IGN]


class Noted:
    """Signals are noted and not acted on, between `start` and `stop`; the second one acts at once.

    Attributes:
        received: the first one, if any.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._replaced: dict[signal.Signals, Handler] = {}

    def start(self) -> None:
        """Begins; only the main thread can."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *stopping_signals()):
                self._replaced[number] = signal.signal(number, self._note)

    def stop(self) -> None:
        """Restores what was there before."""
        for number, handler in self._replaced.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self.stop()


@contextmanager
def stopping_after() -> Iterator[None]:
    """A signal that arrives in the body acts after it.

    Raises:
        Interrupted: one arrived.
    """
    noted = Noted()
    noted.start()
    try:
        yield
    finally:
        noted.stop()
    if noted.received is not None:
        raise Interrupted(noted.received)


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """In the body, a signal raises an exception, as SIGINT raises KeyboardInterrupt by itself.

    Raises:
        Interrupted: a signal that ends a process, or announces a time limit, arrived.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number))

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in stopping_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pass_on(received: signal.Signals) -> None:
    """Tells the queue that sent a signal, now that the run's files are written; it may not return.

    A handler that was installed before the run, as submitit does, is called; else a job of SLURM is requeued. What is
    started again with the same command then resumes: see `litmus.compose.resume`.
    """
    if received not in (getattr(signal, "SIGUSR1", None), getattr(signal, "SIGUSR2", None)):
        return
    handler, job = signal.getsignal(received), os.environ.get("SLURM_JOB_ID")
    if callable(handler):
        handler(received, None)
    elif job is not None and (scontrol := shutil.which("scontrol")) is not None:
        done = subprocess.run([scontrol, "requeue", job], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            console.say(f"requeued     job {job} of SLURM, which will resume this run")
        else:
            log.warning("SLURM did not requeue job %s: %s", job, (done.stderr or done.stdout).strip())
