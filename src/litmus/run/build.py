"""The objects of a run, built out of its configuration and its data, and what follows from the two."""

import logging
import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar, cast

import lightning.pytorch as lightning
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from litmus.config.epochs import Cut, cut_of, num_epochs
from litmus.config.fit import TASKS
from litmus.config.instantiate import build, defaults, settings, target
from litmus.config.keys import choice
from litmus.config.launch import alone
from litmus.config.protocols import Callback, Data, Net, RunLogger, Task
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.fetch import local
from litmus.record.checkpoint import Checkpoint
from litmus.record.folder import RunDir
from litmus.run import memory
from litmus.run.compiled import Compiler
from litmus.run.divergence import Divergence
from litmus.run.features import cached
from litmus.run.limits import Limits
from litmus.run.steps import shorten
from litmus.spec import Images, Input, Series, Spec, Tokens, Values
from litmus.trainer import Hardware, pick_hardware, tune

NEAR_A_PART = 0.05  # of itself, by which `trainer.val_check_interval` may be off a whole part without a word

Kind = TypeVar("Kind")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """The objects of a run; `callbacks` are those of its configuration, `tuned` says how its GPU was set up."""

    data: Data
    net: Net
    task: lightning.LightningModule
    trainer: lightning.Trainer
    callbacks: list[Callback]
    tuned: list[str]

    @property
    def loggers(self) -> list[RunLogger]:
        return cast(list[RunLogger], self.trainer.loggers)

    def callback(self, kind: type[Kind]) -> Kind | None:
        """The callback of that class, or None if it is switched off."""
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)


def prepare(config: Section, checkpoint: Checkpoint | None = None) -> Data:
    """The dataset, found, checked and split, with the input as the network takes it.

    Args:
        config: of the run.
        checkpoint: whose spec is kept, whatever the data says.

    Raises:
        UserError: the data is not available or not usable, or does not fit the network or the checkpoint.
    """
    data: Data = build(config["data"], config["seed"])
    data.prepare_data()
    if checkpoint is None:
        data.spec = replace(data.spec, input=_input_spec(config["model"], data))
    else:
        _check_same_kinds(checkpoint.spec, data.spec)
        data.spec = checkpoint.spec
    data.setup()
    return data


def resolve(config: Section, data: Data) -> Section:
    """The configuration with all that follows from data and device; the one that it is given stays as it is.

    Where the data fell back on something smaller than requested, `data.source` says so: whoever reads the
    configuration later gets the same data; `null`s that it found a value for are that value. The task is the one that
    predicts the data's target, and `trainer.precision` the one that is used.

    Raises:
        UserError: the task's section has values of its own, which would be lost; there is no such device.
    """
    resolved = deepcopy(config)
    if data.warning:
        resolved["data"]["source"] = data.source
    resolved["data"] |= data.chosen
    resolved["task"] = _fitting_task(config["task"], data.spec)
    resolved["trainer"]["precision"] = hardware_for(config).precision
    if config["data"]["batch_size"] != "auto":  # with which this is called again
        resolved["trainer"]["val_check_interval"] = _validation_interval(config, data)
    return resolved


def _validation_interval(config: Section, data: Data) -> float | None:
    """`trainer.val_check_interval` as a part of a pass: the nearest by which it is whole.

    Raises:
        UserError: a pass has fewer steps than it is to be validated times.
    """
    trainer = config["trainer"]
    interval = trainer["val_check_interval"]
    if interval is None:
        return None
    num_batches = data.num_batches_of(hardware_for(config).num_processes)
    num_batches = min(num_batches, trainer["limit_batches"] or num_batches)
    part = interval / num_batches if isinstance(interval, int) else interval
    epochs, accumulated = max(1, round(1 / part)), trainer["accumulate_grad_batches"]
    if epochs > Cut(per_step=accumulated).num_steps(num_batches):
        step = "a batch" if accumulated == 1 else f"a step, of {accumulated} batches"
        raise UserError(
            f"trainer.val_check_interval={interval:g} is less than {step}: a pass over the training data has "
            f"{num_batches:,} batches of {data.batch_size:,} samples."
        )
    if not math.isclose(epochs * part, 1, rel_tol=NEAR_A_PART):
        often = "once" if epochs == 1 else f"{epochs} times"
        of = f", of {num_batches:,} batches" if isinstance(interval, int) else ""
        log.warning(
            "trainer.val_check_interval=%g is no whole part of a pass%s: each is validated %s.", interval, of, often
        )
    return 1 / epochs if epochs > 1 else None


def hardware_for(config: Section) -> Hardware:
    """What a run of that configuration trains on.

    Raises:
        UserError: there is no such device.
    """
    return pick_hardware(config["trainer"], target(config["model"]).gains_from_bf16)


