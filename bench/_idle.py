"""Imported by a sweep's server: its jobs train nothing, so that what is left is the launcher's own cost."""

from typing import Any

from litmus.record.folder import RunDir
from litmus.sweep.pool import worker

RESULT = {
    "status": "finished",
    "error": None,
    "metrics": {"val/acc": 0.9, "val/loss": 0.3},
    "seconds": {"fit": 0.0},
    "dataset": None,
}


def write_result(run: RunDir, requested: dict[str, Any], *_: object, **__: object) -> str:
    """Does for a job what `start_or_resume` does, but for the training."""
    run.write_requested(requested)
    run.write_config(requested)
    run.write_result(RESULT | {"seed": requested["seed"]})
    return "finished"


vars(worker).update(start_or_resume=write_result, prepare=lambda _: None)
