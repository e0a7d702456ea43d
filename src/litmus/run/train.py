"""One run, from its configuration to its result: trains, tests, and says how it went."""

import logging
import math
import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import lightning.pytorch as lightning

from litmus import console
from litmus.callback.interrupt import Interrupt, pass_on, stopping_at_once
from litmus.config.keys import choice
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run import ddp, memory, summary
from litmus.run.build import Parts, assemble, for_testing, hardware_for, prepare, resolve
from litmus.run.result import Ending, Outcome, RunState, ending_of, result_of

log = logging.getLogger(__name__)

OUTPUTS = Path("outputs")


def train(run: RunDir, config: Section, started: float, callbacks: Sequence[lightning.Callback] = ()) -> Outcome:
    """Trains and tests one run in its folder, or resumes it; what goes wrong is said and stored, not raised.

    Args:
        run: the folder, locked by the caller.
        config: of the run, as requested; it is not changed.
        started: `time.perf_counter()` when the job began, before torch was imported.
        callbacks: that are not part of the configuration.
    """
    state = RunState(config)
    ending = Ending("finished")
    try:
        with stopping_at_once():
            _train_and_test(run, state, started, callbacks)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        ending = ending_of(memory.explained(error, state.config, training=state.parts is not None))
        if ending.status == "failed":
            details = traceback.format_exc().rstrip()
            log.info("failed: %s", ending.sentence if ending.traceback == "nowhere" else f"\n{details}")
            console.error(details if ending.traceback == "screen" else str(ending.sentence))
    if state.parts is None and run.read_result() is not None:
        return Outcome(ending.status, ending.sentence)  # it could not be resumed: its earlier result still stands
    run.write_config(state.config, only_if_missing=True)
    result = result_of(run, ending, state)
    _warn_if_diverged(result)
    run.write_result(result)
    for callback in state.parts.callbacks if state.parts else []:
        callback.on_result(run, result)
    summary.result(run, result)
    if ending.received is not None:
        pass_on(ending.received)
    return Outcome(ending.status, ending.sentence)


def _train_and_test(run: RunDir, state: RunState, started: float, callbacks: Sequence[lightning.Callback] = ()) -> None:
    requested = state.config
    devices = requested["trainer"]["devices"]
    hardware = hardware_for(requested)
    _check_batch_size(requested, devices)
    checkpoint = load_checkpoint(run.last) if run.last.is_file() else None
    data = state.data = prepare(requested, checkpoint)
    if checkpoint and checkpoint.sha256 is not None and checkpoint.sha256 != data.sha256:
        names = ", ".join(checkpoint.sha256)
        raise UserError(f"The data is not what {run.path} was trained on: {names} changed since.")
    if data.warning:
        log.warning(data.warning)
    config = state.config = resolve(requested, data)
    if config["task"]["_target_"] != requested["task"]["_target_"]:
        console.say(f"task={choice(config, 'task')}: data={data.spec.data} has {data.spec.target.noun} as its target")
    run.write_config(config)
    with ddp.started(run, devices):
        parts = state.parts = assemble(run, config, data, checkpoint, callbacks)
        memory.check(config, parts.net, data.sizes["train"], hardware)
        log.info("precision %s: %s", hardware.precision, hardware.reason)
        summary.parts(parts, hardware)
        run.point_latest(OUTPUTS)  # not before: a run that is refused should not hide the one before it
        begin = time.perf_counter()
        state.seconds["startup"] = round(begin - started, 3)
        try:
            fit(run, parts)
        finally:
            state.seconds["fit"] = round(time.perf_counter() - begin, 3)
    begin = time.perf_counter()
    if devices > 1:  # one process tests, so that `litmus evaluate` gives the same digits
        state.test = test(run, assemble(run, for_testing(config), data, checkpoint))
        if parts.trainer.logger:
            parts.trainer.logger.log_metrics(state.test, parts.trainer.global_step)
    else:
        state.test = test(run, parts)
    state.seconds["test"] = round(time.perf_counter() - begin, 3)


def _check_batch_size(config: Section, devices: int) -> None:
    batch_size = config["data"].get("batch_size", devices)
    if batch_size % devices:
        raise UserError(
            f"data.batch_size={batch_size} cannot be divided evenly among trainer.devices={devices} processes."
        )


def _warn_if_diverged(result: Section) -> None:
    lost = [name for name, value in result["metrics"].items() if not math.isfinite(value)]
    if lost:
        log.warning(
            "%s: not a number. The training diverged: try a lower optimizer.lr, or trainer.gradient_clip=1.",
            ", ".join(lost),
        )


def fit(run: RunDir, parts: Parts) -> None:
    """Trains, from the last checkpoint if there is one."""
    interrupt = parts.callback(Interrupt)
    last = run.last if run.last.is_file() else None
    data = cast(lightning.LightningDataModule, parts.data)
    with interrupt.watching() if interrupt else nullcontext():
        parts.trainer.fit(parts.task, datamodule=data, ckpt_path=last, weights_only=True)


def test(run: RunDir, parts: Parts) -> dict[str, float]:
    """The test metrics of the best epoch's weights.

    Raises:
        UserError: the run has no such weights.
    """
    if not run.best.is_file():
        raise UserError(f"{run.path} has no {run.best.name} to test: no epoch was finished.")
    parts.net.min_score = load_checkpoint(run.best).min_score
    interrupt = parts.callback(Interrupt)
    data = cast(lightning.LightningDataModule, parts.data)
    with interrupt.watching() if interrupt else nullcontext():
        (metrics,) = parts.trainer.test(
            parts.task, datamodule=data, ckpt_path=run.best, verbose=False, weights_only=True
        )
    return {name: float(value) for name, value in metrics.items()}
