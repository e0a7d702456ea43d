"""What a sweep says of its jobs: in a table while they run, and a line for each that ends."""

import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import ROOT, composed
from rich.cells import cell_len
from rich.console import Console

from litmus.console import Screen
from litmus.record.metrics import monitored
from litmus.sweep.pool.job import Job, JobResult
from litmus.sweep.pool.sweep_reporter import SweepReporter, job_line

TASKS = sorted(path.stem for path in (ROOT / "src" / "litmus" / "task").glob("[!_]*.py"))
# The second override is longer than the narrowest screens.
LONG = ("model.convolutions=2", "data.path=/data/photos/of-several-years/autumn.csv", "optimizer.lr=0.001", "seed=17")


def job(number: int = 0, overrides: tuple[str, ...] = LONG, task: str = "classification") -> Job:
    config = {"task": {"_target_": f"litmus.task.{task}.{task.capitalize()}"}}
    return Job(number, overrides, Path(f"outputs/sweeps/s/{number}"), config, {}, overrides)


@pytest.mark.parametrize(
    ("status", "metrics", "word"),
    [
        ("finished", {"val/acc": 0.9, "val/loss": 0.1}, "finished"),
        ("finished", {"val/acc": 0.9, "val/loss": math.nan}, "diverged"),
        ("finished", {"val/rmse": 0.9, "val/loss": 0.1, "val/r": math.nan}, "finished"),  # r of constant predictions
        ("diverged", {}, "diverged"),
    ],
)
def test_a_job_diverged_if_a_loss_is_not_finite(status: str, metrics: dict[str, float], word: str) -> None:
    text = io.StringIO()
    reporter = SweepReporter(1, Console(file=text, width=120))
    job = Job(0, ("optimizer.lr=1",), Path("a"), composed("model=fnn"), {}, ("model=fnn", "optimizer.lr=1"))
    reporter.report_start(job)
    reporter.report_result(job, JobResult(status, metrics), is_retried=False)
    assert text.getvalue().startswith(f"[1/1] {word} ")


def table(width: int, height: int, jobs: list[Job], value: float) -> list[str]:
    """The live table, as a terminal shows it."""
    file = io.StringIO()
    screen = Screen(file=file, force_terminal=True, color_system=None, width=width, height=height, highlight=False)
    reporter = SweepReporter(200, screen)
    reporter.add_result(job(100), JobResult("finished"))
    with reporter.shown():
        for each in jobs:
            reporter.report_start(each)
            monitor = monitored(each.config["task"]["_target_"])[0]
            message = {"epoch": 17, "epochs": 100, "monitor": monitor, "metrics": {monitor: value}}
            reporter.report_progress(each, message)
        reporter._last_drawn = 0.0
        reporter.refresh()
        drawn = file.getvalue().rpartition("job ")[2]
    return ("job " + re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn)).rstrip("\r").splitlines()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("value", [0.98765, 123456789.123])
def test_the_live_table_fits(task: str, value: float) -> None:
    jobs = [job(i, (*LONG[:3], f"seed={i}"), task) for i in range(3)]
    for width in range(40, 121, 4):
        lines = table(width, 40, jobs, value)
        assert all(cell_len(line) <= width for line in lines), lines
        text = "\n".join(lines)
        assert text.count("17/100") == 3
        assert all(f"seed={i}" in text for i in range(3)), text
        assert text.count("lr=0.001") == 3
        whole = text.count(f" {value:.4f}")
        assert whole in (0, 3)
        assert whole or width < (88 if value > 1 else 80), f"the metric is there in {width} columns"
        assert str(value)[:4] not in text.replace(f" {value:.4f}", ""), "no number is broken"
        assert "1 finished" in lines[-1]


def test_a_low_screen_says_how_many_more_jobs_run() -> None:
    lines = table(100, 10, [job(i, (f"seed={i}",)) for i in range(12)], 0.5)
    assert len(lines) <= 10
    assert f"{12 - sum('seed=' in line for line in lines)} more running" in lines[-1]


@pytest.mark.parametrize("task", TASKS)
def test_the_line_of_a_job_fits(task: str) -> None:
    monitor = monitored(f"litmus.task.{task}.{task.capitalize()}")[0]
    result = JobResult("finished", {monitor: 0.98765, "val/loss": 0.123456})
    of = job(0, ("model.dropout=0.3", "optimizer.lr=0.001"), task)
    for width in range(40, 121, 4):
        line = job_line("[  1/200] finished   ", of, result, "  12.3 s", width)
        assert monitor in line
        assert cell_len(line) <= width or line.endswith(of.label), "which the screen breaks between words"
        assert line.endswith((of.label, "  dropout=0.3 lr=0.001"))
        assert set(re.findall(r"\d\.\d{3,}", line)) <= {"0.9877", "0.9876", "0.1235", "0.001"}
    assert f"{monitor} 0.9877  val/loss 0.1235" in line or f"{monitor} 0.9876  val/loss 0.1235" in line


@pytest.mark.parametrize("width", [40, 60, 80])
def test_paths_and_overrides_are_not_broken_in_a_terminal(width: int) -> None:
    file = io.StringIO()
    screen = Screen(file=file, force_terminal=True, color_system=None, width=width, highlight=False)
    reporter = SweepReporter(1, screen)
    reporter.report_start(job())
    reporter.report_result(job(), JobResult("failed", error=f"There is no file {LONG[1]}: name one."), False)
    words = file.getvalue().split()
    assert LONG[1] in words
    assert LONG[1] + ":" in words
    assert "outputs/sweeps/s/0" in words


def trial(number: int) -> Job:
    found = {"model.dropout": 0.12345678901234567, "optimizer.lr": 0.0004567890123456, "model.l2": 1.234567890123e-05}
    shown = tuple(f"{key}={value:.3g}" for key, value in found.items())
    typed = tuple(f"{key}={value!r}" for key, value in found.items())
    return replace(job(number, typed), name=f"trial {number}", shown=shown)


@pytest.mark.parametrize("begin", ["", "[  1/200] finished   "])
def test_a_trial_keeps_its_number_and_metric_and_loses_values_from_the_right(begin: str) -> None:
    result = JobResult("finished", {"val/acc": 0.98765, "val/loss": 0.123456})
    values = ["dropout=0.123", "lr=0.000457", "l2=1.23e-05"]
    kept = []
    for width in range(120, 47, -4):
        line = job_line(begin, trial(17), result, "", width)
        assert cell_len(line) <= width
        assert "val/acc 0.9876" in line or "val/acc 0.9877" in line
        assert "trial 17" in line
        kept.append([value for value in values if value in line])
        assert kept[-1] == values[: len(kept[-1])]
        assert "12345678" not in line
    assert kept[0] == values
    assert len(kept[-1]) < 3
    assert trial(17).label == "trial 17 model.dropout=0.123 optimizer.lr=0.000457 model.l2=1.23e-05"


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_metric_of_a_job_stays_in_any_width(width: int) -> None:
    line = job_line("", job(), JobResult("finished", {"val/acc": 0.98765, "val/loss": 0.123456}), "", width)
    assert "val/acc 0.987" in line
    assert all(text in line for text in ("convolutions=2", "autumn.csv", "lr=0.001", "seed=17"))
