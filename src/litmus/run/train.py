"""One run, from its configuration to its result: trains, tests, and says how it went."""

import logging
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as lightning
import torch

from litmus import console
from litmus.callback.doctor import Doctor
from litmus.callback.interrupt import Interrupt
from litmus.config import protocols
from litmus.config.fit import settled_task
from litmus.config.keys import choice
from litmus.config.preflight import check_batch_size, num_processes
from litmus.config.types import BALANCE, Section
from litmus.errors import Diverged, Interrupted, UserError, first_line
from litmus.record import disk
from litmus.record.checkpoint import Checkpoint, load_checkpoint, newest_checkpoint
from litmus.record.files import link
from litmus.record.folder import RunDir
from litmus.record.signals import pass_on, stopping_at_once
from litmus.run import baselines, batch_size, compiled, ddp, memory, page, summary
from litmus.run.build import Parts, assemble, for_testing, hardware_for, prepare, resolve
from litmus.run.changes import History, changes_since, trained_with
from litmus.run.divergence import divergence_of
from litmus.run.environment import code_diff, environment
from litmus.run.launched import Leader
from litmus.run.limits import limits_of
from litmus.run.result import Ending, Outcome, RunState, ending_of, result_of
from litmus.trainer import Hardware, tune

log = logging.getLogger(__name__)

OUTPUTS = Path("outputs")
MOST_ROLLBACKS = 3


