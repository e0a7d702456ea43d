"""Runs a sweep's jobs, as many at a time as the machine has room for, each in a process of its own.

The launcher's own process imports no torch: it starts a server that does (`_server`), and the server forks the jobs.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from litmus.errors import UserError
from litmus.sweep.pool import outcome
from litmus.sweep.pool.client import Server, received
from litmus.sweep.pool.job import Ended, Job, Source
from litmus.sweep.pool.machine import Limits, Slot, cores, described, slots

GRACE_S = 10.0  # between asking a job to stop and killing it
TICK_S = 0.2  # between two looks at the clock
STARTS = 3  # of a server, before the sweep gives up: it was killed, say, for want of memory

Reason = Literal["timeout", "stop"]


class Screen(Protocol):
    """Who is told what happens."""

    def started(self, job: Job) -> None: ...
    def progress(self, job: Job, message: dict[str, Any]) -> None: ...
    def ended(self, job: Job, ended: Ended, again: bool) -> None: ...
    def tick(self) -> None: ...
    def note(self, sentence: str) -> None: ...


@dataclass
class Running:
    """A job that has a process, or soon will."""

    job: Job
    slot: int
    channel: socket.socket
    began: float = field(default_factory=time.monotonic)
    process: int | None = None
    unread: bytes = b""
    refused: str | None = None  # why it could not begin, by its own word
    reason: Reason | None = None  # why it was told to stop
    told: float = 0.0  # when


class Pool:
    """Runs the jobs of a source to their ends.

    Args:
        limits: how many at a time, and so on.
        start: starts a server; the first one may have been under way for a while.
        screen: who is told.
        prunes: whether the source is asked, after every epoch, if the job should go on.
    """

    def __init__(self, limits: Limits, start: Callable[[], Server], screen: Screen, prunes: bool) -> None:
        self.limits = limits
        self.start = start
        self.screen = screen
        self.prunes = prunes
        self.slots: list[Slot] = []
        self.running: dict[int, Running] = {}
        self.again: deque[Job] = deque()
        self.retried: set[int] = set()
        self.stopping = False  # no new jobs
        self.interrupted = False
        self.exhausted = False
        self._signals = 0
        self._received: int = signal.SIGINT
        self._killing = False
        self.starts = 0
        self.server: Server | None = None
        self._selector = selectors.DefaultSelector()

    def run(self, source: Source) -> None:
        """Starts jobs while the source has some and none asked to stop; returns when all that were started have ended.

        Raises:
            UserError: the server could not be started, or died time and again.
        """
        with self._watching_signals():
            try:
                self._start_server()
                if self.slots:
                    self.screen.note(described(self.slots))
                while True:
                    self._look_at_the_clock()
                    self._fill(source)
                    if not self.running:
                        return
                    self._listen(source)
                    self.screen.tick()
            finally:
                self._close()

    # The server

    def _start_server(self) -> None:
        self.starts += 1
        server = self.start()
        try:
            gpus = server.ready(self.limits.gpus, lambda: self._signals > 0)
        except BaseException:
            server.kill()
            raise
        if gpus is None:  # Ctrl-C, while it imports
            server.kill()
            return
        self.server = server
        self.slots = self.slots or slots(self.limits, gpus, cores())
        self._selector.register(self.server.socket, selectors.EVENT_READ, None)

    def _server_died(self) -> None:
        """Whatever ran has died with it; it is run again from its last checkpoint."""
        assert self.server is not None
        self._selector.unregister(self.server.socket)
        code = self.server.close()
        self.server = None
        if self.starts == STARTS:
            raise UserError(f"The process that jobs are forked from has died {STARTS} times (exit status {code}).")
        again = "" if self.stopping else "; it is started again"
        self.screen.note(f"The process that jobs are forked from died (exit status {code}){again}.")
        for running in list(self.running.values()):
            self._signal(running, signal.SIGKILL)  # where the system has not seen to it
            self._forget(running)
            self.again.append(running.job)
        if not self.stopping:
            self._start_server()

    # Jobs

    def _fill(self, source: Source) -> None:
        taken = {running.slot for running in self.running.values()}
        for slot in range(len(self.slots)):
            if slot in taken or self.stopping:
                continue
            job = self._next(source)
            if job is None:
                return
            self._start(job, slot)

    def _next(self, source: Source) -> Job | None:
        if self.again:
            return self.again.popleft()
        job = None if self.exhausted else source.next()
        self.exhausted = job is None
        return job

    def _start(self, job: Job, slot: int) -> None:
        ours, theirs = socket.socketpair()
        request = {
            "number": job.number,
            "folder": str(job.folder),
            "config": job.config,
            "choices": job.choices,
            "overrides": job.overrides,
            "cores": self.slots[slot].cores,
            "gpus": self.slots[slot].gpus,
            "prunes": self.prunes,
        }
        running = Running(job, slot, ours)
        self.running[job.number] = running
        assert self.server is not None
        with theirs:
            self.server.fork(request, theirs)
        self._selector.register(ours, selectors.EVENT_READ, running)
        self.screen.started(job)

    def _listen(self, source: Source) -> None:
        for key, _ in self._selector.select(TICK_S):
            if key.data is None:
                self._hear_server(source)
            elif key.data.job.number in self.running:
                self._hear_job(source, key.data)

    def _hear_server(self, source: Source) -> None:
        assert self.server is not None
        messages = self.server.messages()
        if messages is None:
            self._server_died()
            return
        for message in messages:
            if "started" in message:
                self.running[message["started"]].process = message["process"]
            else:
                self._reap(source, self.running[message["ended"]], message["code"])

    def _hear_job(self, source: Source, running: Running) -> None:
        more = received(running.channel)
        if not more:
            if running.channel.fileno() in self._selector.get_map():
                self._selector.unregister(running.channel)  # how it ended, the server says
            return
        *lines, running.unread = (running.unread + more).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "refused" in message:
                running.refused = message["refused"]
                continue
            self.screen.progress(running.job, message)
            if "epoch" in message:
                prune = source.epoch(running.job, message["epoch"], message["metrics"])
                if self.prunes:
                    with contextlib.suppress(ConnectionError):
                        running.channel.sendall(b"1" if prune else b"0")

    def _reap(self, source: Source, running: Running, code: int) -> None:
        self._signal(running, signal.SIGKILL)  # what it may have left behind
        running.channel.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # what it said at last
            while running.channel.fileno() in self._selector.get_map():
                self._hear_job(source, running)
        self._forget(running)
        seconds = time.monotonic() - running.began
        overtime = self.limits.timeout_s if running.reason == "timeout" else None
        if running.refused is not None:
            ended = Ended("failed", error=running.refused, seconds=seconds)
        else:
            ended = outcome.of(running.job, code, seconds, overtime, self._why())
        self.starts = 1  # of the server that lives: it can do its work
        failed = ended.status == "failed"
        again = failed and self._again(running.job)
        self.screen.ended(running.job, ended, again)
        if again:
            self.again.append(running.job)
            return
        source.ended(running.job, ended)
        if failed and self.limits.on_fail == "stop" and not self.stopping:
            self.screen.note("sweep.on_fail=stop: a job failed, so the others stop.")
            self._stop()

    def _again(self, job: Job) -> bool:
        if self.limits.on_fail != "retry" or job.number in self.retried or self.stopping:
            return False
        self.retried.add(job.number)
        return True

    def _forget(self, running: Running) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(running.channel)
        running.channel.close()
        del self.running[running.job.number]

    # Stopping

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if self._signals and not self.interrupted:
            self.interrupted = True
            if self.running:
                self.screen.note("Stopping: running jobs end after their batch. Press Ctrl-C once more to kill them.")
            self._stop()
        if self._signals > 1 and not self._killing:
            self._killing = True
            self.screen.note("Killing the running jobs.")
        for running in self.running.values():
            if self._killing:
                self._signal(running, signal.SIGKILL)
            elif running.reason == "timeout":
                if now - running.told > GRACE_S:
                    self._signal(running, signal.SIGKILL)
            elif self.limits.timeout_s is not None and now - running.began > self.limits.timeout_s:
                self._tell_to_stop(running, "timeout")
            elif self.stopping and running.reason is None:
                self._tell_to_stop(running, "stop")

    def _stop(self) -> None:
        self.stopping = True

    def _why(self) -> str | None:
        """Why the sweep stops, if it does."""
        if self.interrupted:
            return "stopped by you" if self._received == signal.SIGINT else "stopped by SIGTERM"
        return "stopped, because another job failed" if self.stopping else None

    def _tell_to_stop(self, running: Running, reason: Reason) -> None:
        if running.process is not None:
            running.reason, running.told = reason, time.monotonic()
            self._signal(running, signal.SIGTERM)

    def _signal(self, running: Running, number: signal.Signals) -> None:
        if running.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended, and its number may be another's
            if number == signal.SIGKILL:
                os.killpg(running.process, number)
            else:
                os.kill(running.process, number)

    @contextlib.contextmanager
    def _watching_signals(self) -> Iterator[None]:
        def note(received: int, _: Any) -> None:
            self._signals += 1
            self._received = received

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _close(self) -> None:
        for running in list(self.running.values()):  # only when something raised
            self._signal(running, signal.SIGTERM)
            self._forget(running)
        if self.server is not None:
            self.server.close()
        self._selector.close()
