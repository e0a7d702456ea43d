"""Jobs of a sweep that failed or diverged: not run again unasked, and what they have in common is said once."""

from pathlib import Path
from typing import Any

import pytest
from helpers import SMALL, composed
from rich.console import Console

from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.sweep.grid import Grid
from litmus.sweep.pool import session
from litmus.sweep.pool.job import Job, JobResult
from litmus.sweep.pool.sweep_reporter import SweepReporter

ENDINGS = ("finished", "failed", "diverged", "interrupted", None)


class Composer:
    """Makes a job of each seed."""

    def __init__(self) -> None:
        self.config = composed("model=perceptron", *SMALL)

    def select_for_jobs(self, overrides: list[str]) -> list[str]:
        return overrides

    def combinations(self, overrides: list[str]) -> list[tuple[list[str], list[str]]]:
        return [([each], [each]) for each in overrides]

    def job(self, overrides: list[str], own: list[str], number: int, folder: Path) -> Job:
        config = {**self.config, "seed": int(own[0].removeprefix("seed="))}
        return Job(number, tuple(own), folder, config, {}, tuple(overrides))


def grid(folder: Path, number: int, **keys: Any) -> Grid:
    section = {"name": None, "jobs": 1, "jobs_per_gpu": 1, "on_fail": "continue", "timeout_s": None, "failed": "skip"}
    made = Grid(**{**section, **keys})
    made.start(folder, [f"seed={seed}" for seed in range(number)], Composer())
    return made


def end(folder: Path, seed: int, status: str, error: str | None = None) -> None:
    RunDir(folder / f"seed-{seed}").write_result({"status": status, "metrics": {}, "error": error})


@pytest.mark.parametrize(("failed", "left"), [("skip", [3, 4]), ("retry", [1, 2, 3, 4])])
def test_what_is_run_when_a_sweep_is_resumed(tmp_path: Path, failed: str, left: list[int]) -> None:
    for seed, status in enumerate(ENDINGS):
        if status:
            end(tmp_path, seed, status)
    source = grid(tmp_path, len(ENDINGS), failed=failed)
    assert [job.number for job in source.remaining] == left
    assert [job.number for job, _ in source.already_finished] == [i for i in range(len(ENDINGS)) if i not in left]
    results = [RunDir(tmp_path / f"seed-{seed}").read_result() is not None for seed in range(3)]
    assert results == [True, failed == "skip", failed == "skip"], "a job with a result takes itself for one that ended"


def test_the_same_failure_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(32):
        end(tmp_path, seed, "failed", "no space left" if seed < 30 else f"seed {seed} is bad")
    assert session.summarize_launched(grid(tmp_path, 32), tmp_path, [], None, False) == 1
    said = capsys.readouterr().out
    assert said.count("no space left") == 1
    assert "failed       30 jobs: seed=0, seed=1, seed=2, seed=3, seed=4 and 25 more  (no space left)" in said
    assert "failed       seed=31  (seed 31 is bad)" in said
    assert "Of these, 32 failed: sweep.failed=retry runs such jobs again." in said
    assert "\nresume " not in said, "nothing is left to resume"
    assert f"litmus train -m resume={tmp_path} sweep.failed=retry" in said


def test_a_failure_is_explained_when_it_comes_first(tmp_path: Path) -> None:
    console = Console(record=True, width=200)
    reporter = SweepReporter(3, console)
    for job in grid(tmp_path, 3).remaining:
        RunDir(job.folder).path.mkdir()
        RunDir(job.folder).log.write_text("a line of the log\n")
        reporter.report_result(job, JobResult("failed", error="no space left"), is_retried=False)
    said = console.export_text()
    assert said.count("no space left") == said.count("a line of the log") == 1
    assert said.count("        the same error as seed=0\n") == 2


def test_a_retry_is_not_repeated_by_every_later_resumption(tmp_path: Path) -> None:
    session.write_overrides(tmp_path, ["seed=0,1", "sweep.failed=retry", "sweep.jobs=2"])
    assert session.read_overrides(tmp_path) == ["seed=0,1", "sweep.jobs=2"]


def test_a_sweep_does_not_lose_jobs_to_a_narrower_command(tmp_path: Path) -> None:
    source = grid(tmp_path, 3)
    session.write_overrides(tmp_path, ["seed=0", "seed=1", "seed=2"])
    grid(tmp_path, 2)  # nothing has begun
    RunDir(source.remaining[0].folder).write_requested(source.remaining[0].config)
    with pytest.raises(UserError, match=r"1 of its 3 jobs is not in this one, such as seed=2[\s\S]*resume="):
        grid(tmp_path, 2)
    assert [job.number for job in grid(tmp_path, 3).remaining] == [0, 1, 2]
    assert grid(tmp_path, 5).total == 5, "a wider one contains it"


def test_of_equal_jobs_that_with_the_lower_loss_is_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, loss in enumerate([0.3, 0.1, 0.2]):
        metrics = {"val/acc": 0.9, "val/loss": loss}
        RunDir(tmp_path / f"seed-{seed}").write_result({"status": "finished", "metrics": metrics, "error": None})
    session.summarize_launched(grid(tmp_path, 3), tmp_path, [], None, False)
    said = capsys.readouterr().out
    assert [line.split()[-1] for line in said.splitlines() if "val/acc" in line] == ["seed=1", "seed=2", "seed=0"]