class _Beginning(lightning.Callback):
    """Notes that the training begins; from there on, a result that the run had is not one of its weights."""

    def __init__(self, run: RunDir, state: RunState) -> None:
        self.run, self.state = run, state

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Not when Lightning says that the training starts: some of a checkpoint is restored after that."""
        if not self.state.begun:
            self.state.begun = True
            self.run.remove_result()


def train(
    run: RunDir,
    config: Section,
    started: float,
    callbacks: Sequence[lightning.Callback] = (),
    command: str = "",
    is_job: bool = False,
    leader: Leader | None = None,
) -> Outcome:
    """Trains and tests one run in its folder, or resumes it; what goes wrong is said and stored, not raised.

    Args:
        run: the folder, locked by the caller.
        config: of the run, as requested; it is not changed.
        started: `time.perf_counter()` when the job began, before torch was imported.
        callbacks: that are not part of the configuration.
        command: as typed, to be written down.
        is_job: whether it is one of a sweep's: those leave `outputs/latest` to the runs that are typed one by one.
        leader: to the other processes, where a launcher has started them.
    """
    state = RunState(config)
    ending = Ending("finished")
    try:
        with stopping_at_once():
            _train_and_test(run, state, started, callbacks, command, is_job, leader)
    except (Exception, KeyboardInterrupt, SystemExit) as raised:
        error = leader.explained(raised, run) if leader else raised
        error = compiled.explained(disk.explained(error, run.path))
        error = memory.explained(error, state.config, training=state.parts is not None)
        ending = ending_of(error)
        if ending.status in ("failed", "diverged"):
            details = traceback.format_exc().rstrip()
            log.info("failed: %s", ending.sentence if ending.traceback == "nowhere" else f"\n{details}")
            console.error(details, wrap=False) if ending.traceback == "screen" else console.error(str(ending.sentence))
    refused = not state.begun and ending.status == "failed" and ending.traceback == "nowhere"
    if not state.begun and ending.status != "finished" and run.read_result() is not None:
        return Outcome(ending.status, ending.sentence, refused)  # its earlier result still stands
    try:
        run.write_config(state.config, only_if_missing=True)
        if doctor := state.parts.callback(Doctor) if state.parts else None:
            run.write_health(doctor.to_plain())
        result = result_of(run, ending, state)
        run.write_result(result)
    except OSError as error:
        console.error(f"{run.path} has no result: {disk.explained(error, run.path)}")
        return Outcome("failed", str(error), refused=False)
    for each in [*state.parts.callbacks, *state.parts.loggers] if state.parts else []:
        each.on_result(run, result)
    page.finish(run, state, result, is_job or ending.status == "interrupted")
    if not refused:
        summary.result(run, result)
    if ending.received is not None:
        pass_on(ending.received)
    return Outcome(ending.status, ending.sentence, refused)


def _train_and_test(
    run: RunDir,
    state: RunState,
    started: float,
    callbacks: Sequence[lightning.Callback],
    command: str,
    is_job: bool,
    leader: Leader | None,
) -> None:
    requested = state.config
    hardware = hardware_for(requested)
    tune(requested["trainer"], hardware.accelerator)  # before the GPU is used: what follows may try batch sizes
    check_batch_size(requested)
    run.remove_temporaries()
    run.write_environment(environment(command, hardware), code_diff())
    path = newest_checkpoint(run)
    checkpoint = load_checkpoint(path) if path else None
    data = state.data = _read(run, requested, checkpoint)
    config = _resolve(state, data, hardware)
    if checkpoint:
        state.changes = changes_since(checkpoint, run.read_config(), config)
        summary.changes(state.changes, checkpoint.step)
        console.say(f"resumes after step {checkpoint.step:,}")
    run.write_config(config)
    callbacks = [History(trained_with(config), state.changes), _Beginning(run, state), *callbacks]
    with leader.started(run) if leader else ddp.started(run, config["trainer"]["devices"]) as meet:
        parts = state.parts = assemble(run, config, data, checkpoint, callbacks)
        if checkpoint and path:
            checkpoint.load_into(parts.net, path)
        memory.check(config, parts.net, data.sizes["train"], hardware)
        log.info("precision %s: %s", hardware.precision, hardware.reason)
        summary.parts(parts, hardware)
        data.measure_baselines = cache(partial(_measure_baselines, state))
        if not is_job:
            run.point_latest(OUTPUTS)  # not before: a run that is refused should not hide the one before it
        state.seconds["startup"] = round(time.perf_counter() - started, 3)
        with _timed(state, "fit"):
            meet()
            parts = _fit_with_rollbacks(run, state, path, callbacks)
    with _timed(state, "test"):
        _test_best(run, state, parts, checkpoint, is_job)


def _read(run: RunDir, requested: Section, checkpoint: Checkpoint | None) -> protocols.Data:
    """The data, with what is to be said of them.

    Raises:
        UserError: they are not those that the checkpoint was trained on.
    """
    with console.doing(f"reading data={choice(requested, 'data')}"):
        data = prepare(requested, checkpoint)
    if checkpoint and checkpoint.sha256 is not None and checkpoint.sha256 != data.sha256:
        names = ", ".join(checkpoint.sha256)
        raise UserError(f"The data is not what {run.path} was trained on: {names} changed since.")
    if requested["reproduce"] is not None:
        _warn_of_other_data(RunDir(requested["reproduce"]), data)
    is_balanced = requested["task"].get("balanced", False)
    concerns = [each for each in data.concerns if not (is_balanced and each.endswith(BALANCE))]
    for sentence in [*([data.warning] if data.warning else []), *concerns]:
        log.warning(sentence)
    return data


def _resolve(state: RunState, data: protocols.Data, hardware: Hardware) -> Section:
    """Completes the configuration by what the data and the hardware decide, and says what was not typed."""
    requested = state.config
    config = state.config = resolve(requested, data)
    if config["task"]["_target_"] != requested["task"]["_target_"] or settled_task(config["data"]) is None:
        target = data.spec.target.noun
        console.say(f"task={choice(config, 'task')}: data={data.spec.data} has {target} as its target", wrap=True)
    if config["data"]["batch_size"] == "auto":
        data.batch_size = batch_size.find(config, data, hardware)
        config = state.config = resolve({**config, "data": {**config["data"], "batch_size": data.batch_size}}, data)
        steps = f"{data.num_batches:,} step{'s' * (data.num_batches != 1)}"
        console.say(f"data.batch_size=auto: {data.batch_size:,} fits, {steps} an epoch")
    return config


def _test_best(run: RunDir, state: RunState, parts: Parts, checkpoint: Checkpoint | None, is_job: bool) -> None:
    """Tests the best epoch, in one process, so that `litmus evaluate` gives the same digits."""
    together = num_processes(state.config["trainer"]) > 1
    if together:
        _release(parts)
    state.tested = assemble(run, for_testing(state.config), parts.data, checkpoint) if together else parts
    state.gathered = page.gather(state.tested, keeps_all=not is_job)
    with console.doing("testing the best epoch"):
        state.test = test(run, state.tested, run.best)
    if together:
        for logger in parts.trainer.loggers:
            logger.log_metrics(state.test, parts.trainer.global_step)
            logger.save()


def _release(parts: Parts) -> None:
    """Frees what only steps need: beside it, a network in shards may not fit on the device that tests it whole."""
    for optimizer in parts.trainer.optimizers:
        optimizer.zero_grad()
        optimizer.state.clear()


def _warn_of_other_data(original: RunDir, data: protocols.Data) -> None:
    before = ((original.read_result() or {}).get("dataset") or {}).get("sha256") or {}
    if changed := [name for name in before if data.sha256.get(name) != before[name]]:
        log.warning(
            "%s was trained on other data: %s changed since, so the two runs will differ.",
            original.path,
            ", ".join(changed),
        )


def _measure_baselines(state: RunState) -> protocols.Baselines:
    """What needs no network, once for the data and split; the seconds that it takes are the run's own figure."""
    assert state.parts is not None
    begin = time.perf_counter()
    log.info("fitting the baselines ...")
    with torch.inference_mode(False):  # in which validation runs: what the data keeps is for training, too
        try:
            state.baselines = baselines.measure(
                state.parts.data, cast(protocols.Task, state.parts.task), state.config["data"].get("dir")
            )
        except Exception as error:  # a comparison that cannot be made must not cost the epoch that was trained
            log.warning("There are no baselines.", exc_info=True)
            note = f"There are no baselines: {type(error).__name__}: {first_line(error)}"
            state.baselines = baselines.Measured(notes=[note])
    taken = time.perf_counter() - begin
    state.seconds["baselines"] = round(taken, 3)
    limits_of(state.parts.trainer).leave_out(taken)
    summary.baselines(state.baselines)
    return state.baselines.metrics


