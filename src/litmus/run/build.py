"""The objects of a run, built out of its configuration and its data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightning.pytorch as lightning
import torch
from omegaconf import OmegaConf

from litmus import console
from litmus.config.instantiate import _settings, _target, build
from litmus.config.keys import CONF, choice
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.spec import Boxes, Classes, Images, Input, Series, Spec, Tokens, Values
from litmus.task._base import Task
from litmus.trainer import Hardware

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
            raise UserError(
                f"The run read {data.spec.input.noun} and answers with {data.spec.target.noun}; this data gives "
                f"{asked.input.noun} and asks for {asked.target.noun}."
            )
        _refuse_other_shapes(data.spec, asked)
    else:
        data.spec = replace(data.spec, input=_wanted(config["model"], data))
    data.setup()
    config["task"] = _fitting_task(config["task"], data.spec)
    return data


def _wanted(model: Section, data: Any) -> Input:
    """The data's input as the network wants it."""
    read, net = data.spec.input, _target(model)
    net.check_fits(data.spec)  # before a long time is spent on photos
    if isinstance(read, Tokens):
        return net.token_spec(_settings(model), data.training_texts) or read
    return net.image_spec(_settings(model), read) if isinstance(read, Images) else read


def _refuse_other_shapes(known: Spec, asked: Spec) -> None:
    sizes = []
    for spec in (known, asked):
        length = spec.input.length if isinstance(spec.input, Series) else None
        sizes.append((length, len(spec.target.names) if isinstance(spec.target, Values) else None))
    if sizes[0] != sizes[1]:
        raise UserError(
            f"The run read {sizes[0][0] or 'texts'} and answers with {sizes[0][1]} values; this data gives "
            f"{sizes[1][0] or 'texts'} and asks for {sizes[1][1]}. data.window and data.horizon belong to the run."
        )


def _fitting_task(section: Section, spec: Spec) -> Section:
    """The task that answers with the data's target: the section itself, or the fitting one's defaults.

    Raises:
        UserError: the section has values of its own, which would be lost.
    """
    name = TASKS[type(spec.target)]
    had = choice({"task": section}, "task")
    if had == name:
        return section
    own = {key: value for key, value in section.items() if value != _task_defaults(had).get(key)}
    if own:
        raise UserError(
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
        UserError: data, network and device do not go together, or one of them is not to be had.
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
