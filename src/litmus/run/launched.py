"""Rank 0 of a run whose processes torchrun or srun has started: it tells the others what to do, and when to end.

The others do what `litmus.run.follower` says. They come to rank 0 when it is about to make the run folder, wait without
a time limit until the data are prepared, train, and end when rank 0 does, as it does.
"""

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import torch
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from litmus.config.launch import Launch
from litmus.config.types import Section
from litmus.errors import Diverged, Interrupted, UserError
from litmus.record.folder import RunDir
from litmus.record.signals import stopping_signals
from litmus.run import lost
from litmus.run.channel import Channel
from litmus.trainer import cluster_environment

MEET_TIMEOUT = timedelta(minutes=5)  # in which all processes have imported torch
CONNECT_S = 120  # that rank 0, when it is ready to train, waits for a process which has not come yet
LEAVE_S = 20  # that rank 0, when it ends early, waits for such a process, to tell it

State = Literal["here", "ready", "done"]


@dataclass
class _Peer:
    """Another process.

    Attributes:
        channel: to it.
        host: name of its machine.
        state: how far it has come.
        error: that it ended with, where it could say.
        has_ended: whether it has ended before it was done.
    """

    channel: Channel
    host: str
    state: State = "here"
    error: str | None = None
    has_ended: bool = False


def meeting_place(launch: Launch) -> Store:
    """What all processes can read and write before they know each other: the store of torch's own rendezvous.

    Raises:
        UserError: it is not there.
    """
    environment = cluster_environment(launch)
    where = {"MASTER_ADDR": environment.main_address, "MASTER_PORT": str(environment.main_port)}
    os.environ.update(where)
    found = rendezvous("env://", launch.rank, launch.num_processes, timeout=MEET_TIMEOUT)
    try:
        store, _, _ = next(found)
    except (torch.distributed.DistError, RuntimeError, OSError) as error:
        raise UserError(
            f"The processes of the run could not meet at {':'.join(where.values())}: {str(error).splitlines()[0]} "
            "MASTER_ADDR and MASTER_PORT name another place."
        ) from error
    return PrefixStore(f"litmus/{launch.attempt}", store)


