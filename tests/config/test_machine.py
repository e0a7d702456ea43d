"""What other processes hold of this machine's cores, and what becomes of waiting threads then."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from litmus.config import machine
from litmus.config.machine import POLICY, THREADS, Watch, keep_to_quota, let_waiting_threads_sleep
from litmus.record.folder import RunDir


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process that has not imported torch, on two cores."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for name in (POLICY, THREADS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(machine, "own_cores", lambda: {0, 1})
    monkeypatch.setattr(machine, "read_cgroup_files", lambda name: [])
    return monkeypatch


def _write_stat(path: Path, busy: tuple[int, ...]) -> None:
    rows = [f"cpu{number} {ticks} 0 0 900 50 0 0 0 0 0" for number, ticks in enumerate(busy)]
    path.write_text("\n".join(["cpu 1 2 3 4", *rows, "intr 5 6", "ctxt 7"]))


@pytest.mark.parametrize(
    ("ticks", "own", "held"),
    [((0, 0), 0.0, 0.0), ((50, 50), 0.0, 1.0), ((100, 100), 0.5, 1.5), ((50, 50), 2.0, 0.0), ((0, 0, 900), 0.0, 0.0)],
)
def test_what_others_hold_is_what_is_busy_and_not_ours(
    tmp_path: Path, fresh: pytest.MonkeyPatch, ticks: tuple[int, ...], own: float, held: float
) -> None:
    """In one second; a third core is not ours to run on."""
    clock, ours = [0.0], [0.0]
    fresh.setattr(machine, "STAT", tmp_path / "stat")
    fresh.setattr(time, "monotonic", lambda: clock[0])
    fresh.setattr(time, "process_time", lambda: ours[0])
    fresh.setattr(os, "sysconf", lambda name: 100)
    _write_stat(tmp_path / "stat", (1000, 2000, 3000))
    watch = Watch.begin()
    _write_stat(tmp_path / "stat", tuple(a + b for a, b in zip((1000, 2000, 3000), (*ticks, 0), strict=False)))
    clock[0], ours[0] = 1.0, own
    assert watch.held_by_others() == pytest.approx(held)
    clock[0] = 0.01
    assert watch.held_by_others() == 0.0, "too short a time to say"


@pytest.mark.parametrize("content", [None, "", "cpu0 1 2", "nothing", "cpu0 a b c d e"])
def test_a_system_that_does_not_say_is_taken_to_be_free(
    tmp_path: Path, fresh: pytest.MonkeyPatch, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "stat").write_text(content)
    fresh.setattr(machine, "STAT", tmp_path / "stat")
    assert Watch(None, 0.0, -10.0).held_by_others() == 0.0
    assert Watch.begin().held_by_others() == 0.0


def test_threads_sleep_where_others_hold_a_core(fresh: pytest.MonkeyPatch) -> None:
    assert let_waiting_threads_sleep(0.4) is None
    assert POLICY not in os.environ
    said = let_waiting_threads_sleep(1.25)
    assert said == "other processes hold 1.2 of 2 cores: threads sleep while they wait (OMP_WAIT_POLICY=PASSIVE)"
    assert os.environ[POLICY] == "PASSIVE"


@pytest.mark.parametrize("why", ["decided", "late", "one core", "one thread"])
def test_nothing_is_changed_where_it_would_not_help(fresh: pytest.MonkeyPatch, why: str) -> None:
    if why == "decided":
        fresh.setenv(POLICY, "ACTIVE")
    elif why == "late":
        fresh.setitem(sys.modules, "torch", machine)
    elif why == "one core":
        fresh.setattr(machine, "own_cores", lambda: {0})
    else:
        fresh.setenv(THREADS, "1")
    assert let_waiting_threads_sleep(1.5) is None
    assert os.environ.get(POLICY) == ("ACTIVE" if why == "decided" else None)


@pytest.mark.parametrize(
    ("quotas", "threads"),
    [
        (["max 100000"], None),
        (["800000 100000"], None),
        (["400000 100000", "max 100000"], "4"),
        (["350000 100000"], "4"),
        (["max 100000", "20000 100000"], "1"),
    ],
)
def test_threads_are_as_many_as_a_quota_grants(
    quotas: list[str], threads: str | None, fresh: pytest.MonkeyPatch
) -> None:
    fresh.setattr(machine, "own_cores", lambda: set(range(8)))
    fresh.setattr(machine, "read_cgroup_files", lambda name: quotas if name == "cpu.max" else [])
    said = keep_to_quota()
    assert os.environ.get(THREADS) == threads
    sentence = f"the CPU quota is that of {threads} of 8 cores: so many threads compute (OMP_NUM_THREADS={threads})"
    assert said == (sentence if threads else None)


def test_a_quota_does_not_change_what_the_user_has_decided(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(machine, "read_cgroup_files", lambda name: ["100000 100000"])
    fresh.setenv(THREADS, "2")
    assert keep_to_quota() is None
    assert os.environ[THREADS] == "2"


def test_threads_do_not_sleep_where_a_quota_s_cores_are_free(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(machine, "own_cores", lambda: set(range(8)))
    fresh.setattr(machine, "read_cgroup_files", lambda name: ["200000 100000"])
    assert let_waiting_threads_sleep(5.0) is None
    said = let_waiting_threads_sleep(7.0)
    assert said == "other processes hold 7.0 of 8 cores: threads sleep while they wait (OMP_WAIT_POLICY=PASSIVE)"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not say")
def test_a_process_that_spins_is_seen() -> None:
    spin = "while True: pass"
    others = [subprocess.Popen([sys.executable, "-c", spin]) for _ in machine.own_cores()]
    try:
        time.sleep(0.5)
        watch = Watch.begin()
        time.sleep(1)
        assert watch.held_by_others() > 0.3
    finally:
        for each in others:
            each.kill()
            each.wait()


HELD = """
from litmus.config import machine
machine.own_cores = lambda: {0, 1}
machine.Watch.held_by_others = lambda _: 1.5
"""
VERB = """
import os, sys
from litmus.cli import main as cli
try:
    cli.main(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code or sys.argv[1] == "lr", ended.code
assert "torch" in sys.modules
print("POLICY", os.environ.get(machine.POLICY))
"""


@pytest.mark.wide
@pytest.mark.parametrize(
    "words", [["evaluate"], ["predict", "digit.png", "--json"], ["lr", "--steps", "20"]], ids="-".join
)
def test_verbs_that_compute_let_waiting_threads_sleep(words: list[str], train: Callable[..., RunDir]) -> None:
    Image.new("L", (28, 28)).save("digit.png")
    run = train("model=fnn", "trainer.max_epochs=1", "data.limit=40")
    verb, *rest = words
    environment = {name: value for name, value in os.environ.items() if name not in (POLICY, THREADS)}
    command = [sys.executable, "-c", HELD + VERB, verb, str(run.path), *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert ("threads sleep while they wait" in done.stdout) == ("--json" not in words)
    assert done.stdout.endswith("POLICY PASSIVE\n")


@pytest.mark.wide
def test_a_program_that_uses_litmus_keeps_its_environment(fresh: pytest.MonkeyPatch) -> None:
    code = "import litmus, os, sys; litmus.load; print('torch' in sys.modules, os.environ.get('OMP_WAIT_POLICY'))"
    done = subprocess.run([sys.executable, "-c", HELD + code], capture_output=True, text=True, check=True)
    assert done.stdout == "True None\n"
