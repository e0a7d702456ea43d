"""`resume=FOLDER` on the command line: what the folder of a run or of a sweep adds to it.

A folder may come from somebody else. Of its overrides only those are repeated that set litmus' own keys, or amounts
that a launcher requests: Hydra's hooks, packages and search path, and what a launcher would run, are code.
"""

import itertools
import os
import re
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from litmus.config.command import train_command
from litmus.config.conf import CONF, refusal, targets
from litmus.config.keys import choice, logger_names, logger_override
from litmus.config.launch import launch_words
from litmus.config.validate import override
from litmus.errors import UserError
from litmus.fetch import local
from litmus.record.command import typed_words
from litmus.record.folder import CONFIGS, RunDir

OF_FOLDERS = ("resume", "reproduce")  # keys that name one
LAUNCHER_KEYS = ("hydra/launcher", "hydra.launcher.")  # with those below
# Of a sweep's folder: keys of litmus' own configuration; launchers; and amounts and names that a launcher requests.
# `setup`, `srun_args`, `python` and the like are not among these: they run. A line break in a name would, too.
REPEATED = re.compile(
    r"""
      \+{0,2} (model|data|task|optimizer|scheduler|trainer|logger|callback|sweep) ([.]\w+)+ = [\s\S]*
    | \+{0,2} seed = [\s\S]*
      # Choices of a group, by their names: a path would have Hydra read any file, hooks of its own included.
    | \+{0,2} logger = [\w\s,()[\]-]*
    | \+{0,2} (model|data|task|optimizer|scheduler|trainer|logger|callback|experiment|sweep) = [\w\s,()-]*
    | hydra/launcher = (litmus|basic|joblib|submitit_local|submitit_slurm|ray)
    | \+{0,2} hydra[.]launcher[.] (account|array_parallelism|batch_size|constraint|cpus_per_(gpu|task)|exclude
      |gpus_per_(node|task)|gres|max_num_timeout|mem_gb|mem_per_(cpu|gpu)|n_jobs|name|nodes|partition|qos
      |ray[.]remote[.]num_(cpus|gpus)|tasks_per_node|timeout_min|verbose) = [\w.,:+-]*
    | ~(callback|model|data) ([.]\w+)+
      # A plugin's callback, which callback=default does not have.
    | \+callback@callback[.](?P<callback>\w+) = (?P=callback)
    """,
    re.VERBOSE,
)


def with_sweep_overrides(arguments: list[str]) -> list[str]:
    """Adds to `-m resume=FOLDER` the overrides with which the sweep in that folder was started.

    Raises:
        UserError: the folder is not a sweep's, it holds overrides that could run code, or there are other overrides
            than those of the sweep and of Hydra.
        OverrideParseException: Hydra's, for a folder that is not written as a value.
    """
    folder = _folder_of("resume", arguments)
    if folder is None or not {"-m", "--multirun"} & set(arguments):
        return arguments
    flags = [each for each in arguments if each.startswith("-") and each not in ("-m", "--multirun")]
    added = {each: _key_of(each) for each in arguments if not each.startswith(("resume=", "-"))}
    if not_allowed := [each for each, key in added.items() if not key.startswith(("sweep.", "hydra.", "hydra/"))]:
        raise UserError(f"-m resume= resumes a sweep with its own overrides: leave out {not_allowed[0]}.")
    from litmus.sweep.pool.session import COMMAND, POOL_KEYS, read_overrides

    other_launcher = "hydra/launcher" in added.values()  # then, keys of the earlier launcher do not apply
    left_out = {*added.values(), "hydra.sweep.dir", *(POOL_KEYS if other_launcher else ())}
    original = [
        each
        for each in read_overrides(Path(folder))
        if _key_of(each) not in left_out and not (other_launcher and _key_of(each).startswith(LAUNCHER_KEYS))
    ]
    for each in original:
        if not REPEATED.fullmatch(each):
            raise UserError(
                f"{Path(folder, COMMAND)} holds {each!r}. It could run code, so it is not taken from a folder: add it "
                "to the command line if you trust it, or remove it from that file."
            )
    if server := next((each for each in original if each.startswith("sweep.storage=postgresql")), None):
        raise UserError(f"{Path(folder, COMMAND)} names a server: add {server} to the command if you trust it.")
    return ["-m", *flags, *original, *added, override("hydra.sweep.dir", folder.rstrip("/"))]


