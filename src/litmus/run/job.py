"""Starting a run or resuming it: its own configuration, and what of it may change."""

import functools
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litmus import console
from litmus.config.epochs import num_epochs, passes_for
from litmus.config.instantiate import defaults
from litmus.config.keys import NAMED_GROUPS, callback_mistakes, choice, identity, key_of
from litmus.config.types import Section
from litmus.config.validate import mistakes, shown
from litmus.errors import UserError
from litmus.record.folder import CONFIG, ENDED, RunDir
from litmus.run import header

if TYPE_CHECKING:
    import lightning.pytorch as lightning

log = logging.getLogger(__name__)

DEVICE = ("accelerator", "devices", "num_nodes", "strategy", "precision")  # what the choices of trainer= are for
PLACES = ("data.path",)  # that a run which is reproduced may have elsewhere; its sha256 is compared


def resume_config(run: RunDir, composed: Section, overrides: Sequence[str]) -> Section:
    """The run's configuration, with the values that were typed on top.

    Args:
        run: its folder.
        composed: the configuration that Hydra made of the run's choices and `overrides`.
        overrides: as typed.

    Raises:
        UserError: there is nothing to resume, or what was typed makes another run of it.
    """
    config = run.read_config()
    typed = {override.partition("=")[0].lstrip("+~") for override in overrides} - {"resume"}
    groups = {key for key in typed if isinstance(config.get(key), dict) and key_of(key).resumable}
    for group in groups:  # a whole one, such as trainer=cpu
        stays = {key: value for key, value in config[group].items() if _stays(group, key, composed[group].get(key))}
        config[group] = {**composed[group], **stays}
    for key in sorted(typed - groups):
        requested, trained = _value(composed, key), _value(config, key)
        if requested == trained:
            continue
        if not key_of(key).resumable:
            raise UserError(
                f"{run.path} was trained with {key}={shown(trained)}. It cannot be resumed with "
                f"{key}={shown(requested)}: that is another run."
            )
        *sections, name = key.split(".")
        functools.reduce(dict.__getitem__, sections, config)[name] = requested
    if wrong := mistakes(config) + callback_mistakes(config["callback"], "default"):
        raise UserError("\n".join(wrong))
    _check_unfinished(run, config)
    return config


def reproduced_config(original: RunDir, composed: Section, overrides: Sequence[str]) -> Section:
    """The configuration of a run, to be trained again elsewhere, with the places that were typed on top.

    Args:
        original: the folder of the run.
        composed: the configuration that Hydra made of the run's choices and `overrides`.
        overrides: as typed.

    Raises:
        UserError: there is no finished run, it was changed on the way, or what was typed makes another run of it.
    """
    config, result = original.read_config(), original.read_result() or {}
    if (status := result.get("status", "not finished")) != "finished":
        raise UserError(f"{original.path} is {status}. Only a finished run can be reproduced: resume it first.")
    changes = [each for each in result.get("changes") or [] if not each["key"].startswith("environment.")]
    if changes:
        raise UserError(
            f"{original.path} was trained with another {changes[0]['key']} from step {changes[0]['step']:,} on, so no "
            "single training reproduces it."
        )
    for key in sorted({override.partition("=")[0].lstrip("+~") for override in overrides} - {"reproduce"}):
        if key in NAMED_GROUPS and choice(composed, key) == choice(config, key):
            continue
        if key_of(key).identifies and key not in PLACES:
            raise UserError(f"reproduce= trains {original.path} again as it was: leave out {key}=.")
        *sections, name = key.split(".")
        holder = functools.reduce(dict.__getitem__, sections, config)
        holder[name] = functools.reduce(dict.__getitem__, [*sections, name], composed)
    config |= {"resume": None, "reproduce": str(original.path.resolve())}
    if wrong := mistakes(config) + callback_mistakes(config["callback"], "default"):
        raise UserError("\n".join(wrong))
    return config


def unstarted(config: Section, status: str, sentence: str) -> Section:
    """What `result.json` holds of a run that ended before anything was known of it.

    Args:
        config: as requested.
        status: how it ended.
        sentence: why.
    """
    unknown = (
        "best_epoch",
        "samples_per_second",
        "parameters",
        "precision",
        "device",
        "dataset",
        "versions",
        "git",
        "threads",
    )
    return {
        "status": status,
        "error": sentence,
        "metrics": {},
        "model": choice(config, "model"),
        "data": choice(config, "data"),
        "seed": config["seed"],
        "epochs": 0,
        "steps": 0,
        "seconds": {},
        "baselines": {"best": None, "beaten": None, "notes": []},
        "changes": [],
        **dict.fromkeys(unknown),
    }


class AnotherRun(UserError):
    """A folder holds a run of another configuration: where, and in what it differs."""

    def __init__(self, where: str, difference: str) -> None:
        super().__init__(f"{where}\n{difference}")
        self.where = where
        self.difference = difference


