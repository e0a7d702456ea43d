"""`search.json` while a search runs: writing it costs a part of the time, however many trials there are."""

from pathlib import Path

import pytest
from searching import accuracy, play, search

from litmus.record.search import FINISHED, Search, read_search, write_search
from litmus.sweep.pool.job import Job
from litmus.sweep.search import record as records

NUM_TRIALS = 60
SECONDS = 0.01  # that this slow disk takes for a trial


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, and how long it took to write; a trial takes a second."""
    clock = [0.0, 0.0]

    def write(folder: Path, record: Search) -> None:
        write_search(folder, record)
        clock[0] += SECONDS * len(record.trials)
        clock[1] += SECONDS * len(record.trials)

    monkeypatch.setattr(records, "write_search", write)
    monkeypatch.setattr(records.time, "monotonic", lambda: clock[0])
    return clock


@pytest.mark.wide
def test_a_record_is_written_for_a_part_of_the_time_and_is_whole_at_the_end(tmp_path: Path, clock: list[float]) -> None:
    behind = []

    def curve(job: Job, epoch: int) -> float:
        clock[0] += 0.5  # called twice a trial
        behind.append(job.number - len(read_search(tmp_path).trials))
        return accuracy(job, epoch)

    source = search(tmp_path, trials=NUM_TRIALS, sampler="random")
    play(source, curve=curve)
    assert clock[1] < 0.1 * clock[0], "all trials at every end would take a quarter of it"
    assert max(behind[:20]) <= 2, "of few trials it is up to date"
    source.summary()
    assert [(trial.number, trial.state) for trial in read_search(tmp_path).trials] == [
        (number, FINISHED) for number in range(NUM_TRIALS)
    ]


def test_a_search_that_was_killed_before_its_last_record_has_all_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(records, "RECORD_PART", 1e-9)
        play(search(tmp_path, trials=6), most=5)
    assert len(read_search(tmp_path).trials) < 5
    search(tmp_path, trials=6)
    assert len(read_search(tmp_path).trials) == 5
