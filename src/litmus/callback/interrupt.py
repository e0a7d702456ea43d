"""Ctrl-C and SIGTERM: stop after the batch in hand, leaving whole files behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from litmus.callback._base import Callback
from litmus.config.validate import checked
from litmus.errors import Interrupted
from litmus.record.signals import Noted


class Interrupt(Callback):
    """Turns the first SIGINT, SIGTERM and the like into `Interrupted` between two batches; the second acts at once.

    A handler only sets a flag: saving from within one fails now and then, and Lightning's own way
    with Ctrl-C ends the process. What is lost is the epoch under way; `last.ckpt` holds the one before.
    """

    affects_training: ClassVar = False
    needed: ClassVar = True

    @checked
    def __init__(self) -> None:
        self._noted = Noted()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Catches signals in the body; around the whole of Lightning, which also sets and restores handlers."""
        self._noted.start()
        try:
            yield
        finally:
            self._noted.stop()

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_requested()

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_requested()

    def on_test_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_requested()

    def _stop_if_requested(self) -> None:
        if self._noted.received is not None:
            raise Interrupted(self._noted.received)
