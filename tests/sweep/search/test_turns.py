"""Launchers of one search take turns: nobody else comes in between, and none waits for what needs no turn."""

import fcntl
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest
from searching import Composer, play, search, write_run

from litmus.errors import UserError
from litmus.record.search import CLAIMS, SEARCH, Search
from litmus.sweep.optuna import Optuna
from litmus.sweep.pool import outcome
from litmus.sweep.pool.job import Job, JobResult
from litmus.sweep.search import launchers
from litmus.sweep.search.launchers import TURN, Launchers
from litmus.sweep.search.record import Record

CONTEXT = multiprocessing.get_context("fork")


def _elsewhere(work: Any, *arguments: Any) -> int | None:
    """The exit status of another process that does this."""

    def begin() -> None:
        os._exit(int(bool(work(*arguments))))

    process = CONTEXT.Process(target=begin)
    process.start()
    process.join()
    return process.exitcode


def _is_free(folder: Path) -> bool:
    """Whether another launcher could have a turn now."""

    def claim() -> bool:
        file = os.open(folder / CLAIMS, os.O_RDWR)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, TURN)
        except (BlockingIOError, PermissionError):
            return False
        return True

    return _elsewhere(claim) == 1


def _begin(folder: Path, *, finish: bool) -> None:
    """A launcher that dies in a trial, or after it but before the study knows."""
    job = search(folder, storage="journal", trials=6).next_job()
    assert job is not None
    if finish:
        write_run(job, "finished", 3, **{"val/acc": 0.5})


def test_a_turn_inside_of_a_turn_does_not_end_it(tmp_path: Path) -> None:
    mine = Launchers(tmp_path)
    with mine.turn():
        with mine.turn():
            pass
        assert not _is_free(tmp_path)
    assert _is_free(tmp_path)


def test_who_counts_a_dead_launchers_trial_still_proposes_in_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = search(tmp_path, storage="journal", trials=6)
    _elsewhere(lambda: _begin(tmp_path, finish=True))
    ask, found = source.study.ask, []

    def watched(space: Any) -> Any:
        found.append(_is_free(tmp_path))
        return ask(space)

    monkeypatch.setattr(source.study, "ask", watched)
    assert source.next_job() is not None
    assert [job.number for job, _ in source.already_finished] == [0]
    assert found == [False]
    assert _is_free(tmp_path)


def test_a_proposed_trial_that_another_launcher_has_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = search(tmp_path, storage="journal", trials=6)
    claim = Launchers.claim
    monkeypatch.setattr(Launchers, "claim", lambda mine, number: number == TURN and claim(mine, number))
    with pytest.raises(UserError, match=r"claimed trial 0, which this one has just proposed: locks on .* do not hold"):
        source.next_job()


class _Watching(Composer):
    """Notes for each composition, and each result that is read, in how many turns that was."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.composed: list[int] = []
        self.read: list[int] = []
        self.turns = 0
        turn, read = Launchers._wait_for_turn, outcome.read
        release = Launchers.release

        def wait(mine: Launchers) -> None:
            turn(mine)
            self.turns += 1

        def end(mine: Launchers, number: int) -> None:
            release(mine, number)
            self.turns -= number == TURN

        def watched(job: Job) -> JobResult | None:
            self.read.append(self.turns)
            return read(job)

        patch.setattr(Launchers, "_wait_for_turn", wait)
        patch.setattr(Launchers, "release", end)
        patch.setattr(outcome, "read", watched)

    def job(self, overrides: list[str], own: list[str], number: int, folder: Path) -> Job:
        self.composed.append(self.turns)
        return super().job(overrides, own, number, folder)


def _play(folder: Path, most: int) -> None:
    for job in play(search(folder, storage="journal", trials=20), most=most):
        write_run(job, "finished", 3, **{"val/acc": 0.5})


def test_a_turn_composes_and_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _elsewhere(_play, tmp_path, 5)
    _elsewhere(lambda: _begin(tmp_path, finish=False))
    _elsewhere(lambda: _begin(tmp_path, finish=True))
    composer = _Watching(monkeypatch)
    source = search(tmp_path, composer=composer, storage="journal", trials=20)
    assert len(source.already_finished) + len(source.remaining) == 6
    _elsewhere(_play, tmp_path, 4)
    own = len(play(source, most=3))
    source.update()
    source.summary()
    assert own == 3
    assert {*composer.composed, *composer.read} == {0}


def test_what_ended_elsewhere_meanwhile_is_not_composed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    composer = _Watching(monkeypatch)
    source = search(tmp_path, composer=composer, storage="journal", trials=20)
    _elsewhere(_play, tmp_path, 8)
    composer.composed.clear()
    assert len(play(source, most=2)) == 2
    assert len(composer.composed) == 2
    job, result = source.already_finished[3]
    again = search(tmp_path, storage="journal", trials=20).already_finished[3]
    assert (job, result) == again, "it is the same but for the configuration"


def test_a_trial_that_another_launcher_could_not_compose_is_named(tmp_path: Path) -> None:
    def meet() -> None:
        composer = Composer()
        theirs = search(tmp_path, composer=composer, storage="journal", trials=20)
        composer.refused = {0}
        play(theirs, most=1)

    source: Optuna = search(tmp_path, storage="journal", trials=20)
    _elsewhere(meet)
    source.update()
    assert [job.number for job, _ in source.already_finished] == [1]
    (said,) = source.invalid
    assert said.endswith("these do not go together")


@pytest.mark.parametrize("taking_turns", [True, False])
def test_others_that_take_turns_are_not_called_suspended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taking_turns: bool
) -> None:
    mine = Launchers(tmp_path)
    monkeypatch.setattr(launchers, "TURN_TIMEOUT_S", 0.1)
    end = time.monotonic() + 0.5

    def claim(number: int) -> bool:
        if taking_turns:
            os.utime(mine.path, ns=(0, time.time_ns()))
        return time.monotonic() > end

    monkeypatch.setattr(mine, "claim", claim)
    if taking_turns:
        with mine.turn():
            return
    with pytest.raises(UserError, match=r"kept the others waiting for 0 s: it is suspended"), mine.turn():
        pass


def test_of_several_launchers_one_writes_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("litmus.sweep.search.record.time.monotonic", lambda: clock[0])
    source = search(tmp_path, storage="journal")
    about = Search(("val/acc",), ("maximize",), "tpe", "none", 0, {}, ())
    first, second = Record(tmp_path, about), Record(tmp_path, about)
    for record in (first, second):
        record.write(source.study)
        record._pause_s = 10.0
        record._due = clock[0] + 10.0
        os.utime(tmp_path / SEARCH, ns=(0, 1))
    assert not first.is_due()
    clock[0] += 11
    assert not first.is_due(), "the second has written it"
    clock[0] += 11
    assert first.is_due()
