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
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import OmegaConf

from litmus import console, ranks, report
from litmus.callback.interrupt import Interrupt, Interrupted, pass_on, stopping_at_once
from litmus.config.instantiate import Section, _settings, _target, build
from litmus.config.keys import CONF, choice
from litmus.config.validate import mistakes
from litmus.errors import Pruned, Refused
from litmus.record.checkpoint import recalled
from litmus.record.folder import ENDED, RunDir
from litmus.result import result_of
from litmus.resume import refuse_other
from litmus.spec import Boxes, Classes, Images, Input, Series, Spec, Tokens, Values
from litmus.task._base import Task
from litmus.trainer import Hardware, find_device

log = logging.getLogger(__name__)

OUTPUTS = Path("outputs")
TASKS = {Classes: "classification", Values: "regression", Boxes: "detection"}  # by what they answer with


@dataclass
class Parts:
    """The objects of a run."""

    data: Any
    net: Any
    task: Task
    trainer: lightning.Trainer
    hardware: Hardware
    callbacks: list[lightning.Callback]

    def callback(self, kind: type[Any]) -> Any:
        """The callback of that class, or None if it was switched off."""
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)


@dataclass
class Outcome:
    """How a run ended, how far it came, and how long its parts took."""

    status: str = "finished"
    error: str | None = None
    data: Any = None
    parts: Parts | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)


def continued(
    run: RunDir, asked: Section, choices: dict[str, str], started: float, words: str, *watching: lightning.Callback
) -> str:
    """A job of a sweep: begins its run, goes on with one that was interrupted or failed, or leaves a finished one be.

    Args:
        run: its folder.
        asked: the configuration that the sweep asks for.
        choices: of the groups.
        started: as in `run_job`.
        words: what is particular to the job, as typed.
        *watching: callbacks that are not part of the configuration.

    Returns:
        The status, as in `result.json`.

    Raises:
        Refused: the folder holds a run of another configuration.
    """
    refuse_other(run, asked)
    run.path.mkdir(parents=True, exist_ok=True)
    with run.locked(), console.recorded(run.log):
        result = run.read_result()
        if result is not None and result["status"] in ENDED:
            return str(result["status"])
        run.forget_result()
        config = deepcopy(asked)  # it learns what follows from the data
        if run.last.is_file():
            before = run.read_config()
            config = {**before, "callback": asked["callback"], "logger": asked["logger"]}
            if "dir" in asked["data"]:
                config["data"] = {**before["data"], "dir": asked["data"]["dir"]}
            log.info("going on: %s", words)
        else:
            run.write_asked(asked)
            run.write_config(asked)
            log.info("begins: %s", words)
        report.chosen(choices)
        return train(run, config, started, watching)


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
            console.complain(outcome.error)
    except Refused as refused:
        outcome.status, outcome.error = "failed", str(refused)
        log.info("refused: %s", refused)
        console.complain(str(refused))
    except Exception as error:
        outcome.status, outcome.error = "failed", f"{type(error).__name__}: {error}"
        log.info("failed:\n%s", traceback.format_exc())
        console.complain(traceback.format_exc().rstrip())
    if outcome.parts is None and run.read_result() is not None:
        return outcome.status  # could not be gone on with: what it had reached before still stands
    result = result_of(run, config, outcome)
    _warn_if_diverged(result)
    run.write_result(result)
    for callback in outcome.parts.callbacks if outcome.parts else []:
        if hasattr(callback, "on_result"):
            callback.on_result(run, result)
    report.result(run, result)
    if received is not None:
        pass_on(received)
    return outcome.status


