"""Run folders as training leaves them, without training: real configurations, made-up numbers."""

import functools
import json
import math
import os
from pathlib import Path
from typing import Any

from helpers import composed

from litmus.record.folder import RunDir

TESTED = {"val/acc": "test/acc", "val/loss": "test/loss", "val/rmse": "test/rmse", "val/f1": "test/f1"}


@functools.cache
def _composed(*overrides: str) -> str:
    return json.dumps(composed(*overrides))


def made(
    folder: Path,
    *overrides: str,
    value: float = 0.9,
    seed: int = 0,
    status: str | None = "finished",
    metric: str = "val/acc",
    epochs: int = 4,
    ended: float | None = None,
    log: str = "INFO litmus.run.train: precision 32\n",
    changes: dict[str, Any] | None = None,
    resolved: dict[str, Any] | None = None,
    changes_on_resume: list[dict[str, Any]] | None = None,
    **more: Any,
) -> Path:
    """Makes one run folder.

    Args:
        folder: where.
        overrides: as on the command line.
        value: of the metric at the best epoch, which is the last.
        epochs: that it trained; 0 for a run that has not come so far.
        status: None for a run that has not ended.
        ended: when, in seconds since the epoch.
        changes: to the configuration, by the names of sections: `{"optimizer": {"lr": 0.1}}`.
        resolved: what followed from the data, written like `changes`; not None gives the run a `requested.yaml`
            without it, as a sweep's jobs have.
        changes_on_resume: as result.json has them in `changes`.
        more: entries of result.json.
    """
    config = json.loads(_composed(*overrides))
    config["seed"] = seed
    for section, values in (changes or {}).items():
        config[section] |= values
    run = RunDir(folder)
    if resolved is not None:
        run.write_requested(config)
    for section, values in (resolved or {}).items():
        config[section] |= values
    run.write_config(config)
    run.checkpoints.mkdir()
    run.log.write_text(log)
    sign = -1 if metric.endswith(("rmse", "loss")) else 1
    rows = []
    for epoch in range(1, epochs + 1):
        now = value - sign * 0.2 * value * (math.exp(1 - epoch) - math.exp(1 - epochs))
        losses = {"train/loss": 1 / epoch, "val/loss": 1.1 / epoch}
        rows.append({"epoch": epoch, "step": epoch * 100, **losses, metric: now})
    if rows:
        run.write_metrics(rows)
    if status is None:
        return folder
    last = rows[-1] if rows else {}
    kept = {name: number for name, number in last.items() if name not in ("epoch", "step")}
    tested = {TESTED[name]: number - 0.01 * sign for name, number in kept.items() if name in TESTED}
    result = {
        "status": status,
        "error": None,
        "metrics": {**kept, **(tested if status == "finished" else {})},
        "best_epoch": epochs,
        "model": "fnn",
        "data": "mnist",
        "seed": seed,
        "epochs": epochs,
        "steps": epochs * 100,
        "seconds": {"startup": 1.0, "fit": 8.0, "test": 1.0},
        "dataset": {"source": "disk", "train": 5, "val": 5, "test": 5, "sha256": {"a": "b"}, "warning": None},
        "git": {"commit": "abc", "changed": False},
    }
    run.write_result(result | {"changes": changes_on_resume or []} | more)
    if ended is not None:
        os.utime(folder / "result.json", (ended, ended))
    return folder
