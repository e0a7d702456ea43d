"""Keeps the launchers of one search apart, which may run on several machines that share its folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litmus.errors import UserError
from litmus.record.search import CLAIMS

TURN_TIMEOUT_S = 120.0  # in which a launcher proposes a trial or reads a study, however many trials there are
POLL_S = 0.02  # between two attempts
TURN = 2**40  # the byte of whose turn it is; those of trials lie far below


class Launchers:
    """Locks on single bytes of a file: byte `n` belongs to the launcher that runs trial `n`.

    The system releases them when their process ends, however that happens: then its trials are free for another
    launcher. POSIX locks, because they have ranges and hold between machines on NFS. They belong to a process, and
    closing any descriptor of the file would release all of them: it is opened once, here.

    Args:
        folder: of the sweep; it is made.

    Raises:
        UserError: the file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / CLAIMS
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        self._depth = 0  # of turns in this process's turn
        with self.turn():
            pass

    def claim(self, number: int) -> bool:
        """Whether this process has the trial now; False if another launcher, which is alive, has it.

        Raises:
            UserError: the file system has no locks.
        """
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):  # POSIX allows either for a lock that another process holds
            return False
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be locked ({error.strerror}): several launchers need a file system with locks."
            ) from None
        return True

    def claim_new(self, number: int) -> None:
        """Claims a trial that nobody else can have, because this process has proposed it in its turn.

        Raises:
            UserError: another launcher has it all the same.
        """
        if not self.claim(number):
            raise UserError(
                f"Another launcher has claimed trial {number}, which this one has just proposed: locks on {self.path} "
                "do not hold. Several launchers need a file system with locks between their machines."
            )

    def release(self, number: int) -> None:
        """Gives the trial up."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """In the body, no other launcher reads or proposes trials; waits until none does.

        A turn inside of a turn is part of it: the lock is the process's, and ends with the outer one.

        Raises:
            UserError: the file system has no locks, or another launcher does not end its turn: it may be suspended.
        """
        if not self._depth:
            self._wait_for_turn()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.release(TURN)

    def _wait_for_turn(self) -> None:
        begun, deadline = 0, 0.0
        while not self.claim(TURN):
            if (latest := os.fstat(self._file).st_mtime_ns) != begun:  # others take turns: only one of them is timed
                begun, deadline = latest, time.monotonic() + TURN_TIMEOUT_S
            if time.monotonic() > deadline:
                raise UserError(
                    f"Another launcher of {self.path.parent} has kept the others waiting for {TURN_TIMEOUT_S:.0f} s: "
                    "it is suspended, or its machine is. End it, and type the command again."
                )
            time.sleep(POLL_S)
        os.utime(self._file)
