"""The command line around Hydra: errors become sentences, values are checked before anything runs, statuses are set.

Nothing here imports torch: `--help`, `--cfg job` and every mistake are answered at once. What draws or
runs is imported in functions: rich alone takes 20 ms.
"""

import argparse
import gc
import os
import re
import sys
import time
import traceback
from datetime import datetime
from pathlib import Path
from typing import NoReturn, cast

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from litmus.compose.errors import explain, explain_flag, one_sentence
from litmus.compose.help import page
from litmus.compose.resume import (
    as_typed,
    check_config_folders,
    with_own_folders,
    with_requeued_run,
    with_stored_choices,
    with_sweep_overrides,
)
from litmus.compose.run_name import run_name
from litmus.config.conf import CONF
from litmus.config.keys import GROUPS, callback_mistakes
from litmus.config.launch import launched, with_launch
from litmus.config.plugin_check import check_plugins
from litmus.config.preflight import preflight
from litmus.config.types import Section
from litmus.config.validate import mistakes, section_mistakes
from litmus.errors import EXIT_STATUS, WRONG_COMMAND_LINE, UserError
from litmus.fetch import local
from litmus.record import disk
from litmus.record.files import slug
from litmus.record.folder import RunDir

ONE_VALUE = r"[\w/]+=\w+"  # of a sweep's overrides, those that the help page can show
SPEAK_S = 2  # in which one of several processes has said what is wrong: a launcher ends it when another has ended
HYDRA_ERRORS = (HydraException, OmegaConfBaseException, ValueError)  # what Hydra raises while composing


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def _run(config: DictConfig) -> str:
    """Runs one job, and returns its status."""
    started = time.perf_counter()
    from litmus.compose.job import run_job

    return run_job(config, started)


def train() -> None:
    """`python train.py` and `litmus train`: every mistake ends in a sentence and an exit status other than 0."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra itself reports its exceptions, and exits
    gc.disable()  # until all is composed: scanning what Hydra makes is a tenth of the time to the first line
    typed = {*sys.argv[1:]}  # a run that is reproduced brings choices of its own

    def own_run_dir(resume: str | None, model: str, data: str, overrides: list[str]) -> str:
        return run_dir(resume, model, data, [each for each in overrides if each in typed])

    OmegaConf.register_new_resolver("litmus.run_dir", own_run_dir, use_cache=True)
    OmegaConf.register_new_resolver("litmus.sweep_dir", sweep_dir, use_cache=True)
    try:
        local.check_current_folder()
        if "--version" in sys.argv[1:]:
            from litmus.console import version

            print(version())
            return
        check_plugins()
        if {"--help", "-h"} & set(sys.argv[1:]):
            print(_help(sys.argv[1:]))
            return
        _check_flags(sys.argv[1:])
        check_config_folders(sys.argv[1:])
        if (arguments := with_requeued_run(sys.argv[1:])) is None:
            print("SLURM has started this job again; this run of it has finished.")
            return
        arguments = with_own_folders(arguments)
        typed.update(arguments)
        sys.argv[1:] = with_stored_choices(with_sweep_overrides(with_launch(arguments)))
        if not any("hydra.mode" in argument for argument in sys.argv[1:]):
            Hydra.get_mode = _no_mode  # type: ignore[method-assign]
        _run()
    except UserError as refused:
        fail(str(refused), WRONG_COMMAND_LINE)
    except HYDRA_ERRORS as error:
        fail(explain(error, CONF, sys.argv[1:]), WRONG_COMMAND_LINE)
    except BrokenPipeError:  # nobody reads the help any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python says so when it ends
    except OSError as error:  # the folder cannot be made; what happens in a run is the run's to report
        where = f"{error.filename} cannot be used: " if error.filename else ""
        fail(f"{where}{error.strerror or error}.", WRONG_COMMAND_LINE)
    except KeyboardInterrupt:
        sys.exit(EXIT_STATUS["interrupted"])


def _no_mode(*arguments: object, **keywords: object) -> None:
    """In place of a method of Hydra's that composes everything once more to look for hydra.mode; -m alone decides."""


def _check_flags(arguments: list[str]) -> None:
    """Refuses options that Hydra does not have, of which it would print its usage."""
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        _, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name}: {error.message}. --hydra-help lists Hydra's options.") from None
    if unknown:
        flags = re.findall(r"--[a-z-]+", parser.format_usage())
        raise UserError(explain_flag(unknown[0], flags, CONF, arguments))


def _help(arguments: list[str]) -> str:
    overrides = [argument for argument in arguments if not argument.startswith("-")]
    if {"-m", "--multirun"} & set(arguments):
        overrides = [override for override in overrides if re.fullmatch(ONE_VALUE, override)]
    return page(CONF, overrides)


def fail(sentence: str, status: int) -> NoReturn:
    """Prints what is wrong on standard error, and ends the process."""
    from litmus import console  # rich alone takes 20 ms

    if (launch := launched()) is not None and not launch.speaks:
        time.sleep(SPEAK_S)
    console.error(sentence)
    sys.exit(status)


def run_dir(resume: str | None, model: str, data: str, overrides: list[str]) -> str:
    """The folder of a single run: a new one, or the one to resume."""
    return resume or f"outputs/{model}-{data}/{run_name(datetime.now(), overrides)}"


