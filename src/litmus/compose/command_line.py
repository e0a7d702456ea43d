"""Around Hydra: mistakes become sentences, values are checked before anything runs, and the exit status tells.

Nothing here imports torch: `--help`, `--cfg job` and every mistake answer at once.
"""

import os
import re
import sys
import time
import traceback
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from litmus.compose.errors import explanation
from litmus.compose.help import page
from litmus.config.keys import CONF, GROUPS, choice
from litmus.config.validate import mistakes, section_mistakes
from litmus.errors import UserError
from litmus.record.folder import RunDir, slug

FAILED, WRONG, INTERRUPTED = 1, 2, 130  # exit statuses; 130 is the shell's own for Ctrl-C
CHOSEN = r"[\w/]+=\w+"  # a choice of a group, one value: of a sweep's words, what the help page can show
LAUNCHER = ("hydra/launcher", "hydra.launcher.")  # keys
MISTAKES = (HydraException, OmegaConfBaseException, ValueError)  # what Hydra raises while composing


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def _run(config: DictConfig) -> str:
    """One job; returns its status."""
    started = time.perf_counter()
    from litmus.compose.job import run_job  # imports torch, which a person who asks for help need not wait for

    return run_job(config, started)


def train() -> None:
    """`python train.py` and `litmus train`: every mistake ends in a sentence and an exit status that is not 0."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets Hydra's exceptions through to here
    OmegaConf.register_new_resolver("litmus.run_dir", run_dir, use_cache=True)
    OmegaConf.register_new_resolver("litmus.sweep_dir", sweep_dir, use_cache=True)
    try:
        if {"--help", "-h"} & set(sys.argv[1:]):
            several = {"-m", "--multirun"} & set(sys.argv[1:])
            words = [word for word in sys.argv[1:] if not word.startswith("-")]
            print(page(CONF, [word for word in words if re.fullmatch(CHOSEN, word)] if several else words))
            return
        sys.argv[1:] = with_choices_of_resumed(with_words_of_sweep(sys.argv[1:]))
        if not any(word.startswith(("-", "hydra.mode")) for word in sys.argv[1:]):
            sys.argv.insert(1, "--run")  # or Hydra composes everything once more, to see what is meant
        _run()
    except UserError as refused:
        fail(str(refused), WRONG)
    except MISTAKES as error:
        fail(explanation(error, CONF, sys.argv[1:]), WRONG)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def fail(sentence: str, status: int) -> NoReturn:
    """Says what is wrong on standard error and ends the process."""
    colour = ("\033[31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{colour[0]}{sentence}{colour[1]}", file=sys.stderr)
    sys.exit(status)


def run_dir(resume: str | None, model: str, data: str) -> str:
    """The folder of a single run: a new one, or the one to go on with.

    Milliseconds in the name keep two runs apart that start in the same second.
    """
    return resume or f"outputs/{model}-{data}/{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"[:-3]


def sweep_dir(name: str | None, words: list[str]) -> str:
    """A sweep's folder: the same command, however its words are ordered, has the same one."""
    of_jobs = sorted((word for word in words if not word.startswith("sweep.")), key=lambda word: word.split("="))
    return f"outputs/sweeps/{slug(' '.join(of_jobs) if name is None else name)}"


