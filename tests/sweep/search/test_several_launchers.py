"""One search that several launchers share: each trial is run once, and a launcher that dies loses none."""

import json
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from postgres import Server, serving
from searching import SPACE, WIDTHS, accuracy, play, search, write_run

from litmus.compose.resume import with_sweep_overrides
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.record.search import JOURNAL, read_search
from litmus.sweep.optuna import Optuna
from litmus.sweep.pool import session
from litmus.sweep.pool.job import JobResult
from litmus.sweep.search.launchers import Launchers
from litmus.sweep.search.storage import Journal

CONTEXT = multiprocessing.get_context("fork")
GRID = ["model.dropout=range(0,0.6,0.1)", WIDTHS]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """PostgreSQL, where it is installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'litmus[postgresql]'")
    with serving() as made:
        yield made


@pytest.fixture(params=["journal", pytest.param("postgresql", marks=pytest.mark.slow)])
def storage(request: pytest.FixtureRequest) -> str:
    if request.param == "journal":
        return "journal"
    server: Server = request.getfixturevalue("server")
    return server.url


def _launcher(folder: Path, storage: str, keys: dict[str, Any], log: Path, together: Any) -> None:
    """Plays trials until none is left, and writes down which; begins when the others do."""
    if together is not None:
        together.wait()
    source = search(folder, keys.get("words", SPACE), storage=storage, **keys["own"])
    with log.open("a") as file:
        while jobs := play(source, most=1):
            print(jobs[0].number, *jobs[0].overrides, file=file, flush=True)
            time.sleep(0.02)
    source.summary()


def _start(
    folder: Path, storage: str, log: Path, words: list[str] = SPACE, together: Any = None, **own: Any
) -> BaseProcess:
    process = CONTEXT.Process(target=_launcher, args=(folder, storage, {"words": words, "own": own}, log, together))
    process.start()
    return process


def _played(logs: list[Path]) -> list[str]:
    return sorted(line for log in logs for line in log.read_text().splitlines())


@pytest.mark.parametrize(("words", "keys"), [(SPACE, {}), (SPACE, {"pruner": "median"}), (GRID, {"sampler": "grid"})])
def test_each_trial_is_run_once_by_one_of_three(
    tmp_path: Path, storage: str, words: list[str], keys: dict[str, Any]
) -> None:
    logs = [tmp_path / f"{i}.log" for i in range(3)]
    launchers = [_start(tmp_path / "search", storage, log, words, trials=12, **keys) for log in logs]
    for launcher in launchers:
        launcher.join()
    assert [launcher.exitcode for launcher in launchers] == [0, 0, 0]
    played = _played(logs)
    assert sorted(int(line.split()[0]) for line in played) == list(range(12))
    assert len({line.partition(" ")[2] for line in played}) == 12, "no two launchers tried the same values"
    found = read_search(tmp_path / "search")
    assert found is not None
    assert {trial.state for trial in found.trials} <= {"finished", "pruned"}
    assert len(found.trials) == 12


def test_two_kills_lose_nothing(tmp_path: Path, storage: str) -> None:
    folder, logs = tmp_path / "search", [tmp_path / f"{i}.log" for i in range(3)]
    together = CONTEXT.Barrier(3)
    launchers = [_start(folder, storage, log, together=together, trials=40) for log in logs]
    for launcher, log in zip(launchers[:2], logs, strict=False):
        while not log.exists() or not log.read_text():
            assert launcher.is_alive()
            time.sleep(0.01)
        launcher.kill()
        launcher.join()
        assert launcher.exitcode == -signal.SIGKILL
    launchers[2].join()
    assert launchers[2].exitcode == 0
    found = read_search(folder)
    assert found is not None
    assert [(trial.number, trial.state) for trial in found.trials] == [(i, "finished") for i in range(40)]


def _hold(folder: Path, storage: str, ready: Any) -> None:
    """Begins a trial, reports an epoch, and then does nothing until it is killed."""
    source = search(folder, storage=storage, trials=2, pruner="median")
    job = source.next_job()
    assert job is not None
    source.report_epoch(job, 1, {"val/acc": 0.25})
    ready.send((job.number, job.overrides))
    time.sleep(600)


@pytest.mark.parametrize("left", ["running", "still training", "finished"])
def test_what_a_dead_launcher_was_running_is_another_ones(tmp_path: Path, storage: str, left: str) -> None:
    ours, theirs = CONTEXT.Pipe()
    holder = CONTEXT.Process(target=_hold, args=(tmp_path, storage, theirs))
    holder.start()
    number, overrides = ours.recv()
    source = search(tmp_path, storage=storage, trials=2, pruner="median")
    assert (source.remaining, source.num_elsewhere) == ([], 1)
    (job,) = play(source, most=1)
    assert job.number != number
    assert source.next_job() is None
    source.update()
    assert (len(source.already_finished), source.num_elsewhere) == (0, 1), "it is alive"
    assert "2 trials: 1 finished, 0 pruned, 0 failed, 1 running elsewhere." in source.summary()
    holder.kill()
    holder.join()
    run = RunDir(tmp_path / f"trial_{number:04}")
    if left == "still training":  # its process outlived its launcher
        file = _locked(run)
        with subprocess.Popen(["sleep", "600"], stdout=file) as training:
            os.close(file)
            assert source.next_job() is None
            assert source.must_wait
            training.kill()
    if left == "finished":
        write_run(job := source._job(number, {}), "finished", 3, **{"val/acc": 0.5})
    job = source.next_job()
    if left == "finished":
        assert job is None
        assert [(job.number, result.status) for job, result in source.already_finished] == [(number, "finished")]
        return
    assert job is not None
    assert (job.number, job.overrides) == (number, overrides)
    source.report_epoch(job, 2, {"val/acc": accuracy(job, 2)})
    source.report_result(job, JobResult("finished", {"val/acc": 0.5}))
    source.update()
    assert (source.next_job(), source.num_elsewhere) == (None, 0)
    assert source.study.get_trials()[number].intermediate_values.keys() == {1, 2}


def _locked(run: RunDir) -> int:
    """A descriptor that holds the lock of a run until its last copy is closed."""
    import fcntl

    run.path.mkdir(exist_ok=True)
    file = os.open(run.log, os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def test_the_others_trials_are_counted_once(tmp_path: Path, storage: str) -> None:
    source = search(tmp_path, storage=storage, trials=6)
    play(source, most=1)
    other = _start(tmp_path, storage, tmp_path / "log", trials=5)
    other.join()
    for _ in range(2):
        source.update()
        assert sorted(job.number for job, _ in source.already_finished) == [1, 2, 3, 4]
    assert [job.number for job in play(source)] == [5]
    assert "6 trials: 6 finished, 0 pruned, 0 failed." in source.summary()


def test_a_journal_survives_half_a_line(tmp_path: Path) -> None:
    play(search(tmp_path, storage="journal", trials=3))
    path = tmp_path / JOURNAL
    lines = path.read_bytes().splitlines()
    with path.open("ab") as file:
        file.write(lines[-1][:20])
    again = search(tmp_path, storage="journal", trials=5)
    assert [job.number for job in play(again)] == [3, 4]
    assert [json.loads(line)["op_code"] for line in path.read_text().splitlines()]
    path.write_bytes(path.read_bytes() + b"{half\n{}\n")
    with pytest.raises(UserError, match=r"study.journal cannot be read"):
        search(tmp_path, storage="journal")


def test_a_lock_of_the_journal_ends_with_its_process(tmp_path: Path) -> None:
    def hold(ready: Any) -> None:
        Journal(tmp_path / JOURNAL)._lock.acquire()
        ready.send(None)
        time.sleep(600)

    ours, theirs = CONTEXT.Pipe()
    holder = CONTEXT.Process(target=hold, args=(theirs,))
    holder.start()
    ours.recv()
    holder.kill()
    before = time.monotonic()
    Journal(tmp_path / JOURNAL).append_logs([{}])
    assert time.monotonic() - before < 5


def test_a_trial_belongs_to_one_process(tmp_path: Path) -> None:
    mine = Launchers(tmp_path)
    assert mine.claim(3)

    def other() -> None:
        theirs = Launchers(tmp_path)
        os._exit(10 * theirs.claim(3) + theirs.claim(4))

    def exit_code() -> int | None:
        process = CONTEXT.Process(target=other)
        process.start()
        process.join()
        return process.exitcode

    assert exit_code() == 1
    mine.release(3)
    assert exit_code() == 11


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("jurnal", "sweep.storage=jurnal is not allowed: it is sqlite, journal, or postgresql://"),
        ("mysql://host/litmus", "is not allowed"),
        ("postgresql://host", "is not allowed"),
        ("postgresql://me:secret@host/litmus", "sweep.storage holds a password"),
        ("postgresql://host/litmus?password=secret", "sweep.storage holds a password"),
    ],
)
def test_a_storage_that_cannot_be_is_refused_before_there_is_a_folder(tmp_path: Path, storage: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        search(tmp_path / "new", storage=storage)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"sampler": "cmaes"}, "sweep.sampler=cmaes keeps pickles"),
        ({"on_fail": "stop"}, "sweep.on_fail=stop would stop"),
    ],
)
def test_what_several_launchers_cannot_share_is_refused(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        search(tmp_path / "new", storage="journal", **keys)
    assert search(tmp_path / "alone", **keys)


def test_another_launcher_may_run_more_trials(tmp_path: Path) -> None:
    source = search(tmp_path, storage="journal", trials=2)
    play(source, most=1)
    other = _start(tmp_path, "journal", tmp_path / "log", trials=5)
    other.join()
    assert source.next_job() is None
    assert (source.total, len(source.already_finished)) == (5, 4)


def test_a_resumed_search_does_not_ask_a_server_that_its_folder_names(tmp_path: Path) -> None:
    words = ["sweep=optuna", "sweep.storage=postgresql://elsewhere/litmus", *SPACE]
    session.write_overrides(tmp_path, words)
    with pytest.raises(UserError, match="names a server: add sweep.storage=postgresql://elsewhere/litmus"):
        with_sweep_overrides(["-m", f"resume={tmp_path}"])
    again = with_sweep_overrides(["-m", f"resume={tmp_path}", words[1]])
    assert again.count(words[1]) == 1


@pytest.mark.parametrize(("earlier", "later"), [("sqlite", "journal"), ("journal", "sqlite")])
def test_a_search_stays_where_it_is_kept(tmp_path: Path, earlier: str, later: str) -> None:
    play(search(tmp_path, storage=earlier, trials=1))
    with pytest.raises(UserError, match=rf"holds a search with sweep.storage={earlier}. Type that"):
        search(tmp_path, storage=later)


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named(tmp_path: Path, server: Server) -> None:
    nowhere = server.url.replace(f"port={server.port}", "port=1")
    with pytest.raises(UserError, match="postgresql://") as refused:
        search(tmp_path, storage=nowhere)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_searches_of_the_same_name_are_apart_on_a_server(tmp_path: Path, server: Server) -> None:
    folders = [tmp_path / place / "mine" for place in ("a", "b")]
    for folder in folders:
        assert len(play(search(folder, storage=server.url, trials=2))) == 2
    source: Optuna = search(folders[0], storage=server.url, trials=3)
    assert [job.number for job in play(source)] == [2]
