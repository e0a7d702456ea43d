"""Ctrl-C and SIGTERM: stop after the step in hand, leaving whole files behind."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from litmus.callback._base import Callback
from litmus.config.validate import checked
from litmus.errors import Interrupted
from litmus.record.signals import Noted


class Interrupt(Callback):
    """Turns the first SIGINT, SIGTERM and the like into `Interrupted` between two batches; the second acts at once.

    A handler only sets a flag: saving from within one fails now and then, and Lightning's own way with Ctrl-C ends the
    process. While a run trains, `Checkpoint` looks at the flag, and keeps the step before it stops; a validation is
    finished first. The test is stopped here.
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

    @property
    def received(self) -> signal.Signals | None:
        """The first signal, if one arrived."""
        return self._noted.received

    def on_test_batch_end(self, *args: Any, **kwargs: Any) -> None:
        if self.received is not None:
            raise Interrupted(self.received)
