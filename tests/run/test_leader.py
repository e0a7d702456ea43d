"""What rank 0 says of the other processes of a run, whatever becomes of them."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch.distributed import HashStore

from litmus.config.launch import Launch
from litmus.errors import Diverged, Interrupted, UserError
from litmus.record.folder import RunDir
from litmus.run import launched, lost
from litmus.run.channel import Channel
from litmus.run.launched import Leader


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> HashStore:
    """Stands for the one of all processes; and rank 0 loses patience soon."""
    made = HashStore()
    monkeypatch.setattr(launched, "meeting_place", lambda launch: made)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setattr(lost, "NOTICED_S", 0.1)
    monkeypatch.setattr(lost, "STUCK_S", 0.3)
    monkeypatch.setattr(launched, "CONNECT_S", 0.3)
    monkeypatch.setattr(launched, "LEAVE_S", 0.3)
    return made


@pytest.fixture
def leader(store: HashStore) -> Iterator[Leader]:
    """Of two processes."""
    with launched.leading(Launch("srun", 0, 2, 0, 2, 1)) as made:
        assert made is not None
        yield made
        made.end(0)


def other(store: HashStore, token: str | None = None) -> Channel:
    """Connects as rank 1 does."""
    port, own, *_ = store.get("leader").decode().split()
    channel = Channel(socket.create_connection(("127.0.0.1", int(port)), 5))
    channel.send({"token": token or own, "rank": 1, "host": "there"})
    return channel


def test_the_others_wait_without_a_limit_and_end_as_rank_0_does(
    leader: Leader, store: HashStore, tmp_path: Path
) -> None:
    rank = other(store)
    assert rank.socket.gettimeout() is None
    with leader.started(RunDir(tmp_path)) as meet:
        assert rank.receive() == {"run": str(tmp_path)}
        rank.send({"state": "ready"})
        meet()
        rank.send({"state": "done"})
    leader.end(3)
    assert rank.receive() == {"end": 3}


def test_a_rank_that_never_comes_is_named(leader: Leader, tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"have not connected to .* within 0.3 s: 1\."),
        leader.started(RunDir(tmp_path)) as meet,
    ):
        meet()


def test_a_stranger_is_not_listened_to(leader: Leader, store: HashStore, tmp_path: Path) -> None:
    stranger = other(store, token="guessed")
    assert stranger.receive() is None
    with pytest.raises(UserError, match="have not connected"), leader.started(RunDir(tmp_path)) as meet:
        meet()


def test_what_a_rank_says_of_its_failure_is_told_with_its_last_lines(
    leader: Leader, store: HashStore, tmp_path: Path
) -> None:
    run, rank = RunDir(tmp_path), other(store)
    run.rank_log(1).write_text("Traceback\nMemoryError: too much\n")
    expected = (
        r"Rank 1 of the run, on there, failed with MemoryError, so .*rank_1.log:\n  Traceback\n  MemoryError: too"
    )
    rank.send({"error": "failed with MemoryError"})
    with pytest.raises(UserError, match=expected), leader.started(run) as meet:
        meet()


def test_a_rank_that_ends_while_data_are_prepared_interrupts_that(
    leader: Leader, store: HashStore, tmp_path: Path
) -> None:
    rank = other(store)

    def stop(number: int, _: object) -> None:
        raise Interrupted(signal.Signals(number))

    signal.signal(signal.SIGTERM, stop)
    began = time.monotonic()
    threading.Timer(0.2, rank.socket.close).start()
    with pytest.raises(Interrupted) as interrupted:
        time.sleep(20)
    assert time.monotonic() - began < 5
    explained = leader.explained(interrupted.value, RunDir(tmp_path))
    assert str(explained).startswith("Rank 1 of the run, on there, has ended, so the training stopped.")
    for own in (KeyboardInterrupt(), Diverged("loss is nan", 3)):
        assert leader.explained(own, RunDir(tmp_path)) is own


def test_a_signal_that_all_ranks_pass_on_acts_once(leader: Leader, store: HashStore) -> None:
    received: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    ranks = [other(store), other(store)]
    for rank in ranks:
        rank.send({"signal": int(signal.SIGTERM)})
        time.sleep(0.3)
    assert received == [signal.SIGTERM]
    leader.end(0)


@pytest.mark.parametrize("is_training", [False, True])
def test_a_process_that_waits_for_a_dead_rank_in_vain_is_ended(
    leader: Leader,
    store: HashStore,
    is_training: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    rank = other(store)
    (tmp_path / "rank_1.log").write_text("Xid 79: the GPU has fallen off the bus\n")
    if is_training:
        leader._tell({"run": str(tmp_path)})
    time.sleep(0.2)
    rank.socket.close()  # the signal does nothing: the main thread is within a library
    time.sleep(0.8)
    assert ended == [1]
    said = " ".join(capsys.readouterr().err.split())
    assert "Rank 1 of the run, on there, has ended, " in said
    assert ("fallen off the bus" in said and f"resume={tmp_path}" in said) == is_training
