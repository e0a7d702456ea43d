"""One job: from the configuration that Hydra composed to the status of its run.

It imports torch only when it runs.
"""

import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from litmus import console
from litmus.compose.resume import as_typed
from litmus.config.command import train_command
from litmus.config.keys import SHOWN_GROUPS, logger_names, logger_override
from litmus.config.launch import launched
from litmus.config.machine import watch
from litmus.config.types import Section
from litmus.errors import EXIT_STATUS, Interrupted, UserError
from litmus.fetch import local
from litmus.record.folder import RunDir
from litmus.record.signals import stopping_after
from litmus.run import header
from litmus.run.job import reproduced_config, resume_config, start_or_resume, unstarted
from litmus.run.process import import_all

if TYPE_CHECKING:
    from litmus.run.launched import Leader
    from litmus.run.result import Outcome

log = logging.getLogger(__name__)

watch()
MODULES = ("litmus.run.summary", "litmus.run.train")  # which import torch


def run_job(composed: DictConfig, started: float) -> str:
    """Trains, or resumes, the run that Hydra composed.

    Args:
        composed: the configuration, without Hydra's own section.
        started: `time.perf_counter()` when the job started, before torch was imported.

    Returns:
        The status, as in `result.json`; "refused", where a mistake was found before the first step: then a new run
        leaves no folder.

    Raises:
        UserError: the folder holds another run, another process trains in it, or it cannot be resumed.
    """
    config: Section = OmegaConf.to_container(composed, resolve=True)  # type: ignore[assignment]
    del config["sweep"]
    hydra = HydraConfig.get()
    if hydra.mode is RunMode.MULTIRUN:
        _change_to(Path(hydra.runtime.cwd))
    run = RunDir(local.shorten(Path(hydra.runtime.output_dir).resolve()))
    overrides = as_typed(list(hydra.overrides.task))
    choices = {str(group): str(name) for group, name in hydra.runtime.choices.items()}
    if hydra.mode is RunMode.MULTIRUN:
        if launched() is not None:
            raise UserError("A job of a sweep is one task, which starts its own processes: tasks_per_node=1.")
        import_all(MODULES)
        from litmus.run import summary

        with console.silenced():  # several jobs may share the screen
            status = start_or_resume(
                run, config, choices, started, " ".join(overrides), command=train_command(*overrides)
            )
        summary.job(run, status, time.perf_counter() - started)
        return status
    with _leading() as leader:
        status = _run_one(run, config, choices, started, overrides, leader)
        if leader is not None:
            leader.end(EXIT_STATUS[status])
    return status


@contextmanager
def _leading() -> "Iterator[Leader | None]":
    """In the body, this process is rank 0 of those that a launcher has started together, if one has."""
    launch = launched()
    if launch is None:
        yield None
        return
    with console.doing(header.TORCH):
        import_all(MODULES)
    from litmus.run.launched import leading

    with leading(launch) as leader:
        yield leader


def _run_one(
    run: RunDir,
    config: Section,
    choices: dict[str, str],
    started: float,
    overrides: list[str],
    leader: "Leader | None",
) -> str:
    """Trains or resumes a run that is no job of a sweep; arguments and errors as those of `run_job`."""
    new = config["resume"] is None
    if not new:
        config = resume_config(run, config, overrides)
    elif config["reproduce"] is not None:
        config = reproduced_config(RunDir(config["reproduce"]), config, overrides)
    original = None if config["reproduce"] is None else RunDir(local.shorten(Path(config["reproduce"])))
    if original is not None:
        original.read_config()  # raises, where it is not there any more
    with run.locked(), console.log_to(run.log):
        if new:
            run.claim(config)
        try:
            with stopping_after():
                was_read = not new or original is not None
                # Which is on the screen since before the run had a log.
                log.info(header.line(choices, config["data"], was_read))
                header.configuration(config, _default_config(config, choices), was_read)
                if not new and not run.has_kept():
                    console.say("begins from the start: the run was stopped before its first checkpoint")
                with header.importing_torch() if leader is None else nullcontext():
                    import_all(MODULES)
        except Interrupted as interrupted:
            return _end_before_training(run, config, interrupted)
        from litmus.run.train import OUTPUTS

        command = train_command(*overrides)
        outcome = _train_or_reproduce(run, config, started, command, original, leader)
    if outcome.refused and new:
        run.remove(OUTPUTS)
    return "refused" if outcome.refused else outcome.status


def _train_or_reproduce(
    run: RunDir, config: Section, started: float, command: str, original: RunDir | None, leader: "Leader | None"
) -> "Outcome":
    """Trains the run; one that reproduces another is compared with it."""
    from litmus.run.train import train

    if original is None:
        return train(run, config, started, command=command, leader=leader)
    from litmus.run import reproduction

    with reproduction.threads_of(original):
        outcome = train(run, config, started, command=command, leader=leader)
    if outcome.status != "finished" or reproduction.compare(original, run):
        return outcome
    return replace(outcome, status="not reproduced")


def _end_before_training(run: RunDir, config: Section, interrupted: Interrupted) -> str:
    """Ends a run that a signal reached before it trained; one that is resumed keeps the result that it had."""
    if run.read_result() is None:
        run.write_result(unstarted(config, "interrupted", str(interrupted)))
    console.say(f"run folder   {run.path}  interrupted", style="bold")
    return "interrupted"


def _default_config(config: Section, choices: dict[str, str]) -> Section:
    """The configuration of the run's choices, when no key is set and no experiment chosen."""
    overrides = [f"{group}={choices[group]}" for group in SHOWN_GROUPS] + [logger_override(logger_names(config))]
    composed = GlobalHydra.instance().config_loader().load_configuration("train", overrides, RunMode.RUN)
    with open_dict(composed):
        del composed["hydra"]
    return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]


def _change_to(folder: Path) -> None:
    """Changes to the folder in which the command was typed: paths are relative to it, and a job may start elsewhere.

    Raises:
        UserError: this machine does not have it.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(
            f"{platform.node()} has no folder {folder} ({error.strerror}): machines that run jobs share a file system."
        ) from None
