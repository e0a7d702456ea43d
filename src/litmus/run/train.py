"""From a configuration to a run folder: build, train, test, and say how it went.

The only module that knows Hydra's configuration; what it hands on are plain Python values.
"""

import logging
import math
import signal
import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.utilities.exceptions import SIGTERMException

from litmus import console
from litmus.callback.interrupt import Interrupt, Interrupted, pass_on, stopping_at_once
from litmus.config.types import Section
from litmus.errors import Pruned, UserError
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run import ddp, summary
from litmus.run.build import Parts, _alone, assemble, prepared
from litmus.run.result import result_of
from litmus.trainer import find_device

log = logging.getLogger(__name__)

OUTPUTS = Path("outputs")


@dataclass
class Outcome:
    """How a run ended, how far it came, and how long its parts took."""

    status: str = "finished"
    error: str | None = None
    data: Any = None
    parts: Parts | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)


def train(run: RunDir, config: Section, started: float, watching: Sequence[lightning.Callback] = ()) -> str:
    """Trains and tests one run in its folder; what goes wrong is said, and stored, not raised.

    Args:
        run: the folder.
        config: of the run.
        started: as in `run_job`.
        watching: callbacks that are not part of the configuration.

    Returns:
        The status: finished, pruned, interrupted or failed.
    """
    outcome, received = Outcome(), None
    try:
        with stopping_at_once():
            _train_and_test(run, config, outcome, started, watching)
    except (Interrupted, KeyboardInterrupt, SIGTERMException) as interruption:
        # The last is Lightning's, which looks at an epoch's end, before our callback does.
        usual = signal.SIGTERM if isinstance(interruption, SIGTERMException) else signal.SIGINT
        received = getattr(interruption, "received", usual)
        outcome.status, outcome.error = "interrupted", f"stopped by {received.name}"
    except Pruned as pruned:
        outcome.status, outcome.error = "pruned", str(pruned)
    except SystemExit as ending:
        if isinstance(ending.__context__, KeyboardInterrupt):  # Lightning makes one of Ctrl-C
            outcome.status, outcome.error = "interrupted", f"stopped by {signal.SIGINT.name}"
        else:
            outcome.status, outcome.error = "failed", f"SystemExit: something in the run called sys.exit({ending.code})"
            log.info("failed:\n%s", traceback.format_exc())
            console.error(outcome.error)
    except UserError as refused:
        outcome.status, outcome.error = "failed", str(refused)
        log.info("refused: %s", refused)
        console.error(str(refused))
    except Exception as error:
        outcome.status, outcome.error = "failed", f"{type(error).__name__}: {error}"
        log.info("failed:\n%s", traceback.format_exc())
        console.error(traceback.format_exc().rstrip())
    if outcome.parts is None and run.read_result() is not None:
        return outcome.status  # could not be gone on with: what it had reached before still stands
    result = result_of(run, config, outcome)
    _warn_if_diverged(result)
    run.write_result(result)
    for callback in outcome.parts.callbacks if outcome.parts else []:
        if hasattr(callback, "on_result"):
            callback.on_result(run, result)
    summary.result(run, result)
    if received is not None:
        pass_on(received)
    return outcome.status


def _train_and_test(
    run: RunDir, config: Section, outcome: Outcome, started: float, watching: Sequence[lightning.Callback] = ()
) -> None:
    devices = config["trainer"]["devices"]
    _refuse_early(config, devices)
    known = load_checkpoint(run.last) if run.last.is_file() else None
    outcome.data = prepared(config, known)
    if known is not None and known.get("sha256", outcome.data.facts["sha256"]) != outcome.data.facts["sha256"]:
        raise UserError(f"The data is not what {run.path} was training on: {', '.join(known['sha256'])} changed since.")
    if outcome.data.warning:
        log.warning(outcome.data.warning)
    run.write_config(config)
    with ddp.started(run, devices):
        parts = assemble(run, config, outcome.data, known, watching)
        outcome.parts = parts
        log.info("precision %s: %s", parts.hardware.precision, parts.hardware.why)
        config["trainer"]["precision"] = parts.hardware.precision
        run.write_config(config)  # what was chosen for the user stays chosen
        summary.parts(parts)
        run.point_latest(OUTPUTS)  # not before: a run that was refused should not hide the one before it
        begin = time.perf_counter()
        outcome.seconds["startup"] = round(begin - started, 3)
        try:
            fit(run, parts)
        finally:
            outcome.seconds["fit"] = round(time.perf_counter() - begin, 3)
    begin = time.perf_counter()
    if devices > 1:  # one process measures the test set, so that evaluating it again gives the same digits
        outcome.test = test(run, assemble(run, _alone(config), outcome.data, known))
        if parts.trainer.logger:
            parts.trainer.logger.log_metrics(outcome.test, parts.trainer.global_step)
    else:
        outcome.test = test(run, parts)
    outcome.seconds["test"] = round(time.perf_counter() - begin, 3)


def _refuse_early(config: Section, devices: int) -> None:
    """What no data is needed for to see."""
    find_device(config["trainer"]["accelerator"], devices, config["trainer"]["precision"])
    batch_size = config["data"].get("batch_size", devices)
    if batch_size % devices:
        raise UserError(f"data.batch_size={batch_size} cannot be divided among trainer.devices={devices} processes.")


def _warn_if_diverged(result: Section) -> None:
    lost = [name for name, value in result["metrics"].items() if not math.isfinite(value)]
    if lost:
        log.warning(
            "%s: not a number. The training diverged: try a lower optimizer.lr, or trainer.gradient_clip=1.",
            ", ".join(lost),
        )


def fit(run: RunDir, parts: Parts) -> None:
    """Trains, from the last whole epoch if there is one."""
    interrupt = parts.callback(Interrupt)
    last = run.last if run.last.is_file() else None
    with interrupt.watching() if interrupt else nullcontext():
        parts.trainer.fit(parts.task, datamodule=parts.data, ckpt_path=last, weights_only=True)


def test(run: RunDir, parts: Parts) -> dict[str, float]:
    """The test metrics of the best epoch's weights.

    Raises:
        UserError: the run has no such weights.
    """
    if not run.best.is_file():
        raise UserError(f"{run.path} has no {run.best.name} to test: no epoch was finished.")
    interrupt = parts.callback(Interrupt)
    with interrupt.watching() if interrupt else nullcontext():
        (metrics,) = parts.trainer.test(
            parts.task, datamodule=parts.data, ckpt_path=run.best, verbose=False, weights_only=True
        )
    return {name: float(value) for name, value in metrics.items()}
