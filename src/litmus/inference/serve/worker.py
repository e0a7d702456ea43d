"""A thread that owns a network: whoever asks gets a future, and those who wait are answered in one batch."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from litmus.errors import UserError
from litmus.inference.serve.limits import MOST_WAITING, Busy

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Question(Generic[Item]):
    """What one request asks.

    Attributes:
        items: at least one text, image, row or series.
        topk: how many classes of each are given.
    """

    items: Sequence[Item]
    topk: int


@dataclass(frozen=True)
class _Waiting(Generic[Item, Answer]):
    question: Question[Item]
    future: "Future[Answer]" = field(default_factory=Future)


class Worker(Generic[Item, Answer]):
    """Answers questions in the order in which they come, those that wait together.

    A task, such as an explanation, has the network for itself; between two of them the questions that wait are
    answered.

    Args:
        predict: an answer for each question, or the error that it meets; called in the thread.
        batch_size: items that are predicted together.
    """

    def __init__(
        self, predict: Callable[[Sequence[Question[Item]]], Sequence[Answer | UserError]], batch_size: int
    ) -> None:
        self.predict, self.batch_size = predict, batch_size
        self.batches: deque[int] = deque(maxlen=MOST_WAITING)  # how many questions the last ones had
        self._questions: deque[_Waiting[Item, Answer]] = deque()
        self._tasks: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._changed = threading.Condition()
        self._is_open = True
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    def ask(self, question: Question[Item]) -> "Future[Answer]":
        """What will be answered.

        Raises:
            Busy: too many wait.
        """
        waiting: _Waiting[Item, Answer] = _Waiting(question)
        with self._changed:
            self._check_room()
            self._questions.append(waiting)
            self._changed.notify()
        return waiting.future

    def alone(self, task: Callable[[], object]) -> "Future[object]":
        """What a task will give.

        Raises:
            Busy: too many wait.
        """
        future: Future[object] = Future()
        with self._changed:
            self._check_room()
            self._tasks.append((task, future))
            self._changed.notify()
        return future

    def close(self, timeout_s: float = 5.0) -> None:
        """Ends the thread; what waits is not answered any more."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        self._thread.join(timeout_s)

    def _check_room(self) -> None:
        if len(self._questions) + len(self._tasks) >= MOST_WAITING:
            raise Busy

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._questions or self._tasks or not self._is_open)
                if not self._is_open:
                    return
                batch = self._next_batch()
                task = self._tasks.popleft() if self._tasks else None
            if batch:
                self.batches.append(len(batch))
                self._answer(batch)
            if task is not None and task[1].set_running_or_notify_cancel():
                _settle(task[1], task[0])

    def _next_batch(self) -> list[_Waiting[Item, Answer]]:
        """The first questions that fit into a batch, at least one; those that nobody waits for any more are dropped."""
        batch: list[_Waiting[Item, Answer]] = []
        number = 0
        while self._questions:
            number += len(self._questions[0].question.items)
            if batch and number > self.batch_size:
                break
            waiting = self._questions.popleft()
            if waiting.future.set_running_or_notify_cancel():
                batch.append(waiting)
        return batch

    def _answer(self, batch: Sequence[_Waiting[Item, Answer]]) -> None:
        try:
            answers = self.predict([waiting.question for waiting in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            for waiting in batch:  # one of them is at fault
                self._answer([waiting])
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if isinstance(answer, UserError):
                waiting.future.set_exception(answer)
            else:
                waiting.future.set_result(answer)


def _settle(future: "Future[object]", task: Callable[[], object]) -> None:
    try:
        future.set_result(task())
    except Exception as error:
        future.set_exception(error)
