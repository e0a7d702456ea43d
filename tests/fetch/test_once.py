"""What one process makes, for others to find."""

import os
import threading
from pathlib import Path

import filelock
import pytest

from litmus.fetch.once import one_at_a_time


def test_who_waited_for_a_lock_that_is_deleted_then_has_the_one_that_others_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three, the first ends, the second was waiting, and the third comes in between: one of these two at a time."""
    lock, beside, locked = filelock.lock_descriptor, tmp_path / ".made.lock", []

    def deleted_meanwhile(descriptor: int) -> None:
        lock(descriptor)
        locked.append(os.fstat(descriptor).st_ino)
        if len(locked) == 1:
            beside.unlink()
            beside.touch()

    monkeypatch.setattr(filelock, "lock_descriptor", deleted_meanwhile)
    with one_at_a_time(tmp_path / "made"):
        assert len(locked) == 2
        assert locked[-1] == beside.stat().st_ino
    assert not beside.exists()


def test_one_makes_it_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def make() -> None:
        nonlocal inside, most
        for _ in range(50):
            with one_at_a_time(tmp_path / "made"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=make) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == 1
