"""Around Hydra: mistakes become sentences, values are checked before anything runs, and the exit status tells.

Nothing here imports torch: `--help`, `--cfg job` and every mistake answer at once.
"""

import os
import re
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litmus.check import Refused, mistakes
from litmus.explain import explanation
from litmus.help import page
from litmus.rundir import GROUPS, RunDir, choice

FAILED, WRONG, INTERRUPTED = 1, 2, 130  # exit statuses; 130 is the shell's own for Ctrl-C
MISTAKES = (HydraException, OmegaConfBaseException, ValueError)  # what Hydra raises while composing
LONGEST_NAME = 120  # of a job's folder; file systems take 255 bytes


def command_line(main: Callable[[], None]) -> None:
    """Runs a `hydra.main` function; every mistake ends in a sentence and an exit status that is not 0."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets Hydra's exceptions through to here
    OmegaConf.register_new_resolver("litmus.run_dir", run_dir, use_cache=True)
    OmegaConf.register_new_resolver("litmus.job_dir", job_dir)
    conf = Path(sys.modules[main.__module__].__file__ or "").resolve().parent / "conf"
    try:
        if {"--help", "-h"} & set(sys.argv[1:]):
            several = {"-m", "--multirun"} & set(sys.argv[1:])
            print(page(conf, [] if several else [word for word in sys.argv[1:] if not word.startswith("-")]))
            return
        sys.argv[1:] = with_choices_of_resumed(sys.argv[1:])
        if not any(word.startswith(("-", "hydra.mode")) for word in sys.argv[1:]):
            sys.argv.insert(1, "--run")  # or Hydra composes everything once more, to see what is meant
        main()
    except Refused as refused:
        fail(str(refused), WRONG)
    except MISTAKES as error:
        fail(explanation(error, conf, sys.argv[1:]), WRONG)
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


def job_dir(overrides: str) -> str:
    """A job's folder in a multirun, named after what is particular to it.

    `=`, commas and brackets would have to be quoted wherever one types the path.
    """
    name = re.sub(r"[^A-Za-z0-9._]+", "-", overrides).strip("-") or "job"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{sha256(overrides.encode()).hexdigest()[:8]}"


def with_choices_of_resumed(words: list[str]) -> list[str]:
    """Puts a resumed run's own choices first, so that what is typed is checked against its keys."""
    folder = next((word.partition("=")[2] for word in words if word.startswith("resume=")), "null")
    if folder.strip("'\"") in ("null", ""):
        return words
    if "-m" in words or "--multirun" in words:
        raise Refused("resume= goes on with one run: leave out -m.")
    if any(word.startswith(("experiment=", "+experiment=")) for word in words):
        raise Refused("resume= goes on with a run's own configuration: leave out experiment=.")
    config = RunDir(folder.strip("'\"")).read_config()
    groups = ("task", "data", "optimizer", "scheduler", "model")
    typed = [word.partition("=")[0] for word in words]
    return [f"{group}={choice(config, group)}" for group in groups if group not in typed] + words


class Hooks(Callback):
    """Hydra's callbacks: values are checked before a folder is made, and the end is told."""

    def __init__(self) -> None:
        self.num_jobs = 0
        self.jobs: list[tuple[str, str, str]] = []  # overrides, status, validation metrics

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._check([config])

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        jobs = _jobs(config)
        self._check(jobs)
        self.num_jobs = len(jobs)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        if self.num_jobs:
            print(f"\n[{len(self.jobs) + 1}/{self.num_jobs}]", flush=True)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        status = job_return._return_value
        if job_return.status is not JobStatus.COMPLETED:
            error = job_return._return_value
            text = str(error) if isinstance(error, Refused) else "".join(traceback.format_exception(error))
            print(text, file=sys.stderr)
            status = "failed"
        result = RunDir(job_return.hydra_cfg.hydra.runtime.output_dir).read_result() if job_return.hydra_cfg else None
        metrics = (result or {}).get("metrics", {})
        shown = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items() if name.startswith("val/") and value)
        self.jobs.append((" ".join(job_return.overrides or []), str(status), shown))
        job_return.status, job_return.return_value = JobStatus.COMPLETED, status  # told here, not by Hydra
        if status == "interrupted" and self.num_jobs:  # ends the multirun
            self.on_multirun_end(config)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        self._exit()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        print(f"\n{len(self.jobs)} of {self.num_jobs} jobs in {config.hydra.sweep.dir}")
        for overrides, status, metrics in self.jobs:
            print(f"  {status:<11}  {metrics:<34}  {overrides}")
        self._exit()

    def _check(self, configs: list[DictConfig]) -> None:
        for group in GROUPS:  # model=[cnn] is not listed among the choices
            if any(not isinstance(config.hydra.runtime.choices.get(group), str) for config in configs):
                fail(f"{group}= takes one of its choices, which --help lists.", WRONG)
        try:
            wrong = [sentence for config in configs for sentence in mistakes(_plain(config))]
        except OmegaConfBaseException as error:
            wrong = [str(error)]
        if wrong:
            fail("\n".join(dict.fromkeys(wrong)), WRONG)

    def _exit(self) -> None:
        statuses = {status for _, status, _ in self.jobs}
        if "interrupted" in statuses:
            sys.exit(INTERRUPTED)
        if statuses != {"finished"}:
            sys.exit(FAILED)


def _plain(config: DictConfig) -> dict[str, Any]:
    ours = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    ours._set_parent(None)
    return OmegaConf.to_container(ours, resolve=True)  # type: ignore[return-value]


def _jobs(config: DictConfig) -> list[DictConfig]:
    """The configuration of every job of a multirun, as Hydra's sweeper will compose it."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    loader = GlobalHydra.instance().config_loader()
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(list(config.hydra.overrides.task))
    (jobs,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    composed = []
    for job in jobs:
        try:
            composed.append(loader.load_sweep_config(config, list(job)))
        except MISTAKES as error:
            conf = next(source.path for source in config.hydra.runtime.config_sources if source.provider == "main")
            fail(f"{' '.join(job)}: {explanation(error, Path(conf), list(job))}", WRONG)
    return composed
