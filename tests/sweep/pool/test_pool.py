"""The pool and its server, with jobs that behave as badly as jobs can; none of them trains."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from litmus.config import machine
from litmus.errors import UserError
from litmus.record import files
from litmus.record.folder import RunDir
from litmus.sweep.pool import pool as pools
from litmus.sweep.pool import session
from litmus.sweep.pool.client import Server
from litmus.sweep.pool.job import Job, JobResult
from litmus.sweep.pool.machine import Limits, cores, slots
from litmus.sweep.pool.pool import Pool

HERE = Path(__file__).parent
CONFIG = {"model": {"_target_": "litmus.model.fnn.FNN"}, "data": {"_target_": "litmus.data.mnist.MNIST"}, "seed": 0}


class Jobs:
    """A source of jobs by what they do; prunes after the third epoch. No other launcher shares them."""

    shared = must_wait = False
    num_elsewhere = 0
    already_finished: ClassVar[list[tuple[Job, JobResult]]] = []

    def __init__(self, folder: Path, *names: str) -> None:
        self.jobs = [Job(i, (name,), folder / f"{i}-{name}", CONFIG, {}) for i, name in enumerate(names)]
        self.total = len(names)
        self.results: dict[str, JobResult] = {}
        self.epochs: list[tuple[str, int, float]] = []

    def next_job(self) -> Job | None:
        return self.jobs.pop(0) if self.jobs else None

    def report_epoch(self, job: Job, epoch: int, metrics: dict[str, float]) -> bool:
        self.epochs.append((job.overrides[0], epoch, metrics["val/acc"]))
        return epoch == 3

    def report_result(self, job: Job, result: JobResult) -> None:
        self.results[job.overrides[0]] = result


class Recorder:
    """A reporter that keeps what it is given."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.ends: list[tuple[str, str, bool]] = []
        self.most = self.running = 0

    def report_start(self, job: Job) -> None:
        self.running += 1
        self.most = max(self.most, self.running)

    def report_progress(self, job: Job, message: dict) -> None: ...

    def report_result(self, job: Job, result: JobResult, is_retried: bool) -> None:
        self.running -= 1
        self.ends.append((job.overrides[0], result.status, is_retried))

    def refresh(self) -> None: ...

    def report_elsewhere(self, ended: list[tuple[Job, JobResult]], num_running: int) -> None: ...

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    lock = os.open(tmp_path / ".lock", os.O_RDWR | os.O_CREAT)

    def made(jobs=2, on_fail="continue", timeout_s=None, prunes=False) -> Pool:
        limits = Limits(jobs, 1, on_fail, timeout_s, gpus=False, devices=1)
        return Pool(limits, lambda: Server(["misbehaving"], lock), Recorder(), prunes)

    yield made
    os.close(lock)


def test_no_job_harms_another(pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "GRACE_S", 0.3)
    jobs = Jobs(tmp_path, "raise", "fine", "exit", "exit_at_once", "killed", "hang", "taken", "well")
    running = pool(timeout_s=1.5)
    running.run(jobs)
    assert {name: result.status for name, result in jobs.results.items()} == {
        **dict.fromkeys(["raise", "exit", "exit_at_once", "killed", "hang", "taken"], "failed"),
        **dict.fromkeys(["fine", "well"], "finished"),
    }
    assert "exit status 3" in (jobs.results["exit"].error or "")
    assert "exit status 4" in (jobs.results["exit_at_once"].error or "")
    assert "killed by SIGKILL: out of memory?" in (jobs.results["killed"].error or "")
    assert jobs.results["hang"].error == "took longer than sweep.timeout_s=1.5"
    assert 1.5 < jobs.results["hang"].seconds < 10
    results = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("*/result.json")}
    assert results["4-killed"]["status"] == "failed", "what could not say so itself is said for it"
    assert jobs.results["taken"].error == "another process trains in it"
    assert "6-taken" not in results, "whose folder it is, writes there"
    assert results["4-killed"]["model"] == "fnn"
    assert "something broke" in RunDir(tmp_path / "0-raise").log.read_text()
    assert running.reporter.most == 2
    assert running.reporter.running == 0


def test_cores_are_divided(pool, tmp_path: Path) -> None:
    every = cores()
    pool(jobs=2).run(Jobs(tmp_path, "a", "b"))
    shares = [(tmp_path / name / "cores").read_text().split() for name in ("0-a", "1-b")]
    if len(every) > 1:
        assert sorted(map(int, shares[0] + shares[1])) == every
    pool(jobs=1).run(Jobs(tmp_path / "alone", "c"))
    assert list(map(int, (tmp_path / "alone/0-c/cores").read_text().split())) == every


