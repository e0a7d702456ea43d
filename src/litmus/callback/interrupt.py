"""Ctrl-C and SIGTERM: stop after the batch in hand, leaving whole files behind."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, ClassVar

from litmus.callback._base import Callback
from litmus.config.validate import checked

Handler = Any  # what signal.signal takes and gives
# By which a queue announces that a job's time is over, where whoever started this process listens for them.
TIME_LIMIT_SIGNALS = [getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name)]


class Interrupted(Exception):
    """A signal stopped the run."""

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(f"stopped by {received.name}")
        self.received = received


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """In the body, SIGTERM raises `Interrupted`, as SIGINT raises KeyboardInterrupt by itself.

    Raises:
        Interrupted: a signal that ends a process, or announces a time limit, arrived.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number))

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, *_time_limit_signals())}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pass_on(received: signal.Signals) -> None:
    """Calls the handler that was installed before the run, now that its files are written; it may end this process."""
    if received in _time_limit_signals():
        signal.getsignal(received)(received, None)  # type: ignore[operator,misc]  # callable, by `_time_limit_signals`


def _time_limit_signals() -> list[signal.Signals]:
    return [number for number in TIME_LIMIT_SIGNALS if callable(signal.getsignal(number))]


class Interrupt(Callback):
    """Turns the first SIGINT or SIGTERM into `Interrupted` between two batches; the second acts at once.

    A handler only sets a flag: saving from within one fails now and then, and Lightning's own way
    with Ctrl-C ends the process. What is lost is the epoch under way; `last.ckpt` holds the one before.
    """

    affects_training: ClassVar = False

    @checked
    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.replaced: dict[signal.Signals, Handler] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Catches signals in the body; around the whole of Lightning, which also sets and restores handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, *_time_limit_signals()):
                self.replaced[number] = signal.signal(number, self._note)
        try:
            yield
        finally:
            self._restore()

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_requested()

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_requested()

    def on_test_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_requested()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._restore()  # the second signal acts at once

    def _restore(self) -> None:
        for number, handler in self.replaced.items():
            signal.signal(number, handler)

    def _stop_if_requested(self) -> None:
        if self.received is not None:
            raise Interrupted(self.received)