@contextmanager
def _timed(state: RunState, what: str) -> Iterator[None]:
    """Notes how long the body takes, without the baselines, which may be measured in it."""
    begin, before = time.perf_counter(), state.seconds.get("baselines", 0.0)
    try:
        yield
    finally:
        baselines_s = state.seconds.get("baselines", 0.0) - before
        state.seconds[what] = round(time.perf_counter() - begin - baselines_s, 3)


def _fit_with_rollbacks(
    run: RunDir, state: RunState, path: Path | None, callbacks: Sequence[lightning.Callback]
) -> Parts:
    """Trains; where `trainer.on_divergence=rollback`, up to three times again from the end of the last epoch.

    Raises:
        Diverged: the training did, and no more is to be tried.
    """
    assert state.parts is not None
    assert state.data is not None
    action = state.config["trainer"]["on_divergence"]
    while True:
        try:
            fit(state.parts, path)
            return state.parts
        except Diverged as diverged:
            rollbacks = divergence_of(state.parts.trainer).rollbacks
            if action != "rollback" or len(rollbacks) == MOST_ROLLBACKS:
                raise
            path = _roll_back(run)
            checkpoint = load_checkpoint(path) if path else None
            step = checkpoint.step if checkpoint else 0
            console.say(f"{diverged}", style="yellow")
            where = f"step {step}" if checkpoint else "the start"
            times = f"{len(rollbacks) + 1} of {MOST_ROLLBACKS}"
            console.say(f"back to {where}, with half the learning rate ({times})", style="yellow")
            before = limits_of(state.parts.trainer)
            state.parts = assemble(run, state.config, state.data, checkpoint, callbacks)
            limits_of(state.parts.trainer).count_on(before)
            divergence_of(state.parts.trainer).rollbacks = [*rollbacks, {"diverged": diverged.step, "to": step}]
        except Exception as error:
            if state.begun or path is None or isinstance(error, UserError | OSError | Interrupted):
                raise
            log.info("%s could not be restored", path, exc_info=True)
            raise UserError(
                f"{path} is damaged, or another run's: {type(error).__name__}: {first_line(error)}. Without that file, "
                "the run goes on from the other checkpoint."
            ) from None


def _roll_back(run: RunDir) -> Path | None:
    """The checkpoint of the last epoch's end, which is now the newest; None before there is one."""
    if not run.rollback.is_file():
        run.last.unlink(missing_ok=True)
        return None
    link(run.rollback, run.last)
    return run.last


def fit(parts: Parts, checkpoint: Path | None, interruptible: bool = True) -> None:
    """Trains, from a checkpoint if there is one.

    Args:
        parts: of the run.
        checkpoint: its file.
        interruptible: whether signals stop it: of several processes, those that reach the first one.
    """
    interrupt = parts.callback(Interrupt) if interruptible else None
    data = cast(lightning.LightningDataModule, parts.data)
    with interrupt.watching() if interrupt else nullcontext():
        parts.trainer.fit(parts.task, datamodule=data, ckpt_path=checkpoint, weights_only=True)


def test(run: RunDir, parts: Parts, path: Path) -> dict[str, float]:
    """The test metrics of a checkpoint's weights.

    Raises:
        UserError: the run has no such weights.
    """
    if not path.is_file():
        raise UserError(f"{run.path} has no {path.name} to test: no epoch was finished.")
    parts.net.min_score = load_checkpoint(path).min_score
    interrupt = parts.callback(Interrupt)
    data = cast(lightning.LightningDataModule, parts.data)
    with interrupt.watching() if interrupt else nullcontext():
        (metrics,) = parts.trainer.test(parts.task, datamodule=data, ckpt_path=path, verbose=False, weights_only=True)
    return {name: float(value) for name, value in metrics.items()}