def _input_spec(model: Section, data: Data) -> Input:
    """The data's input as the network takes it."""
    given, net = data.spec.input, cast(type[Net], target(model))
    net.check_fits(data.spec)  # before a long time is spent on images
    if isinstance(given, Tokens):
        return net.token_spec(settings(model), data.training_texts) or given
    return net.image_spec(settings(model), given) if isinstance(given, Images) else given


def _check_same_kinds(trained: Spec, given: Spec) -> None:
    """Keeps a checkpoint away from data of another kind, window or horizon."""
    if type(given.input) is not type(trained.input) or type(given.target) is not type(trained.target):
        raise UserError(
            f"The run was trained on {trained.input.noun} to predict {trained.target.noun}; this data provides "
            f"{given.input.noun} and {given.target.noun}."
        )
    sizes = []
    for spec in (trained, given):
        length = spec.input.length if isinstance(spec.input, Series) else None
        sizes.append((length, len(spec.target.names) if isinstance(spec.target, Values) else None))
    if sizes[0] != sizes[1]:
        raise UserError(
            f"The run takes {sizes[0][0] or 'texts'} and predicts {sizes[0][1]} values; this data provides "
            f"{sizes[1][0] or 'texts'} and {sizes[1][1]}. data.window and data.horizon cannot change after training."
        )


def _fitting_task(section: Section, spec: Spec) -> Section:
    """The section of the task that predicts the data's target: the given one, or the fitting task's defaults.

    Raises:
        UserError: the section has values of its own, which would be lost.
    """
    name, given = TASKS[type(spec.target)], choice({"task": section}, "task")
    if given == name:
        return section
    own = {key: value for key, value in section.items() if value != defaults("task", given).get(key)}
    fitting = defaults("task", name)
    if lost := sorted(set(own) - set(fitting)):
        raise UserError(
            f"task.{lost[0]} is a key of task={given}, but data={spec.data} has {spec.target.noun} as its "
            f"target: task={name}."
        )
    return fitting | own


def assemble(
    run: RunDir,
    config: Section,
    data: Data,
    checkpoint: Checkpoint | None = None,
    callbacks: Sequence[lightning.Callback] = (),
) -> Parts:
    """Builds what trains and tests on `data`.

    Args:
        run: the folder.
        config: resolved.
        data: prepared.
        checkpoint: that will be loaded: the files that the network was made of are not needed again.
        callbacks: that are not part of the configuration; they come last.

    Raises:
        UserError: data, network and device do not fit together, or one of them is not available.
    """
    hardware = hardware_for(config)
    tuned = tune(config["trainer"], hardware.accelerator, isinstance(data.spec.input, Images))
    lightning.seed_everything(config["seed"], verbose=False)  # whatever the data drew, the weights are the same
    section = checkpoint.rebuilding(config["model"]) if checkpoint else config["model"]
    with memory.building(config, hardware):
        net: Net = build(section, data.spec)
    if checkpoint:
        net.min_score, net.errors = checkpoint.min_score, checkpoint.errors
    data.cut = cut_of(config["trainer"])
    data.frozen_part = net.frozen_part
    data.keep_features = partial(cached, local.cache_folder(config["data"].get("dir")) / "features")
    task = build(
        config["task"],
        net,
        lambda groups, fused: build(config["optimizer"], groups, fused),
        lambda optimizer, num_steps, mode: build(config["scheduler"], optimizer, num_steps, mode),
    )
    own = [built for section in config["callback"].values() if section is not None and (built := build(section))]
    divergence = Divergence(config["trainer"]["on_divergence"])
    step = 0 if checkpoint is None else checkpoint.step + 1  # one that was killed may have logged, and kept nothing
    loggers = rank_zero_only(_loggers, [])(run, config["logger"], step)
    # Where nobody asked, nothing is added to the steps of a short training.
    compiler = [] if config["trainer"]["compile"] is False else [Compiler(config["trainer"])]
    settings = {**config["trainer"], "max_epochs": num_epochs(config["trainer"])}
    trainer = build(settings, run, [divergence, Limits(config["trainer"], data), *compiler, *own, *callbacks], loggers)
    shorten(trainer)
    if cast(Task, task).min_gain is not None and checkpoint is None:
        trainer.num_sanity_val_steps = math.inf  # the whole validation split, as epoch 0
    torch.manual_seed(config["seed"] + trainer.global_rank)  # dropout differs between processes
    return Parts(data, net, task, trainer, own, tuned)


def _loggers(run: RunDir, section: Section, step: int) -> list[Logger]:
    return [build(own, run, step) for own in section.values() if own is not None]


def for_testing(config: Section) -> Section:
    """The same configuration in one process that writes nothing; what is about a training's course is left out."""
    trainer = {**alone(config["trainer"]), "val_check_interval": None}
    return {**config, "callback": {}, "logger": {}, "trainer": trainer}