@pytest.mark.parametrize(
    ("jobs", "gpus", "numbers", "expected"),
    [
        (2, 0, [0, 1, 2, 3], [([0, 1], None), ([2, 3], None)]),
        (3, 0, [0, 1], [([0], None), ([1], None), ([0], None)]),
        (2, 0, [0, 1, 2], [([0], None), ([1], None)]),
        ("auto", 2, [0, 1, 2, 3], [([0, 1], [0]), ([2, 3], [1])]),
        (1, 2, [0, 1], [([0, 1], [0])]),
    ],
)
def test_how_a_machine_is_divided(jobs, gpus: int, numbers: list[int], expected) -> None:
    made = slots(Limits(jobs, 1, "continue", None, gpus=True, devices=1), gpus, numbers)
    assert [(slot.cores, slot.gpus) for slot in made] == expected


def test_gpus_are_shared_by_number_and_taken_by_several() -> None:
    shared = slots(Limits("auto", 2, "continue", None, gpus=True, devices=1), 2, [0, 1, 2, 3])
    assert [slot.gpus for slot in shared] == [[0], [1], [0], [1]]
    pairs = slots(Limits("auto", 1, "continue", None, gpus=True, devices=2), 4, [0, 1, 2, 3])
    assert [slot.gpus for slot in pairs] == [[0, 1], [2, 3]]
    processes = slots(Limits("auto", 1, "continue", None, gpus=False, devices=2), 0, [0, 1, 2, 3])
    assert [slot.cores for slot in processes] == [[0, 1], [2, 3]], "a core for each process of a job"
    unused = slots(Limits("auto", 1, "continue", None, gpus=False, devices=1), 4, [0, 1])
    assert all(slot.gpus is None for slot in unused)


def test_a_container_s_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "outer" / "cpu.max").write_text("max 100000\n")
    (inner / "memory.max").write_text("max\n")
    (inner / "memory.stat").write_text("anon 5\nfile 1000000000\n")
    (tmp_path / "outer" / "memory.max").write_text("7000000000\n")
    (tmp_path / "outer" / "memory.stat").write_text("anon 500000000\nfile 6000000000\n")
    (tmp_path / "cgroup").write_text("1:cpu:/x\n0::/outer/inner\n")
    for name, path in {"OWN_GROUP": tmp_path / "cgroup", "GROUPS": tmp_path, "MEMINFO": tmp_path / "none"}.items():
        monkeypatch.setattr(machine, name, path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    drawn = [cores() for _ in range(50)]
    assert {len(own) for own in drawn} == {2}, "one and a half"
    assert {core for own in drawn for core in own} == {0, 1, 2, 3}, "not always the first ones"
    auto = Limits("auto", 1, "continue", None, gpus=False, devices=1)
    assert len(slots(auto, 0, [0, 1, 2, 3])) == 2, "6.5 GB are free for 3 GB each"
    monkeypatch.setattr(machine, "OWN_GROUP", tmp_path / "none")
    assert cores() == [0, 1, 2, 3]


def test_a_failure_stops_the_others(pool, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, "slow", "raise", "never")
    running = pool(on_fail="stop")
    running.run(jobs)
    assert {name: result.status for name, result in jobs.results.items()} == {"raise": "failed", "slow": "interrupted"}
    assert jobs.results["slow"].error == "stopped, because another job failed"
    assert [job.overrides for job in jobs.jobs] == [("never",)]
    assert any("on_fail=stop" in note for note in running.reporter.notes)


def test_a_failure_is_tried_once_more(pool, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, "once", "raise")
    running = pool(jobs=1, on_fail="retry")
    running.run(jobs)
    assert {name: result.status for name, result in jobs.results.items()} == {"once": "finished", "raise": "failed"}
    assert (tmp_path / "1-raise/times").read_text() == "xx"
    assert ("once", "failed", True) in running.reporter.ends


def test_a_job_is_pruned_after_an_epoch(pool, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, "pruned")
    pool(prunes=True).run(jobs)
    assert jobs.results["pruned"].status == "pruned"
    assert jobs.epochs == [("pruned", epoch, epoch / 100) for epoch in (1, 2, 3)]


def test_a_server_that_dies_is_started_again(pool, tmp_path: Path) -> None:
    jobs, times = Jobs(tmp_path, "slow", "fine"), tmp_path / "0-slow/times"
    running = pool(jobs=1)

    def wait_for(count: int) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (times.exists() and len(times.read_text()) >= count):
            time.sleep(0.01)

    def kill() -> None:
        wait_for(1)
        running.server.process.kill()
        wait_for(2)  # on a busy machine the second start alone may take longer than any limit set before
        running.limits = replace(running.limits, timeout_s=0.1)

    killer = threading.Thread(target=kill)
    killer.start()
    running.run(jobs)
    killer.join()
    assert times.read_text() == "xx", "it is run again"
    assert "timeout_s" in (jobs.results["slow"].error or ""), "until its time is up"
    assert jobs.results["fine"].status == "finished"
    assert any("is started again" in note for note in running.reporter.notes)


@pytest.mark.parametrize("num_killed", [1, 3])
def test_a_server_that_is_killed_while_it_imports_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_killed: int
) -> None:
    (tmp_path / "killed.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(HERE)]))
    modules = iter([*["killed"] * num_killed, "misbehaving"])
    with (tmp_path / ".lock").open("w") as lock:
        limits = Limits(1, 1, "continue", None, gpus=False, devices=1)
        running = Pool(limits, lambda: Server([next(modules)], lock.fileno()), Recorder(), False)
        jobs = Jobs(tmp_path, "fine")
        if num_killed == pools.MAX_STARTS:
            with pytest.raises(UserError, match="has died 3 times"):
                running.run(jobs)
            return
        running.run(jobs)
    assert jobs.results["fine"].status == "finished"
    assert running.reporter.notes[0].endswith("died (exit status -9); it is started again.")


def test_a_server_that_gets_sigterm_waits_for_its_jobs(pool, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, "pruned")
    running = pool(prunes=True)

    def terminate() -> None:
        while not (tmp_path / "0-pruned/times").exists():
            time.sleep(0.01)
        running.server.process.terminate()

    terminator = threading.Thread(target=terminate)
    terminator.start()
    running.run(jobs)
    terminator.join()
    assert jobs.results["pruned"].status == "pruned"
    assert (tmp_path / "0-pruned/times").read_text() == "x"
    assert not any("died" in note for note in running.reporter.notes)


def test_ctrl_c_while_the_server_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    started: list[Server] = []
    with (tmp_path / ".lock").open("w") as lock:

        def start() -> Server:
            started.append(Server(["endless"], lock.fileno()))
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            return started[0]

        jobs = Jobs(tmp_path, "fine")
        running = Pool(Limits(1, 1, "continue", None, gpus=False, devices=1), start, Recorder(), False)
        running.run(jobs)
    assert running.interrupted
    assert not jobs.results
    assert started[0].process.poll() == -signal.SIGKILL


def test_a_server_that_is_not_used_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Server] = []

    def noting(modules: list[str], lock: int) -> Server:
        started.append(Server(modules, lock))
        return started[-1]

    monkeypatch.setattr(session, "Server", noting)
    with (tmp_path / ".lock").open("w") as lock, pytest.raises(UserError), session.serving(lock.fileno()):
        raise UserError("a job cannot be composed")
    assert started[0].process.poll() == -signal.SIGKILL


