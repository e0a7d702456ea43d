"""Inputs that lie elsewhere than on the device that trains: a batch is read while the one before it trains."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

Read = Callable[[Tensor], Tensor]  # from the numbers of rows, int64, to these rows in the computer's memory


class Ahead:
    """As much of a tensor as a loader needs; what the loader expects to need next is read in a thread.

    For a GPU of NVIDIA's, the rows are read into memory from which it copies by itself (pinned), so that neither the
    processor nor the training waits for the copy. What is read does not depend on what was expected.

    Args:
        reading: gives what reads rows, and keeps open what it reads with: threads, say.
        device: that trains, to which the rows come.
    """

    device = torch.device("cpu")  # of the numbers by which rows are asked for

    def __init__(self, reading: Callable[[], AbstractContextManager[Read]], device: torch.device) -> None:
        self.reading = reading
        self.target = device
        self._submit: Callable[[Tensor], Future[Tensor]] | None = None
        self._expected: deque[tuple[Tensor, Future[Tensor]]] = deque()

    @contextmanager
    def open(self) -> Iterator[None]:
        """For the length of an iteration, after which no thread is left."""
        with self.reading() as read, ThreadPoolExecutor(1, "ahead") as thread:
            own = self._submit = lambda rows: thread.submit(self._staged, read, rows)
            try:
                yield
            finally:
                if self._submit is own:  # no other iteration has begun since
                    self._submit = None
                    self._expected.clear()

    def expect(self, *needed: Tensor | slice) -> None:
        """Begins to read rows, for calls that will ask for them in this order."""
        if self._submit is not None:
            self._expected = deque((rows, self._submit(rows)) for rows in map(_numbers, needed))

    def index_select(self, _: int, rows: Tensor) -> Tensor:
        """These rows, on the device that trains."""
        while self._expected:
            expected, future = self._expected.popleft()
            if torch.equal(rows, expected):
                return self._moved(future.result())
        if self._submit is not None:
            return self._moved(self._submit(rows).result())
        with self.reading() as read:
            return self._moved(self._staged(read, rows))

    def __getitem__(self, rows: slice) -> Tensor:
        """Those from `rows.start` to `rows.stop`, both given."""
        return self.index_select(0, _numbers(rows))

    def _staged(self, read: Read, rows: Tensor) -> Tensor:
        """The rows, in memory from which the device copies fastest."""
        if self.target.type != "cuda":
            return read(rows)
        with torch.cuda.device(self.target):  # a thread begins with the first GPU, and would occupy memory of it
            return read(rows).pin_memory()

    def _moved(self, rows: Tensor) -> Tensor:
        return moved(rows, self.target)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on that device; a GPU of NVIDIA's is not waited for.

    CUDA keeps what it still has to copy; of Apple's GPUs nothing says that they do.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")


def _numbers(rows: Tensor | slice) -> Tensor:
    return rows if isinstance(rows, Tensor) else torch.arange(rows.start, rows.stop)
