"""From a configuration to a run folder: build, train, test, and say how it went.

The only module that knows Hydra's configuration; what it hands on are plain Python values.
"""

import importlib
import importlib.util
import logging
import signal
import time
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from litmus import ranks, report, screen
from litmus.callback.interrupt import Interrupt, Interrupted
from litmus.check import Refused, Seed, mistakes
from litmus.result import result_of
from litmus.resume import resumed
from litmus.rundir import RunDir
from litmus.task._base import Task
from litmus.trainer import Hardware

log = logging.getLogger(__name__)

Section = dict[str, Any]
OUTPUTS = Path("outputs")


def settings(
    *,
    model: dict[str, Any],
    data: dict[str, Any],
    task: dict[str, Any],
    optimizer: dict[str, Any],
    scheduler: dict[str, Any],
    trainer: dict[str, Any],
    callback: dict[str, Any],
    logger: dict[str, Any],
    seed: Seed,
    resume: str | None,
) -> None:
    """The keys of a configuration, at the top level; `litmus.check` reads them here."""


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
    """How a run ended, and how long its parts took."""

    status: str = "finished"
    error: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)


def run_job(composed: DictConfig, started: float) -> str:
    """Runs what Hydra composed, and returns the status that stands in `result.json`.

    Args:
        composed: the configuration, without Hydra's own part.
        started: `time.perf_counter()` when the job began, before torch was imported.
    """
    config: Section = OmegaConf.to_container(composed, resolve=True)  # type: ignore[assignment]
    hydra = HydraConfig.get()
    run = RunDir(_shortest(Path(hydra.runtime.output_dir)))
    overrides = list(hydra.overrides.task)
    if config["resume"] is None:
        run.claim(config)
    else:
        config = resumed(run, config, overrides)
        run.write_config(config)
    run.point_latest(OUTPUTS)
    with screen.recorded(run.log):
        choices = {str(group): str(name) for group, name in hydra.runtime.choices.items()}
        report.configuration(config, choices, _defaults(choices))
        return train(run, config, started)


def _defaults(choices: dict[str, str]) -> Section:
    """The configuration of these choices, when no key is set and no experiment chosen."""
    groups = [f"{group}={choices[group]}" for group in report.GROUPS]
    composed = GlobalHydra.instance().config_loader().load_configuration("train", groups, RunMode.RUN)
    with open_dict(composed):
        del composed["hydra"]
    return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]


def train(run: RunDir, config: Section, started: float) -> str:
    """Trains and tests one run in its folder; what goes wrong is said, and stored, not raised.

    Returns:
        The status: finished, interrupted or failed.

    Raises:
        KeyboardInterrupt: after an interrupted run's result was written, so that a multirun ends too.
    """
    outcome = Outcome()
    parts: Parts | None = None
    try:
        data = prepared(config)
        if data.warning:
            log.warning(data.warning)
        run.write_config(config)
        with ranks.started(run, config["trainer"]["devices"]):
            parts = assemble(run, config, data)
            log.info("precision %s: %s", parts.hardware.precision, parts.hardware.why)
            config["trainer"]["precision"] = parts.hardware.precision
            run.write_config(config)  # what was chosen for the user stays chosen
            report.parts(parts)
            _fit_and_test(run, parts, outcome, started)
    except (Interrupted, KeyboardInterrupt) as interruption:
        received = getattr(interruption, "received", signal.SIGINT)
        outcome.status, outcome.error = "interrupted", f"stopped by {received.name}"
    except Refused as refused:
        outcome.status, outcome.error = "failed", str(refused)
        log.info("refused: %s", refused)
        screen.complain(str(refused))
    except Exception as error:
        outcome.status, outcome.error = "failed", f"{type(error).__name__}: {error}"
        log.info("failed:\n%s", traceback.format_exc())
        screen.complain(traceback.format_exc().rstrip())
    result = result_of(config, parts, outcome)
    run.write_result(result)
    for callback in parts.callbacks if parts else []:
        if hasattr(callback, "on_result"):
            callback.on_result(run, result)
    report.result(run, result)
    if outcome.status == "interrupted":
        raise KeyboardInterrupt
    return outcome.status


