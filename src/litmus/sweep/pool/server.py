"""The process that a sweep's jobs are forked from: torch and Lightning are imported once, here.

It computes nothing and touches no GPU: what OpenMP and CUDA set up does not survive a fork. The pool starts
`python -m litmus.sweep.pool.server FD MODULE...` with its end of a socket; what is read from there is one job after
another, each with a socket of its own for the job to report on.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from litmus.run.process import die_with_parent, import_all
from litmus.sweep.pool.job import JobRequest

HEADER = struct.Struct("!I")  # bytes of the request that follows
GRACE_S = 10  # between asking a job to stop and killing it, once the launcher is gone


def serve(control: socket.socket, modules: Sequence[str]) -> None:
    """Forks the requested jobs, and reports how each ended; ends with the launcher, and the jobs with it.

    Args:
        control: to the launcher.
        modules: to import, once for all jobs.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a queue sends it to all processes: the jobs must save first
    import_all(modules)
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken.fileno())
    running: dict[int, int] = {}  # process -> number of the job
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    wake.recv(4096)
                _reap(control, running)
            if control in ready:
                received = _receive(control)
                if received is None:
                    break
                body, channel = received
                if channel is None:
                    _report(control, gpus=_count_gpus() if json.loads(body)["gpus"] else 0)
                else:
                    _start(control, json.loads(body), channel, running)
    _stop(running)


def _start(control: socket.socket, request: JobRequest, channel: int, running: dict[int, int]) -> None:
    from litmus.sweep.pool.worker import prepare

    with contextlib.suppress(Exception):  # such as a missing package: the job itself fails then, and no other
        prepare(request["config"])
    server = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the job no longer ignores it
    try:
        child = os.fork()
    except OSError as error:  # no memory, no more processes
        os.close(channel)
        print(f"A job could not be forked: {error}", file=sys.stderr)
        _report(control, ended=request["number"], code=1)
        return
    finally:
        if os.getpid() != server:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if child == 0:
        signal.set_wakeup_fd(-1)
        control.close()
        _run_job(request, channel, server)
    os.close(channel)
    running[child] = request["number"]
    _report(control, started=request["number"], process=child)


def _run_job(request: JobRequest, channel: int, server: int) -> NoReturn:
    """Runs the job in the forked process, and ends that process."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)  # so that it can be killed with all that it starts
        die_with_parent(server)
        from litmus.sweep.pool.worker import run

        code = run(request, socket.socket(fileno=channel))
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()  # into train.log
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _count_gpus() -> int:
    """Counts the GPUs, in a process of its own, because counting may initialize CUDA."""
    read, write = os.pipe()
    server = os.getpid()
    child = os.fork()
    if child == 0:
        die_with_parent(server)
        count = 0
        try:
            import torch

            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        finally:
            os.write(write, bytes([min(count, 255)]))
            os._exit(0)
    os.close(write)
    answer = os.read(read, 1)
    os.close(read)
    os.waitpid(child, 0)
    return answer[0] if answer else 0


def _reap(control: socket.socket, running: dict[int, int]) -> None:
    """Reports every job whose process has ended."""
    for process in list(running):
        reaped, status = os.waitpid(process, os.WNOHANG)
        if reaped:
            _report(control, ended=running.pop(process), code=os.waitstatus_to_exitcode(status))


def _stop(running: dict[int, int]) -> None:
    """Stops the jobs, because the launcher is gone; each loses the epoch that it has not finished."""
    deadline = time.monotonic() + GRACE_S
    terminated = False
    while running:
        for process in list(running):
            if os.waitpid(process, os.WNOHANG)[0]:
                del running[process]
                continue
            with contextlib.suppress(ProcessLookupError):
                if time.monotonic() > deadline:
                    os.killpg(process, signal.SIGKILL)
                elif not terminated:
                    os.kill(process, signal.SIGTERM)
        terminated = True
        time.sleep(0.05)


def _receive(control: socket.socket) -> tuple[bytes, int | None] | None:
    """A request as JSON, and the job's end of its socket if it is for a job; None when the launcher is gone."""
    try:
        header, descriptors, _, _ = socket.recv_fds(control, HEADER.size, 1)
        if len(header) < HEADER.size:
            return None
        (size,) = HEADER.unpack(header)
        body = bytearray()
        while len(body) < size:
            more = control.recv(size - len(body))
            if not more:
                return None
            body += more
    except ConnectionError:
        return None
    return bytes(body), descriptors[0] if descriptors else None


def _report(control: socket.socket, **message: int) -> None:
    with contextlib.suppress(ConnectionError):  # if the launcher is gone, `_receive` notices
        control.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