def check_same_run(run: RunDir, requested: Section) -> None:
    """Keeps a sweep's job out of a folder that holds another run than the requested one.

    Args:
        run: the job's folder.
        requested: the configuration that the sweep requests, before anything followed from the data.

    Raises:
        UserError: with the keys that differ.
    """
    if not run.path.is_dir():
        return
    before = run.read_requested()
    if before is None:
        if (run.path / CONFIG).is_file():
            raise UserError(f"{run.path} holds a run that does not belong to this sweep.")
        return
    earlier, ours = identity(before), identity(requested)
    lines = [
        f"  {key}: {shown(earlier.get(key))} -> {shown(ours.get(key))}"
        for key in sorted({*earlier, *ours})
        if earlier.get(key) != ours.get(key)
    ]
    if lines:
        raise AnotherRun(f"{run.path} was run with another configuration:", "\n".join(lines))


def check_same_runs(jobs: Sequence[tuple[RunDir, Section]]) -> None:
    """As `check_same_run`, for all jobs of a sweep.

    Raises:
        UserError: with all that differs, or because two jobs share a folder.
    """
    wrong, seen = [], set()
    others: dict[str, list[str]] = {}
    for run, requested in jobs:
        if run.path in seen:
            raise UserError(f"Two jobs would run in {run.path}: a value is typed twice.")
        seen.add(run.path)
        try:
            check_same_run(run, requested)
        except AnotherRun as another:
            others.setdefault(another.difference, []).append(another.where)
        except UserError as error:
            wrong.append(str(error))
    for difference, (where, *more) in others.items():  # most often the same for all
        wrong.append(f"{where}\n{difference}" + (f"\n  and the same for {len(more)} more jobs" if more else ""))
    if wrong:
        raise UserError("\n".join([*wrong, "Choose another sweep.name, or remove these folders."]))


def start_or_resume(
    run: RunDir,
    requested: Section,
    choices: dict[str, str],
    started: float,
    overrides: str,
    *callbacks: "lightning.Callback",
    command: str = "",
) -> str:
    """A job of a sweep: starts its run, resumes one that was interrupted or failed, or leaves a finished one alone.

    Args:
        run: its folder.
        requested: the configuration that the sweep requests.
        choices: of the groups.
        started: `time.perf_counter()` when the job began, before torch was imported.
        overrides: those that tell the job from the others, as typed.
        *callbacks: that are not part of the configuration.
        command: that trains the job alone, to be written down.

    Returns:
        The status, as in `result.json`.

    Raises:
        UserError: the folder holds a run of another configuration.
    """
    from litmus.run.train import train  # imports torch

    check_same_run(run, requested)
    run.path.mkdir(parents=True, exist_ok=True)
    with run.locked(), console.log_to(run.log):
        result = run.read_result()
        if result is not None and result["status"] in ENDED:
            return str(result["status"])
        run.remove_result()
        was_read = run.last.is_file() or run.best.is_file()
        if was_read:
            config = _resumed(run.read_config(), requested)
            log.info("resumed: %s", overrides)
        else:
            run.write_requested(requested)
            config = requested
            log.info("started: %s", overrides)
        header.chosen({**choices, "task": choice(config, "task")}, config["data"], was_read)
        return train(run, config, started, callbacks, command, is_job=True).status


def _resumed(before: Section, requested: Section) -> Section:
    """A job's resolved configuration, with what may have changed since: where its data lies, and how it is watched."""
    config = {**before, "callback": requested["callback"], "logger": requested["logger"]}
    if "dir" in requested["data"]:
        config["data"] = {**before["data"], "dir": requested["data"]["dir"]}
    return config


def _stays(group: str, name: str, requested: object) -> bool:
    """Whether a resumed run keeps the key's value where its whole group is typed, as in trainer=cpu."""
    if not key_of(f"{group}.{name}").resumable:
        return True
    is_own = name in DEVICE or requested != defaults("trainer", "auto").get(name)  # which the choice sets
    return group == "trainer" and (name == "max_epochs" or not is_own)


def _check_unfinished(run: RunDir, config: Section) -> None:
    result = run.read_result()
    rows = run.whole_metrics()
    done, requested = rows[-1]["epoch"] if rows else 0, num_epochs(config["trainer"])
    steps, most = rows[-1]["step"] if rows else 0, config["trainer"]["max_steps"]
    is_finished = result is not None and result["status"] == "finished"
    if most is not None and (steps > most or (steps == most and is_finished and requested >= done)):
        more = f"trainer.max_steps={2 * steps}"
        if requested < 2 * done:
            more += f" trainer.max_epochs={passes_for(2 * done, config['trainer'])}"
        raise UserError(f"{run.path} has already been trained for {steps:,} steps. To train on, it takes more: {more}.")
    if requested < done or (requested == done and is_finished):
        epochs = f"{done} epoch{'s' * (done != 1)}"
        more = f"trainer.max_epochs={passes_for(2 * done, config['trainer'])}"
        what = f"Add {more} to train on" if requested == done else f"To train on, it takes more, such as {more}"
        raise UserError(f"{run.path} has already been trained for {epochs}. {what}.")


def _value(config: Section, key: str) -> object:
    """A key's value; for a group, the choice."""
    *sections, name = key.split(".")
    holder: Section = functools.reduce(lambda section, inner: section.get(inner) or {}, sections, config)
    value = holder.get(name)
    return choice(config, key) if isinstance(value, dict) and not sections else value