def with_words_of_sweep(words: list[str]) -> list[str]:
    """`-m resume=FOLDER` types again what the sweep in that folder was begun with."""
    folders = [word.partition("=")[2].strip("'\"") for word in words if word.startswith("resume=")]
    if not folders or not {"-m", "--multirun"} & set(words):
        return words
    flags = [word for word in words if word.startswith("-") and word not in ("-m", "--multirun")]
    others = {word: _key(word) for word in words if not word.startswith(("resume=", "-"))}
    launcher = "hydra/launcher" in others.values()
    if strange := [word for word, key in others.items() if not key.startswith(("sweep.", *LAUNCHER))]:
        raise UserError(f"-m resume= goes on with a sweep as it was begun: leave out {strange[0]}.")
    from litmus.sweep.pool.session import OURS, remembered

    left_out = {*others.values(), "hydra.sweep.dir", *(OURS if launcher else ())}  # one launcher's keys are no other's
    before = [
        word
        for word in remembered(Path(folders[0]))
        if _key(word) not in left_out and not (launcher and _key(word).startswith(LAUNCHER))
    ]
    return ["-m", *flags, *before, *others, f"hydra.sweep.dir='{folders[0].rstrip('/')}'"]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def with_choices_of_resumed(words: list[str]) -> list[str]:
    """Puts a resumed run's own choices first, so that what is typed is checked against its keys."""
    folder = next((word.partition("=")[2] for word in words if word.startswith("resume=")), "null")
    if folder.strip("'\"") in ("null", ""):
        return words
    if any(word.startswith(("experiment=", "+experiment=")) for word in words):
        raise UserError("resume= goes on with a run's own configuration: leave out experiment=.")
    from litmus.sweep.pool.session import WORDS

    if (Path(folder.strip("'\"")) / WORDS).is_file():
        raise UserError(f"{folder} is the folder of a sweep: python train.py -m resume={folder} goes on with it.")
    config = RunDir(folder.strip("'\"")).read_config()
    groups = ("task", "data", "optimizer", "scheduler", "model")
    typed = [word.partition("=")[0] for word in words]
    return [f"{group}={choice(config, group)}" for group in groups if group not in typed] + words


class Hooks(Callback):
    """Hydra's callbacks: values are checked before a folder is made, and the end is told."""

    def __init__(self) -> None:
        self.status = "failed"
        self.launcher: int | None = None  # its process
        self.folder: str | None = None  # in which the command was typed; these travel with the jobs

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        _check(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        if not str(config.hydra.sweeper._target_).startswith("hydra_plugins.litmus_sweeper."):
            fail(
                "Jobs are made by litmus' own sweeper, which sweep=grid|optuna steers: leave out hydra/sweeper.", WRONG
            )
        if wrong := section_mistakes("sweep", _plain(config.sweep)):
            fail("\n".join(wrong), WRONG)
        name = config.sweep.name
        if name is not None and slug(name) != name:
            fail(f"sweep.name={name} is no name of a folder; {slug(name)} is.", WRONG)
        self.launcher, self.folder = os.getpid(), str(Path.cwd())

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Composed where it runs, a job takes that process' folder for the one in which the command was typed."""
        if self.folder is not None:
            composed: Any = HydraConfig.get()
            with read_write(composed):
                composed.runtime.cwd = self.folder

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Also called in the processes of Hydra's other launchers."""
        self.status = str(job_return._return_value)
        if job_return.status is not JobStatus.COMPLETED:
            error = job_return._return_value
            refused = isinstance(error, UserError)
            print(str(error) if refused else "".join(traceback.format_exception(error)), file=sys.stderr)
            self.status = "failed"
            job_return.return_value = str(error) if refused else f"{type(error).__name__}: {error}"
        job_return.status = JobStatus.COMPLETED  # told here, or by the sweep, not by Hydra
        if self.status == "interrupted" and self.launcher == os.getpid():
            sys.exit(INTERRUPTED)  # or the launcher, which runs its jobs in this process, begins the next

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        if self.status != "finished":
            sys.exit(INTERRUPTED if self.status == "interrupted" else FAILED)


def _check(config: DictConfig) -> None:
    for group in GROUPS:  # model=[cnn] is not listed among the choices
        if not isinstance(config.hydra.runtime.choices.get(group), str):
            fail(f"{group}= takes one of its choices, which --help lists.", WRONG)
    try:
        ours = _plain(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
        wrong = section_mistakes("sweep", ours.pop("sweep")) + mistakes(ours)
    except OmegaConfBaseException as error:
        wrong = [str(error)]
    if wrong:
        fail("\n".join(dict.fromkeys(wrong)), WRONG)


def _plain(config: DictConfig) -> dict[str, Any]:
    config._set_parent(None)
    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]  # a dict
