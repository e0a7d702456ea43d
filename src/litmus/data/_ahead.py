"""Samples on the device that trains, where they fit; else a batch is read while the one before it trains."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor

RESIDENT = 0.25  # of a GPU's free memory that a split's inputs may take, and its targets
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
        return staged(read(rows), self.target)

    def _moved(self, rows: Tensor) -> Tensor:
        return moved(rows, self.target)


def room(device: torch.device) -> float:
    """Bytes of a device that a split's inputs may take, or its targets; what a CPU reads is in its memory already."""
    return RESIDENT * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else math.inf


def fits(num_bytes: int, device: torch.device) -> bool:
    """Whether so many bytes of samples may lie on a device."""
    return num_bytes <= room(device)


def placed(samples: Tensor, device: torch.device) -> Tensor | Ahead:
    """The samples on the device that trains, if they fit; otherwise each batch is read while the last one trains."""
    return samples.to(device) if fits(samples.nbytes, device) else read_ahead(samples, device)


def read_ahead(samples: Tensor, device: torch.device) -> Ahead:
    """The samples where they are, of which a device gets what it asks for."""
    return Ahead(lambda: nullcontext(partial(samples.index_select, 0)), device)


def placed_targets(targets: Tensor, device: torch.device) -> Tensor:
    """The targets on the device that trains, if they fit; otherwise where they are: a loader sends those of a batch."""
    return targets.to(device) if fits(targets.nbytes, device) else targets


def staged(rows: Tensor, device: torch.device) -> Tensor:
    """The rows, in memory from which that device copies fastest."""
    if device.type != "cuda" or rows.device.type == "cuda":
        return rows
    with torch.cuda.device(device):  # a thread begins with the first GPU, and would occupy memory of it
        return rows.pin_memory()


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on that device; a GPU of NVIDIA's is not waited for.

    CUDA keeps what it still has to copy; of Apple's GPUs nothing says that they do.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")


def _numbers(rows: Tensor | slice) -> Tensor:
    return rows if isinstance(rows, Tensor) else torch.arange(rows.start, rows.stop)
