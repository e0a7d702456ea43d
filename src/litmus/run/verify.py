"""Kills a training at random moments, resumes it each time, and compares its end with that of one that was not."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run.ending import PARTS

POLL_S = 0.002
EARLY = 0.25  # of the kills, that come before a process has kept anything
EVERY_S = 0.02  # between two checkpoints, unless it was typed


@dataclass(frozen=True)
class Verdict:
    """How a training that was killed again and again ended.

    Attributes:
        kills: how many there were.
        within: of these, after how many training went on within an epoch.
        same: of each part of a run's end, whether it was the same to the last bit, every time that it came to its end.
        left: files of killed writes that were still there.
        folders: of the runs that were killed.
    """

    kills: int
    within: int
    same: dict[str, bool]
    left: list[str]
    folders: list[Path]

    @property
    def exact(self) -> bool:
        return all(self.same.values()) and not self.left


def train_straight(folder: Path, overrides: Sequence[str]) -> RunDir:
    """Trains without a kill.

    Args:
        folder: of the run.
        overrides: as typed after `python train.py`.

    Raises:
        UserError: it did not finish.
    """
    run = RunDir(folder)
    _finish(run, _start([*_checkpointing(overrides), f"hydra.run.dir={folder}"]))
    return run


def verify(
    straight: RunDir,
    folder: Path,
    overrides: Sequence[str],
    kills: int,
    moments: random.Random,
    killed: Callable[[], object] = lambda: None,
) -> Verdict:
    """Trains with kills, as many runs as it takes, each of which is resumed until it ends.

    Args:
        straight: a run of the same overrides, finished.
        folder: in which the runs to be killed are made.
        overrides: as typed after `python train.py`.
        kills: how many.
        moments: decides when to kill.
        killed: called after each.

    Raises:
        UserError: a run could not be started, or resumed, or the clock ends it.
    """
    if (limit := straight.read_config()["trainer"].get("max_time")) is not None:
        raise UserError(
            f"trainer.max_time={limit} ends a training by the clock, so that no two are the same. Verify one that "
            "trainer.max_steps or trainer.max_epochs ends."
        )
    # So long after its first checkpoint a process is killed at most: one run then takes most of the kills.
    longest_s = 2 * (straight.read_result() or {})["seconds"]["fit"] / kills
    expected = {part: end_of(straight) for part, end_of in PARTS.items()}
    same = dict.fromkeys(PARTS, True)
    done = within = 0
    folders: list[Path] = []
    left: list[str] = []
    while done < kills:
        run = RunDir(folder / f"killed-{len(folders) + 1}")
        folders.append(run.path)
        arguments = [*_checkpointing(overrides), f"hydra.run.dir={run.path}"]
        while done < kills and not _ended(run):
            if not _killed(run, arguments, moments, longest_s):
                break
            done += 1
            within += _is_within(run)
            killed()
            arguments = _resuming(run, arguments)
        if not _ended(run):
            _finish(run, _start(_resuming(run, arguments)))
        same = {part: same[part] and end_of(run) == expected[part] for part, end_of in PARTS.items()}
        left += [path.name for path in run.path.rglob(".*") if path.is_file()]
    return Verdict(done, within, same, left, folders)


def _checkpointing(overrides: Sequence[str]) -> list[str]:
    key = "callback.checkpoint.every_s="
    return [*overrides] if any(key in each for each in overrides) else [*overrides, f"{key}{EVERY_S}"]


def _start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "litmus", "train", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _finish(run: RunDir, process: subprocess.Popen[str]) -> None:
    """Waits for a run's end; its status is not 0 either where a reproduction differs, which is shown later."""
    _, errors = process.communicate()
    if not _ended(run):
        raise UserError("\n".join(errors.strip().splitlines()[-5:]) or f"exit status {process.returncode}")


def _killed(run: RunDir, arguments: Sequence[str], moments: random.Random, longest_s: float) -> bool:
    """Starts the run, and kills it; returns whether it had not ended before."""
    begin, before = time.monotonic(), _kept(run)
    early = moments.random() < EARLY
    wait_s = moments.uniform(0, 5) if early else moments.uniform(0, longest_s)
    process = _start(arguments)
    while process.poll() is None and not early and _kept(run) == before:
        time.sleep(POLL_S)
        begin = time.monotonic()
    while process.poll() is None and time.monotonic() - begin < wait_s:
        time.sleep(POLL_S)
    if process.poll() is not None:
        _finish(run, process)
        return False
    process.kill()
    process.communicate()
    return True


def _ended(run: RunDir) -> bool:
    return (run.read_result() or {}).get("status") == "finished"


def _resuming(run: RunDir, arguments: list[str]) -> list[str]:
    """How a killed run is started again: one that had not begun has no configuration to resume."""
    return [f"resume={run.path}"] if run.has_config() else arguments


def _kept(run: RunDir) -> int:
    return run.last.stat().st_mtime_ns if run.last.is_file() else 0


def _is_within(run: RunDir) -> bool:
    """Whether the step that is kept lies within an epoch."""
    if not run.last.is_file():
        return False
    from litmus.record.checkpoint import load_checkpoint

    rows = run.whole_metrics()
    return load_checkpoint(run.last).step > (rows[-1]["step"] if rows else 0)
