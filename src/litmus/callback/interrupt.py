"""Ctrl-C and SIGTERM: stop after the batch in hand, leaving whole files behind."""

import signal
import threading
from types import FrameType
from typing import Any

import lightning.pytorch as lightning

from litmus.check import checked

Handler = Any  # what signal.signal takes and gives


class Interrupted(Exception):
    """A person or the system asked the run to stop."""

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(f"stopped by {received.name}")
        self.received = received


class Interrupt(lightning.Callback):
    """Turns the first SIGINT or SIGTERM into `Interrupted` between two batches; the second acts at once.

    A handler only sets a flag: saving from within one fails now and then, and Lightning's own way
    with Ctrl-C ends the process. What is lost is the epoch under way; `last.ckpt` holds the one before.
    """

    @checked
    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.replaced: dict[signal.Signals, Handler] = {}

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if threading.current_thread() is not threading.main_thread() or self.replaced:
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self.replaced[number] = signal.signal(number, self._note)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._restore()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_asked()

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_asked()

    def on_test_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_asked()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self.replaced.items():
            signal.signal(number, handler)
        self.replaced = {}

    def _stop_if_asked(self) -> None:
        if self.received is not None:
            raise Interrupted(self.received)