def _train_and_test(
    run: RunDir, config: Section, outcome: Outcome, started: float, watching: Sequence[lightning.Callback] = ()
) -> None:
    devices = config["trainer"]["devices"]
    _refuse_early(config, devices)
    known = recalled(run.last) if run.last.is_file() else None
    outcome.data = prepared(config, known)
    if known is not None and known.get("sha256", outcome.data.facts["sha256"]) != outcome.data.facts["sha256"]:
        raise Refused(f"The data is not what {run.path} was training on: {', '.join(known['sha256'])} changed since.")
    if outcome.data.warning:
        log.warning(outcome.data.warning)
    run.write_config(config)
    with ranks.started(run, devices):
        parts = assemble(run, config, outcome.data, known, watching)
        outcome.parts = parts
        log.info("precision %s: %s", parts.hardware.precision, parts.hardware.why)
        config["trainer"]["precision"] = parts.hardware.precision
        run.write_config(config)  # what was chosen for the user stays chosen
        report.parts(parts)
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
        raise Refused(f"data.batch_size={batch_size} cannot be divided among trainer.devices={devices} processes.")


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


def follow(run: RunDir) -> None:
    """What a DDP run's other processes do: the same training, without a word."""
    config = run.read_config()
    known = recalled(run.last) if run.last.is_file() else None
    fit(run, assemble(run, config, prepared(config, known), known))


def test(run: RunDir, parts: Parts) -> dict[str, float]:
    """The test metrics of the best epoch's weights.

    Raises:
        Refused: the run has no such weights.
    """
    if not run.best.is_file():
        raise Refused(f"{run.path} has no {run.best.name} to test: no epoch was finished.")
    interrupt = parts.callback(Interrupt)
    with interrupt.watching() if interrupt else nullcontext():
        (metrics,) = parts.trainer.test(
            parts.task, datamodule=parts.data, ckpt_path=run.best, verbose=False, weights_only=True
        )
    return {name: float(value) for name, value in metrics.items()}


def evaluated(run: RunDir, config: Section, changes: list[str]) -> dict[str, float]:
    """The test metrics of a run folder's best weights; writes nothing.

    The network gets its inputs as in training: normalised by the facts that the checkpoint holds.

    Args:
        run: the folder.
        config: its configuration, with the changes made.
        changes: what was changed, as typed; without any, other data than the run's is refused.

    Raises:
        Refused: the configuration does not fit this version of litmus, there are no weights, or the
            data is not what the run was tested on.
    """
    if fixed := [change for change in changes if change.startswith(("model.", "data.size=", "data.colours="))]:
        raise Refused(
            f"The weights belong to the model as it was trained, and to the pictures that it reads: {fixed[0]} cannot "
            "be changed."
        )
    if wrong := mistakes(config):
        raise Refused("\n".join(wrong))
    if not run.best.is_file():
        raise Refused(f"{run.path} has no {run.best.name} to test: no epoch was finished.")
    known = recalled(run.best)
    data = prepared(config, known)
    before = ((run.read_result() or {}).get("dataset") or {}).get("sha256")
    if before is not None and before != data.facts["sha256"]:
        difference = f"{run.path} was tested on other data than this ({', '.join(changes) or data.source})."
        if all(change.startswith("data.dir=") for change in changes):
            raise Refused(f"{difference} data.dir=FOLDER says where the files are; data.source=... allows others.")
        log.warning(difference)
    if changes and "seen" in known and hasattr(data, "leave_out"):
        data.leave_out(known["seen"])
    return test(run, assemble(run, _alone(config), data, known))


def _alone(config: Section) -> Section:
    """The same in one process that leaves no trace."""
    quiet = {**config, "callback": {}, "logger": {"_target_": "litmus.logger.none"}}
    quiet["trainer"] = {**config["trainer"], "devices": 1}
    return quiet