def _key_of(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _folder_of(key: str, arguments: list[str]) -> str | None:
    """The folder that `resume=` or `reproduce=` names, if it does."""
    typed = next((each for each in arguments if each.startswith(f"{key}=")), f"{key}=null")
    folder = OverridesParser.create().parse_override(typed).value()
    if folder is not None and not str(folder).strip():
        raise UserError(f"{key}= names no folder.")
    return None if folder is None else str(folder)


def with_own_folders(arguments: list[str]) -> list[str]:
    """`resume=` and `reproduce=` name the folder itself, where a link leads to it: `latest` may soon be another run.

    Raises:
        UserError: no folder is named.
        OverrideParseException: Hydra's, for a folder that is not written as a value.
    """
    return [_with_own_folder(each) for each in arguments]


def _with_own_folder(word: str) -> str:
    key = word.partition("=")[0]
    if key not in OF_FOLDERS or (folder := _folder_of(key, [word])) is None:
        return word
    own = local.without_links(Path(folder))
    return word if own == Path(folder) else override(key, str(own))


def with_stored_choices(arguments: list[str]) -> list[str]:
    """Puts the choices of a run that is resumed or reproduced first, so that overrides are checked against its keys.

    Then comes its folder, by which `as_typed` finds them again.

    Raises:
        UserError: there is no folder, it is not a run's, or the overrides choose an experiment.
        OverrideParseException: Hydra's, for a folder that is not written as a value.
    """
    folders = _folders(arguments)
    if not folders:
        return arguments
    if len(folders) > 1:
        raise UserError("resume= trains a run on, reproduce= trains it again elsewhere: leave out one of them.")
    ((key, folder),) = folders.items()
    if any(each.startswith(("experiment=", "+experiment=")) for each in arguments):
        raise UserError(f"{key}= uses the run's own configuration: leave out experiment=.")
    if key == "reproduce" and {"-m", "--multirun"} & set(arguments):
        raise UserError("reproduce= trains one run again: leave out -m.")
    from litmus.sweep.pool.session import COMMAND

    if Path(folder, COMMAND).is_file():
        if key == "reproduce":
            raise UserError(f"{folder} is the folder of a sweep: reproduce= takes one of the runs in it.")
        hint = train_command("-m", override("resume", folder))
        raise UserError(f"{folder} is the folder of a sweep. Resume it with: {hint}")
    config = RunDir(folder).read_config()
    groups = ("task", "data", "optimizer", "scheduler", "model")
    for group in groups:
        if (target := config[group]["_target_"]) not in targets()[group]:
            raise UserError(f"{folder}: {refusal(target, group)}")
    choices = {group: f"{group}={choice(config, group)}" for group in groups}
    choices["logger"] = logger_override(logger_names(config))
    keys = [each.partition("=")[0] for each in arguments]
    chosen = [override for group, override in choices.items() if group not in keys]
    return [*chosen, *sorted(arguments, key=lambda each: not each.startswith(f"{key}="))]


def as_typed(overrides: list[str]) -> list[str]:
    """The overrides of a run without those that `with_stored_choices` put first: what is written down, and compared.

    Args:
        overrides: that Hydra composed, in their order.
    """
    of_folders = tuple(f"{key}=" for key in _folders(overrides))
    begin = next((place for place, each in enumerate(overrides) if each.startswith(of_folders)), 0)
    return overrides[begin:]


def _folders(arguments: list[str]) -> dict[str, str]:
    """The folders that `resume=` and `reproduce=` name, by these keys."""
    return {key: folder for key in OF_FOLDERS if (folder := _folder_of(key, arguments)) is not None}


def with_requeued_run(arguments: list[str]) -> list[str] | None:
    """In a job that SLURM has requeued, `resume=FOLDER` instead of the command whose run it had begun.

    Its folder says which job it belonged to, and how it was started.

    Args:
        arguments: as typed.

    Returns:
        The arguments, or None where that run has finished.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or os.environ.get("SLURM_RESTART_COUNT", "0") == "0" or {"-m", "--multirun"} & set(arguments):
        return arguments
    if any(each.startswith(("resume=", "reproduce=", "hydra.mode=")) for each in arguments):
        return arguments
    from litmus.sweep.pool.session import COMMAND

    # With what `with_launch` had added: a run knows its command with that.
    words = [*arguments, *launch_words(arguments)]
    typed = sorted(each for each in words if not each.startswith(("-", "hydra.", "hydra/")))
    chosen = [each.partition("=")[2] for each in arguments if each.startswith("hydra.run.dir=")]
    folders = [Path(each) for each in chosen] or [path.parent for path in Path("outputs").glob("*/*/environment.json")]
    for folder in sorted(folders, key=lambda folder: folder.name, reverse=True):
        run = RunDir(folder)
        known = run.read_environment() or {}
        is_job = (folder.parent / COMMAND).is_file()  # of a sweep, which resumes it
        begun = next(map(typed_words, map(str, known.get("commands") or [])), None)
        if known.get("slurm_job") != job or sorted(begun or []) != typed or is_job:
            continue
        if (run.read_result() or {}).get("status") == "finished":
            return None
        return [override("resume", str(folder))]
    return arguments


def check_config_folders(arguments: list[str]) -> None:
    """Keeps Hydra's flags for configuration files from doing nothing, or something that nobody meant.

    Raises:
        UserError: another primary configuration, or a folder that adds no choice.
    """
    for flag, value in itertools.pairwise([*(part for each in arguments for part in each.split("=", 1)), ""]):
        if flag in ("--config-path", "-cp", "--config-name", "-cn"):
            raise UserError(
                f"{flag} would replace litmus' own configuration. --config-dir FOLDER adds choices of yours, such as "
                "FOLDER/experiment/mine.yaml; reproduce=RUN trains a run again."
            )
        if flag not in ("--config-dir", "-cd") or not Path(value).is_dir():
            continue
        if any(Path(value, name).is_file() for name in CONFIGS):
            hint = train_command(override("reproduce", value))
            raise UserError(f"{value} is the folder of a run. To train it again: {hint}")
        groups = sorted(path.name for path in CONF.iterdir() if path.is_dir())
        if not any(path.parent.name in groups for path in Path(value).glob("*/*.yaml")):
            raise UserError(f"--config-dir {value} adds nothing: it has no {groups[0]}/*.yaml, {groups[1]}/*.yaml, ...")
