"""What a sweep says of a job that ended."""

import io
import math
from pathlib import Path

import pytest
from helpers import composed
from rich.console import Console

from litmus.sweep.pool.job import Job, JobResult
from litmus.sweep.pool.sweep_reporter import SweepReporter


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