def prepared(config: Section, known: Section | None = None) -> Any:
    """The datamodule, with its data found, checked and split; the configuration learns what followed from it.

    Where the data falls back on something smaller than it was asked for, the configuration is
    changed to say so: whoever reads it later gets the same data. The task is the one that the target asks for.

    Args:
        config: changed in place.
        known: what a checkpoint holds: its spec is kept, whatever the data says.
    """
    data = build(config["data"], config["seed"])
    data.prepare_data()
    if data.warning:
        config["data"]["source"] = data.source
    if known is not None:
        asked, data.spec = data.spec, Spec.from_plain(known["spec"])
        if type(asked.input) is not type(data.spec.input) or type(asked.target) is not type(data.spec.target):
            raise Refused(
                f"The run read {data.spec.input.noun} and answers with {data.spec.target.noun}; this data gives "
                f"{asked.input.noun} and asks for {asked.target.noun}."
            )
        _refuse_other_shapes(data.spec, asked)
    else:
        data.spec = replace(data.spec, input=_wanted(config["model"], data))
    data.settle()
    config["task"] = _fitting_task(config["task"], data.spec)
    return data


def _wanted(model: Section, data: Any) -> Input:
    """The data's input as the network wants it."""
    read, net = data.spec.input, _target(model)
    net.refuse_what_does_not_fit(data.spec)  # before a long time is spent on photos
    if isinstance(read, Tokens):
        return net.tokens(_settings(model), data.training_texts) or read
    return net.pictures(_settings(model), read) if isinstance(read, Images) else read


def _refuse_other_shapes(known: Spec, asked: Spec) -> None:
    sizes = []
    for spec in (known, asked):
        length = spec.input.length if isinstance(spec.input, Series) else None
        sizes.append((length, len(spec.target.names) if isinstance(spec.target, Values) else None))
    if sizes[0] != sizes[1]:
        raise Refused(
            f"The run read {sizes[0][0] or 'texts'} and answers with {sizes[0][1]} values; this data gives "
            f"{sizes[1][0] or 'texts'} and asks for {sizes[1][1]}. data.window and data.horizon belong to the run."
        )


def _fitting_task(section: Section, spec: Spec) -> Section:
    """The task that answers with the data's target: the section itself, or the fitting one's defaults.

    Raises:
        Refused: the section has values of its own, which would be lost.
    """
    name = TASKS[type(spec.target)]
    had = choice({"task": section}, "task")
    if had == name:
        return section
    own = {key: value for key, value in section.items() if value != _task_defaults(had).get(key)}
    if own:
        raise Refused(
            f"task.{next(iter(own))} is a key of task={had}; data={spec.data} asks for {spec.target.noun}: task={name}."
        )
    console.say(f"task={name}: data={spec.data} asks for {spec.target.noun}")
    return _task_defaults(name)


def _task_defaults(name: str) -> Section:
    return OmegaConf.to_container(OmegaConf.load(CONF / "task" / f"{name}.yaml"))  # type: ignore[return-value]


def assemble(
    run: RunDir,
    config: Section,
    data: Any,
    known: Section | None = None,
    watching: Sequence[lightning.Callback] = (),
) -> Parts:
    """Builds what trains and tests on `data`.

    Args:
        run: the folder.
        config: what to build.
        data: prepared.
        known: what a checkpoint holds that will be loaded: the files that the network was made of are not needed again.
        watching: callbacks that are not part of the configuration.

    Raises:
        Refused: data, network and device do not go together, or one of them is not to be had.
    """
    lightning.seed_everything(config["seed"], verbose=False)  # whatever the data drew, the weights are the same
    net = build({**config["model"], **(known or {}).get("model", {})}, data.spec)
    data.frozen_part = net.frozen_part
    task = build(
        config["task"],
        net,
        lambda groups, fused: build(config["optimizer"], groups, fused),
        lambda optimizer, num_steps, mode: build(config["scheduler"], optimizer, num_steps, mode),
    )
    callbacks = [built for section in config["callback"].values() if section is not None and (built := build(section))]
    callbacks += watching
    trainer, hardware = build(config["trainer"], run, net, callbacks, build(config["logger"], run.path))
    torch.manual_seed(config["seed"] + trainer.global_rank)  # dropout differs between processes
    return Parts(data, net, task, trainer, hardware, callbacks)