def sweep_dir(name: str | None, overrides: list[str]) -> str:
    """A sweep's folder: the same for the same overrides in any order."""
    of_jobs = sorted((each for each in overrides if not each.startswith("sweep.")), key=lambda each: each.split("="))
    return f"outputs/sweeps/{slug(' '.join(of_jobs) if name is None else name)}"


class Hooks(Callback):
    """Hydra's callbacks: check values before a folder is made, and set the exit status."""

    def __init__(self) -> None:
        self.status = "failed"
        # Pickled with the jobs, where another of Hydra's launchers runs them.
        self.launcher: int | None = None  # its process
        self.folder: str | None = None  # in which the command was typed

    def on_run_start(self, config: DictConfig, **kwargs: object) -> None:
        try:
            plain = check(config)
        except UserError as refused:  # which Hydra would report as an error of its own
            fail(str(refused), WRONG_COMMAND_LINE)
        gc.enable()
        if (launch := launched()) is not None and launch.rank > 0:
            from litmus.run.follower import follow

            follow(launch)  # before Hydra makes a run folder for it
        from litmus.run import header

        was_read = config.resume is not None or config.reproduce is not None
        header.chosen(config.hydra.runtime.choices, plain["data"], was_read)  # at once: the imports take seconds

    def on_multirun_start(self, config: DictConfig, **kwargs: object) -> None:
        gc.enable()
        if not str(config.hydra.sweeper._target_).startswith("hydra_plugins.litmus_sweeper."):
            fail(
                "Sweeps need litmus' own sweeper, which sweep=grid|optuna configures: leave out hydra/sweeper.",
                WRONG_COMMAND_LINE,
            )
        if wrong := section_mistakes("sweep", _plain(config.sweep)):
            fail("\n".join(wrong), WRONG_COMMAND_LINE)
        name = config.sweep.name
        if name is not None and slug(name) != name:
            fail(f"sweep.name={name} is not a valid folder name; {slug(name)} is.", WRONG_COMMAND_LINE)
        self.launcher, self.folder = os.getpid(), str(Path.cwd())

    def on_job_start(self, config: DictConfig, **kwargs: object) -> None:
        """Restores the folder in which the command was typed; a job composed elsewhere has that process' folder."""
        if self.folder is not None:
            hydra_config = cast(DictConfig, HydraConfig.get())
            with read_write(hydra_config):
                hydra_config.runtime.cwd = self.folder

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: object) -> None:
        """Also called in the processes of Hydra's other launchers."""
        self.status = str(job_return._return_value)  # private: the public one raises what a job raised
        if job_return.status is not JobStatus.COMPLETED:
            from litmus.console import readable

            # In the process of another launcher, Hydra has forgotten its configuration by now.
            folder = Path(HydraConfig.get().runtime.output_dir if HydraConfig.initialized() else ".")
            error = disk.explained(cast(BaseException, job_return._return_value), folder)
            refused = isinstance(error, UserError)
            print(readable(str(error) if refused else "".join(traceback.format_exception(error))), file=sys.stderr)
            self.status = "refused" if refused else "failed"
            job_return.return_value = str(error) if refused else f"{type(error).__name__}: {error}"
        job_return.status = JobStatus.COMPLETED  # or Hydra reports the error, too
        if self.status == "interrupted" and self.launcher == os.getpid():
            sys.exit(EXIT_STATUS[self.status])  # or the launcher, if its jobs run in this process, starts the next

    def on_run_end(self, config: DictConfig, **kwargs: object) -> None:
        if self.status != "finished":
            sys.exit(EXIT_STATUS[self.status])


def check(config: DictConfig) -> Section:
    """Checks what one run was composed of, before its folder is made; a mistake ends the process with a sentence.

    Returns:
        The configuration of the run, plain.

    Raises:
        UserError: the run to resume cannot be resumed with what was typed.
    """
    for group in GROUPS:  # a list, as in model=[cnn], is no choice
        if not isinstance(config.hydra.runtime.choices.get(group), str):
            fail(f"{group}= takes one of its choices, which --help lists.", WRONG_COMMAND_LINE)
    folder = cast(Section, OmegaConf.to_container(config.hydra.run))["dir"]
    if folder in ("", None):  # Hydra would take the current one
        fail("hydra.run.dir= names no folder.", WRONG_COMMAND_LINE)
    try:
        plain = _plain(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
        wrong = section_mistakes("sweep", plain.pop("sweep"))
        overrides = as_typed(list(config.hydra.overrides.task))
        if plain["reproduce"] is not None:
            from litmus.run.job import reproduced_config

            plain = reproduced_config(RunDir(plain["reproduce"]), plain, overrides)
        elif plain["resume"] is None:
            wrong += mistakes(plain)
            wrong += callback_mistakes(plain["callback"], config.hydra.runtime.choices["callback"])
        else:  # the values are the run's own, where nothing else was typed
            from litmus.run.job import resume_config

            plain = resume_config(RunDir(plain["resume"]), plain, overrides)
    except OmegaConfBaseException as error:
        wrong = [one_sentence(str(error))]
    if not wrong:
        wrong = preflight(plain, resumed=config.resume is not None)
    if wrong:
        fail("\n".join(dict.fromkeys(wrong)), WRONG_COMMAND_LINE)
    return plain


def _plain(config: DictConfig) -> Section:
    config._set_parent(None)  # private: interpolations of a part that stands alone are looked up in the part itself
    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]  # a dict
