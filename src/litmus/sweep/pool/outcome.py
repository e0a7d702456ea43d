"""How a job ended, from what its folder and the system say."""

import signal
from collections.abc import Mapping

from litmus.config.keys import choice
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.sweep.pool.job import Job, JobResult


def collect(job: Job, code: int, seconds: float, timeout_s: float | None, stop_reason: str | None) -> JobResult:
    """The result of a job whose process has ended. Writes `result.json` for a run that could not do so itself.

    Args:
        job: the job.
        code: its exit status; negative, the signal that killed it.
        seconds: how long it ran.
        timeout_s: the seconds that it was allowed, if it was stopped for exceeding them.
        stop_reason: why the sweep stops, if it does.
    """
    run = RunDir(job.folder)
    try:
        result = run.read_result()
    except UserError as error:
        return JobResult("failed", error=str(error), seconds=seconds)
    if timeout_s is not None and (result is None or result["status"] == "interrupted"):
        return _record_failure(run, job, result, seconds, f"took longer than sweep.timeout_s={timeout_s:g}")
    if result is not None:
        why = stop_reason if stop_reason and result["status"] == "interrupted" else result["error"]
        return JobResult(result["status"], _null_as_nan(result["metrics"]), why, seconds)
    if code in (-signal.SIGINT, -signal.SIGTERM) or (stop_reason and code == -signal.SIGKILL):
        return JobResult("interrupted", error=stop_reason or _describe(code), seconds=seconds)
    return _record_failure(run, job, result, seconds, _describe(code))


def read(job: Job) -> JobResult | None:
    """The result in the job's folder, if there is one."""
    try:
        result = RunDir(job.folder).read_result()
    except UserError:
        return None  # damaged: the job is run again, and writes a new one
    if result is None:
        return None
    return JobResult(result["status"], _null_as_nan(result["metrics"]), result.get("error"))


def _record_failure(run: RunDir, job: Job, result: Section | None, seconds: float, error: str) -> JobResult:
    record = result or {
        "metrics": {},
        "best_epoch": None,
        "model": choice(job.config, "model"),
        "data": choice(job.config, "data"),
        "seed": job.config["seed"],
        "epochs": (run.read_metrics() or [{"epoch": 0}])[-1]["epoch"],
        "seconds": {"fit": round(seconds, 3)},
        "dataset": None,
    }
    run.path.mkdir(parents=True, exist_ok=True)
    if run.read_requested() is None:  # the process ended before it wrote it
        run.write_requested(job.config)
    run.write_config(job.config, only_if_missing=True)  # or before the data was there
    run.write_result({**record, "status": "failed", "error": error})
    return JobResult("failed", _null_as_nan(record["metrics"]), error, seconds)


def _describe(code: int) -> str:
    if code >= 0:
        return f"the process ended with exit status {code} and without a result"
    name = signal.Signals(-code).name
    why = ": out of memory?" if name == "SIGKILL" else ""
    return f"the process was killed by {name}{why}"


def _null_as_nan(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Metrics as they were: JSON has no NaN, so `result.json` holds null instead."""
    return {name: float("nan") if value is None else value for name, value in metrics.items()}