def _fit_and_test(run: RunDir, parts: Parts, outcome: Outcome, started: float) -> None:
    interrupt = parts.callback(Interrupt)
    with interrupt.watching() if interrupt else nullcontext():
        _fit_then_test(run, parts, outcome, started)


def _fit_then_test(run: RunDir, parts: Parts, outcome: Outcome, started: float) -> None:
    begin = time.perf_counter()
    outcome.seconds["startup"] = round(begin - started, 3)
    last = run.last if run.last.is_file() else None
    try:
        parts.trainer.fit(parts.task, datamodule=parts.data, ckpt_path=last, weights_only=True)
    finally:
        outcome.seconds["fit"] = round(time.perf_counter() - begin, 3)
    begin = time.perf_counter()
    outcome.test = test(run, parts)
    outcome.seconds["test"] = round(time.perf_counter() - begin, 3)


def follow(run: RunDir) -> None:
    """What a DDP run's other processes do: the same training, without a word."""
    config = run.read_config()
    parts = assemble(run, config, prepared(config))
    _fit_and_test(run, parts, Outcome(), time.perf_counter())


def test(run: RunDir, parts: Parts) -> dict[str, float]:
    """The test metrics of the best epoch's weights.

    Raises:
        Refused: the run has no such weights.
    """
    if not run.best.is_file():
        raise Refused(f"{run.path} has no {run.best.name} to test: no epoch was finished.")
    (metrics,) = parts.trainer.test(
        parts.task, datamodule=parts.data, ckpt_path=run.best, verbose=False, weights_only=True
    )
    return {name: float(value) for name, value in metrics.items()}


def evaluated(run: RunDir, config: Section) -> dict[str, float]:
    """The test metrics of a run folder's best weights; writes nothing.

    Raises:
        Refused: the configuration does not fit this version of litmus, or there are no weights.
    """
    quiet = {**config, "callback": {}, "logger": {"_target_": "litmus.logger.none"}}
    quiet["trainer"] = {**config["trainer"], "devices": 1}
    if wrong := mistakes(quiet):
        raise Refused("\n".join(wrong))
    return test(run, assemble(run, quiet, prepared(quiet)))


def prepared(config: Section) -> Any:
    """The datamodule, with its data found, checked and split.

    Where the data falls back on something smaller than it was asked for, the configuration is
    changed to say so: whoever reads it later gets the same data.
    """
    data = build(config["data"], config["seed"])
    data.prepare_data()
    if data.warning:
        config["data"]["source"] = data.source
    return data


def assemble(run: RunDir, config: Section, data: Any) -> Parts:
    """Builds what trains and tests on `data`.

    Raises:
        Refused: data, network and device do not go together, or one of them is not to be had.
    """
    lightning.seed_everything(config["seed"], verbose=False)  # whatever the data drew, the weights are the same
    net = build(config["model"], data.spec)
    task = build(
        config["task"],
        net,
        lambda groups: build(config["optimizer"], groups),
        lambda optimizer, num_steps: build(config["scheduler"], optimizer, num_steps),
    )
    callbacks = [build(section) for section in config["callback"].values() if section is not None]
    trainer, hardware = build(config["trainer"], run, net, callbacks, build(config["logger"], run.path))
    torch.manual_seed(config["seed"] + trainer.global_rank)  # dropout differs between processes
    return Parts(data, net, task, trainer, hardware, callbacks)


def build(section: Section, *context: Any) -> Any:
    """Calls the section's `_target_` with `context` and the section's keys.

    Raises:
        Refused: the target is not something that litmus defines; a configuration must not be able
            to call anything else.
    """
    module_name, _, name = section["_target_"].rpartition(".")
    target = None
    if module_name.split(".")[0] == "litmus" and importlib.util.find_spec(module_name):
        target = getattr(importlib.import_module(module_name), name, None)
    if target is None or target.__module__ != module_name:
        raise Refused(f"_target_: {section['_target_']} is not a part of litmus, and will not be called.")
    return target(*context, **{key: value for key, value in section.items() if key != "_target_"})


def _shortest(path: Path) -> Path:
    """Relative to where one stands, if it lies below: that is what one types."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
