"""A job, from what Hydra composed to its status."""

import os
import platform
import time
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from litmus import console
from litmus.config.keys import SHOWN_GROUPS
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run import summary
from litmus.run.job import resume_config, start_or_resume
from litmus.run.train import train


def run_job(composed: DictConfig, started: float) -> str:
    """Runs what Hydra composed, and returns the status that stands in `result.json`.

    Args:
        composed: the configuration, without Hydra's own part.
        started: `time.perf_counter()` when the job began, before torch was imported.
    """
    config: Section = OmegaConf.to_container(composed, resolve=True)  # type: ignore[assignment]
    del config["sweep"]
    hydra = HydraConfig.get()
    if hydra.mode is RunMode.MULTIRUN:
        _stand_in(Path(hydra.runtime.cwd))
    run = RunDir(_shortest(Path(hydra.runtime.output_dir).resolve()))  # not outputs/latest
    overrides = list(hydra.overrides.task)
    choices = {str(group): str(name) for group, name in hydra.runtime.choices.items()}
    if hydra.mode is RunMode.MULTIRUN:
        with console.silenced():  # several jobs may write on it
            status = start_or_resume(run, config, choices, started, " ".join(overrides))
        summary.job(run, status, time.perf_counter() - started)
        return status
    new = config["resume"] is None
    if not new:
        config = resume_config(run, config, overrides)
    with run.locked(), console.log_to(run.log):
        if new:
            run.claim()
        summary.configuration(config, choices, _defaults(choices))
        return train(run, config, started).status


def _defaults(choices: dict[str, str]) -> Section:
    """The configuration of these choices, when no key is set and no experiment chosen."""
    groups = [f"{group}={choices[group]}" for group in SHOWN_GROUPS]
    composed = GlobalHydra.instance().config_loader().load_configuration("train", groups, RunMode.RUN)
    with open_dict(composed):
        del composed["hydra"]
    return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]


def _stand_in(folder: Path) -> None:
    """Goes where the command was typed: another machine's process may stand elsewhere, and paths are relative to it.

    Raises:
        UserError: it is not there.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(
            f"{platform.node()} has no folder {folder} ({error.strerror}): machines that run jobs share a file system."
        ) from None


def _shortest(path: Path) -> Path:
    """Relative to where one stands, if it lies below: that is what one types."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
