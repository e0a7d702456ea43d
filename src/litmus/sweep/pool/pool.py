"""Runs a sweep's jobs, as many at a time as the machine has room for, each in a process of its own.

The launcher's own process imports no torch: it starts a server that does (see `server`), and the server forks the jobs.
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
from types import FrameType
from typing import Literal

from litmus.errors import UserError
from litmus.sweep.pool import outcome
from litmus.sweep.pool.client import Server, ServerKilled, receive
from litmus.sweep.pool.job import Job, JobRequest, JobResult
from litmus.sweep.pool.machine import Limits, Slot, cores, describe, slots
from litmus.sweep.pool.source import Source
from litmus.sweep.pool.sweep_reporter import SweepReporter

GRACE_S = 10.0  # between asking a job to stop and killing it
TICK_S = 0.2  # between two checks of what is due
ASK_AGAIN_S = 10.0  # after which other launchers may have left jobs
WAIT_S = 0.5  # where one has
MAX_STARTS = 3  # of the server without a job that ended; it may be killed again and again for lack of memory

StopReason = Literal["timeout", "stop"]


@dataclass
class Running:
    """A job that has a process, or soon will."""

    job: Job
    slot: int
    channel: socket.socket
    started: float = field(default_factory=time.monotonic)
    process: int | None = None
    unread: bytes = b""
    violation: str | None = None  # why the run could not start, by its own message
    stop_reason: StopReason | None = None
    stop_time: float = 0.0  # when it was told to stop


class Pool:
    """Runs the jobs of a source to their ends.

    Args:
        limits: how many at a time, on what, and how long.
        start_server: the first server that it gives may have started before.
        reporter: shows what happens.
        prunes: whether the source decides after every epoch whether to prune the job.
    """

    def __init__(
        self, limits: Limits, start_server: Callable[[], Server], reporter: SweepReporter, prunes: bool
    ) -> None:
        self.limits = limits
        self.start_new_server = start_server
        self.reporter = reporter
        self.prunes = prunes
        self.slots: list[Slot] = []
        self.running: dict[int, Running] = {}
        self.retries: deque[Job] = deque()
        self.retried: set[int] = set()
        self.stopping = False  # no new jobs
        self.interrupted = False
        self.exhausted_at: float | None = None  # when the source had no job left
        self._signals = 0
        self._last_signal: int = signal.SIGINT
        self._killing = False
        self.starts = 0
        self.server: Server | None = None
        self._selector = selectors.DefaultSelector()

    def run(self, source: Source) -> None:
        """Starts jobs while the source has some and nothing stops the sweep; returns when all that started have ended.

        Raises:
            UserError: the server could not be started, or died several times in a row.
        """
        with self._watching_signals():
            try:
                self._start_server()
                if self.slots:
                    self.reporter.note(describe(self.slots))
                while True:
                    self._stop_what_is_due()
                    self._start_jobs(source)
                    if not self.running and (self.stopping or not source.must_wait):
                        return
                    self._receive_messages(source)
                    self.reporter.refresh()
            finally:
                self._close()

    # The server

    def _start_server(self) -> None:
        """Starts a server, and another one where that is killed during its imports."""
        while True:
            self.starts += 1
            server = self.start_new_server()
            try:
                gpus = server.ready(self.limits.gpus, lambda: self._signals > 0)
            except ServerKilled as killed:
                server.close()
                self._note_death(killed.code)
                continue
            except BaseException:
                server.kill()
                raise
            break
        if gpus is None:  # Ctrl-C during its imports
            server.kill()
            return
        self.server = server
        self.slots = self.slots or slots(self.limits, gpus, cores())
        self._selector.register(self.server.socket, selectors.EVENT_READ, None)

    def _restart_server(self) -> None:
        """Starts another server after one has died, and with it its jobs, which resume from their last checkpoints."""
        assert self.server is not None
        self._selector.unregister(self.server.socket)
        code = self.server.close()
        self.server = None
        self._note_death(code)
        for running in list(self.running.values()):
            self._signal(running, signal.SIGKILL)  # only Linux ends jobs with the server
            self._forget(running)
            self.retries.append(running.job)
        if not self.stopping:
            self._start_server()

    def _note_death(self, code: int) -> None:
        """Says that the server died.

        Raises:
            UserError: it did so too often to try another one.
        """
        if self.starts == MAX_STARTS:
            raise UserError(f"The process that jobs are forked from has died {MAX_STARTS} times (exit status {code}).")
        restart = "" if self.stopping else "; it is started again"
        self.reporter.note(f"The process that jobs are forked from died (exit status {code}){restart}.")

    # Jobs

    def _start_jobs(self, source: Source) -> None:
        occupied = {running.slot for running in self.running.values()}
        for slot in range(len(self.slots)):
            if slot in occupied or self.stopping:
                continue
            job = self._next_job(source)
            if job is None:
                return
            self._start(job, slot)

    def _next_job(self, source: Source) -> Job | None:
        if self.retries:
            return self.retries.popleft()
        now = time.monotonic()
        pause = WAIT_S if source.must_wait else ASK_AGAIN_S
        if self.exhausted_at is not None and not (source.shared and now - self.exhausted_at > pause):
            return None
        job = source.next_job()
        self.exhausted_at = now if job is None else None
        self.reporter.total = source.total
        self.reporter.report_elsewhere(source.already_finished, source.num_elsewhere)
        return job

    def _start(self, job: Job, slot: int) -> None:
        ours, theirs = socket.socketpair()
        request: JobRequest = {
            "number": job.number,
            "folder": str(job.folder),
            "config": job.config,
            "choices": job.choices,
            "overrides": job.overrides,
            "all_overrides": job.all_overrides,
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
        self.reporter.report_start(job)

    def _receive_messages(self, source: Source) -> None:
        for key, _ in self._selector.select(TICK_S):
            if key.data is None:
                self._receive_from_server(source)
            elif key.data.job.number in self.running:
                self._receive_from_job(source, key.data)

    def _receive_from_server(self, source: Source) -> None:
        assert self.server is not None
        messages = self.server.messages()
        if messages is None:
            self._restart_server()
            return
        for message in messages:
            if "started" in message:
                self.running[message["started"]].process = message["process"]
            else:
                self._reap(source, self.running[message["ended"]], message["code"])

    def _receive_from_job(self, source: Source, running: Running) -> None:
        more = receive(running.channel)
        if not more:
            if running.channel.fileno() in self._selector.get_map():
                self._selector.unregister(running.channel)  # the server reports how it ended
            return
        *lines, running.unread = (running.unread + more).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "refused" in message:
                running.violation = message["refused"]
                continue
            self.reporter.report_progress(running.job, message)
            if "epoch" not in message:
                continue
            prune = source.report_epoch(running.job, message["epoch"], message["metrics"])
            if self.prunes:
                with contextlib.suppress(ConnectionError):
                    running.channel.sendall(b"1" if prune else b"0")

    def _reap(self, source: Source, running: Running, code: int) -> None:
        self._signal(running, signal.SIGKILL)  # processes that it may have left behind
        running.channel.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # its last messages
            while running.channel.fileno() in self._selector.get_map():
                self._receive_from_job(source, running)
        self._forget(running)
        result = self._result_of(running, code)
        if source.shared:
            self.exhausted_at = None  # another launcher may have been killed meanwhile
        self.starts = 1  # this server works, so earlier ones that died do not count any more
        is_retried = result.status == "failed" and self._is_to_be_retried(running.job)
        self.reporter.report_result(running.job, result, is_retried)
        if is_retried:
            self.retried.add(running.job.number)
            self.retries.append(running.job)
            return
        source.report_result(running.job, result)
        if result.status == "failed" and self.limits.on_fail == "stop" and not self.stopping:
            self.reporter.note("sweep.on_fail=stop: a job failed, so the others stop.")
            self.stopping = True

    def _result_of(self, running: Running, code: int) -> JobResult:
        seconds = time.monotonic() - running.started
        if running.violation is not None:
            return JobResult("failed", error=running.violation, seconds=seconds)
        timeout_s = self.limits.timeout_s if running.stop_reason == "timeout" else None
        return outcome.collect(running.job, code, seconds, timeout_s, self._why_stopping())

    def _is_to_be_retried(self, job: Job) -> bool:
        return self.limits.on_fail == "retry" and job.number not in self.retried and not self.stopping

    def _forget(self, running: Running) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(running.channel)
        running.channel.close()
        del self.running[running.job.number]

    # Stopping

    def _stop_what_is_due(self) -> None:
        """Stops the sweep after Ctrl-C, and jobs that take too long."""
        now = time.monotonic()
        if self._signals and not self.interrupted:
            self.interrupted = True
            if self.running:
                self.reporter.note(
                    "Stopping: running jobs end after the current batch. Press Ctrl-C once more to kill them."
                )
            self.stopping = True
        if self._signals > 1 and not self._killing:
            self._killing = True
            self.reporter.note("Killing the running jobs.")
        for running in self.running.values():
            if self._killing:
                self._signal(running, signal.SIGKILL)
            elif running.stop_reason == "timeout":
                if now - running.stop_time > GRACE_S:
                    self._signal(running, signal.SIGKILL)
            elif self.limits.timeout_s is not None and now - running.started > self.limits.timeout_s:
                self._request_stop(running, "timeout")
            elif self.stopping and running.stop_reason is None:
                self._request_stop(running, "stop")

    def _why_stopping(self) -> str | None:
        """Why the sweep stops, if it does."""
        if self.interrupted:
            return "stopped by you" if self._last_signal == signal.SIGINT else "stopped by SIGTERM"
        return "stopped, because another job failed" if self.stopping else None

    def _request_stop(self, running: Running, reason: StopReason) -> None:
        if running.process is not None:
            running.stop_reason, running.stop_time = reason, time.monotonic()
            self._signal(running, signal.SIGTERM)

    def _signal(self, running: Running, number: signal.Signals) -> None:
        if running.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended; its number may be reused
            if number == signal.SIGKILL:
                os.killpg(running.process, number)
            else:
                os.kill(running.process, number)

    @contextlib.contextmanager
    def _watching_signals(self) -> Iterator[None]:
        def handle(number: int, _: FrameType | None) -> None:
            self._signals += 1
            self._last_signal = number

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
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