LAUNCHER = """
import os, sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
sys.path[:0] = [{here!r}, {root!r}]
from test_pool import Jobs, Limits, Pool, Recorder, Server
from litmus.record import files
lock = os.open(".lock", os.O_RDWR | os.O_CREAT)
assert files.lock(lock)
jobs = Jobs(Path("jobs"), "slow", "hang", "never")
reporter = Recorder()
Pool(Limits(2, 1, "continue", None, False, 1), lambda: Server(["misbehaving"], lock), reporter, False).run(jobs)
print({{name: result.status for name, result in jobs.results.items()}}, [job.overrides[0] for job in jobs.jobs])
print({{result.error for result in jobs.results.values()}}, reporter.notes[-1])
"""


@pytest.fixture
def launcher(tmp_path: Path):
    code = LAUNCHER.format(here=str(HERE), root=str(HERE.parents[1]))
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    while not all((tmp_path / "jobs" / name / "times").exists() for name in ("0-slow", "1-hang")):
        assert process.poll() is None
        time.sleep(0.02)
    yield process
    process.kill()


def test_ctrl_c_stops_and_a_second_one_kills(launcher: subprocess.Popen) -> None:
    launcher.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert launcher.poll() is None, "one job does not listen"
    launcher.send_signal(signal.SIGINT)
    out, _ = launcher.communicate(timeout=10)
    ends, why = out.strip().splitlines()
    assert ends == "{'slow': 'interrupted', 'hang': 'interrupted'} ['never']"
    assert why == "{'stopped by you'} Killing the running jobs."


@pytest.mark.wide
def test_jobs_do_not_outlive_a_launcher_that_is_killed(
    launcher: subprocess.Popen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher.kill()
    launcher.wait()
    lock = os.open(tmp_path / ".lock", os.O_RDWR)
    assert not files.lock(lock), "a job still holds it"
    deadline = time.monotonic() + 20
    while not files.lock(lock):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.close(lock)