class Leader:
    """The connections of rank 0 to all others; `leading` makes and ends one.

    Args:
        launch: of this process.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._peers: dict[int, _Peer] = {}
        self._changed = threading.Condition()
        self._told: Section | None = None  # what those who come later have to know
        self._is_over = False  # when it is no failure that a process ends
        self._is_noticed = False  # by the main thread, that one has ended
        self._has_signal = False
        self._token = secrets.token_hex(16)
        self._listener = socket.create_server(("", 0), backlog=launch.num_processes)
        self._signals, wakeup = socket.socketpair()
        self._signals.setblocking(False)
        wakeup.setblocking(False)
        self._wakeup = wakeup
        self._wakeup_before = signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._accept, daemon=True).start()
        self._store = meeting_place(launch)
        names = [_own_address(os.environ["MASTER_ADDR"]), socket.gethostname(), os.environ["MASTER_ADDR"]]
        self._store.set("leader", " ".join([str(self._listener.getsockname()[1]), self._token, *names]))

    @contextmanager
    def started(self, run: RunDir) -> Iterator[Callable[[], None]]:
        """The others train beside the body.

        Yields:
            What the body calls before it trains: it waits until the others are about to, too.

        Raises:
            UserError: the body failed, and one of them had ended.
        """
        self._tell({"run": str(run.path.resolve())})
        try:
            yield self._meet
            self._wait_for(("done",))
        except Exception as error:
            self._wait_for_end(lost.NOTICED_S / 2)
            if (explained := self.explained(error, run)) is error:
                raise
            raise explained from error
        finally:
            self._is_over = True
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            run.remove_empty_rank_logs()

    def explained(self, error: BaseException, run: RunDir) -> BaseException:
        """The same error, or a UserError that says which process has ended before, and what it wrote last."""
        with self._changed:
            ended = next(((rank, peer) for rank, peer in sorted(self._peers.items()) if peer.has_ended), None)
        by_hand = isinstance(error, KeyboardInterrupt) or (
            isinstance(error, Interrupted) and error.received is signal.SIGINT
        )
        # A training that has diverged may end so in all of its processes.
        if ended is None or by_hand or isinstance(error, UserError | Diverged):
            return error
        self._is_noticed = True
        return UserError(_sentence(*ended, run))

    def end(self, status: int) -> None:
        """Lets the others end when this process does, with that exit status."""
        self._is_over = True
        self._tell({"end": status})
        with suppress(TimeoutError, ConnectionError):  # those who do not come now find nobody later
            self._wait_for(("here", "ready", "done"), LEAVE_S)
        signal.set_wakeup_fd(self._wakeup_before)

    def _tell(self, message: Section) -> None:
        with self._changed:
            self._told = message
            for peer in self._peers.values():
                peer.channel.send(message)

    def _meet(self) -> None:
        """Waits until every process is about to train.

        Raises:
            ConnectionError: one of them has ended.
            UserError: one of them has never come.
        """
        try:
            self._wait_for(("here", "ready", "done"), CONNECT_S)
        except TimeoutError:
            missing = sorted(set(range(1, self._launch.num_processes)) - set(self._peers))
            ranks = ", ".join(map(str, missing))
            raise UserError(
                f"These ranks of the run have not connected to {socket.gethostname()} within {CONNECT_S} s: {ranks}."
            ) from None
        self._wait_for(("ready", "done"))

    def _wait_for(self, states: tuple[State, ...], timeout_s: float | None = None) -> None:
        """Waits until all other processes are in one of the states.

        Raises:
            ConnectionError: one of them has ended.
            TimeoutError: not all were, in that time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while True:
                if ended := [rank for rank, peer in self._peers.items() if peer.has_ended]:
                    raise ConnectionError(f"Rank {ended[0]} has ended.")
                if sum(peer.state in states for peer in self._peers.values()) == self._launch.num_processes - 1:
                    return
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError
                self._changed.wait(0.2)

    def _wait_for_end(self, timeout_s: float) -> None:
        """Gives a connection that is being closed the time to say so."""
        with self._changed:
            self._changed.wait_for(lambda: any(peer.has_ended for peer in self._peers.values()), timeout_s)

    def _accept(self) -> None:
        while True:
            connected, _ = self._listener.accept()
            threading.Thread(target=self._read, args=[Channel(connected)], daemon=True).start()

    def _read(self, channel: Channel) -> None:
        """All that a process says."""
        hello = channel.receive() or {}
        if not secrets.compare_digest(str(hello.get("token")), self._token):
            channel.socket.close()
            return
        peer = _Peer(channel, str(hello["host"]))
        with self._changed:
            self._peers[hello["rank"]] = peer
            if self._told is not None:
                channel.send(self._told)
            self._changed.notify_all()
        while (message := channel.receive()) is not None and "error" not in message:
            self._hear(peer, message)
        if peer.state == "done" or self._is_over:
            return
        with self._changed:
            peer.error = (message or {}).get("error")
            peer.has_ended = True
            self._changed.notify_all()
        run = RunDir(self._told["run"]) if self._told and "run" in self._told else None
        said = _sentence(hello["rank"], peer, run)
        lost.end(said, run, lambda: self._is_noticed or self._is_over, self._is_signalled)

    def _hear(self, peer: _Peer, message: Section) -> None:
        with self._changed:
            peer.state = message.get("state", peer.state)
            self._changed.notify_all()
        if (number := message.get("signal")) is not None:
            # A launcher sends it to all; one that a single process received is passed on.
            time.sleep(lost.NOTICED_S)
            if not self._is_signalled() and not self._is_over:
                os.kill(os.getpid(), number)

    def _is_signalled(self) -> bool:
        """Whether a signal that ends a run has reached this process."""
        with self._changed, suppress(BlockingIOError):
            received = set(self._signals.recv(100))
            self._has_signal = self._has_signal or bool(received & {signal.SIGINT, *stopping_signals()})
        return self._has_signal


@contextmanager
def leading(launch: Launch | None) -> Iterator[Leader | None]:
    """In the body, this process is rank 0 of those that were started with it, if there are any.

    The body sets the exit status with `Leader.end`; where it raises, the others end as after a failure.
    """
    if launch is None:
        yield None
        return
    leader = Leader(launch)
    # A launcher ends all of its processes when one has ended; where the run does not act on it, it ends by itself.
    before = {number: signal.signal(number, lambda *_: None) for number in stopping_signals()}
    try:
        yield leader
    except BaseException:
        leader.end(1)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sentence(rank: int, peer: _Peer, run: RunDir | None) -> str:
    return lost.sentence(f"Rank {rank} of the run, on {peer.host},", peer.error or "has ended", run, rank)


def _own_address(other: str) -> str:
    """The address of this machine on the way to another."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:  # sends nothing
        route.connect((other, 9))
        return str(route.getsockname()[0])
    return other
