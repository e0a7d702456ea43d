"""How a job ended, from what its folder and the system say."""

import signal
from typing import Any

from litmus.config.keys import choice
from litmus.errors import UserError
from litmus.record.folder import ENDED, RunDir
from litmus.sweep.pool.job import Ended, Job


def of(job: Job, code: int, seconds: float, overtime: float | None, stopped: str | None) -> Ended:
    """What became of a job whose process has ended; a run that could not say so itself gets its `result.json`.

    Args:
        job: the job.
        code: its exit status; negative, the signal that killed it.
        seconds: that it ran.
        overtime: the seconds that it was allowed, if it was stopped for taking longer.
        stopped: why the sweep stops, if it does.
    """
    run = RunDir(job.folder)
    try:
        result = run.read_result()
    except UserError as refused:
        return Ended("failed", error=str(refused), seconds=seconds)
    if overtime is not None and (result is None or result["status"] == "interrupted"):
        return _failed(run, job, result, seconds, f"took longer than sweep.timeout_s={overtime:g}")
    if result is not None:
        why = stopped if stopped and result["status"] == "interrupted" else result["error"]
        return Ended(result["status"], _numbers(result["metrics"]), why, seconds)
    if code in (-signal.SIGINT, -signal.SIGTERM) or (stopped and code == -signal.SIGKILL):
        return Ended("interrupted", error=stopped or _how(code), seconds=seconds)
    return _failed(run, job, result, seconds, _how(code))


def known(job: Job) -> Ended | None:
    """How the job had ended before, if it need not be run (again)."""
    ended = read(job)
    return ended if ended is not None and ended.status in ENDED else None


def read(job: Job) -> Ended | None:
    """What the job's folder says of its end, if anything."""
    try:
        result = RunDir(job.folder).read_result()
    except UserError:
        return None  # damaged: it is run again, and written anew
    return None if result is None else Ended(result["status"], _numbers(result["metrics"]), result.get("error"))


def _failed(run: RunDir, job: Job, result: dict[str, Any] | None, seconds: float, error: str) -> Ended:
    said = result or {
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
    if run.read_requested() is None:  # it did not come so far
        run.write_requested(job.config)
        run.write_config(job.config)
    run.write_result({**said, "status": "failed", "error": error})
    return Ended("failed", _numbers(said["metrics"]), error, seconds)


def _how(code: int) -> str:
    if code >= 0:
        return f"the process ended with exit status {code} and without a result"
    name = signal.Signals(-code).name
    why = ": out of memory?" if name == "SIGKILL" else ""
    return f"the process was killed by {name}{why}"


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float("nan") if value is None else value for name, value in metrics.items()}
