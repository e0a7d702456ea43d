"""Going on with an interrupted run: its own configuration, and the little that may change."""

import functools
import logging
from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from litmus import console
from litmus.config.keys import choice, flat
from litmus.config.types import Section
from litmus.config.validate import mistakes, shown
from litmus.errors import UserError
from litmus.record.folder import CONFIG, ENDED, RunDir

if TYPE_CHECKING:
    import lightning.pytorch as lightning

log = logging.getLogger(__name__)

# What a run learns stays as it was; where and for how long it trains, and how it is watched, may change.
FREE_GROUPS = ("trainer", "callback", "logger")
FREE_KEYS = ("data.dir", "data.source")
# What a sweep's job may differ in from the run that its folder holds: where its data lies, and how it is watched.
UNSEEN = ("data.dir", "logger", "callback.interrupt", "callback.meter", "callback.progress", "callback.dashboard")


def resumed(run: RunDir, composed: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """The run's configuration, with the values that were typed on top.

    Args:
        run: its folder.
        composed: the configuration that Hydra made of the run's choices and `overrides`.
        overrides: as typed.

    Raises:
        UserError: there is nothing to go on with, or what was typed makes another run of it.
    """
    config = run.read_config()
    typed = {override.partition("=")[0].lstrip("+~") for override in overrides} - {"resume"}
    for group in typed & set(FREE_GROUPS):  # a whole one, such as trainer=cpu
        epochs = {"max_epochs": config["trainer"]["max_epochs"]} if group == "trainer" else {}
        config[group] = {**composed[group], **epochs}
    for key in sorted(typed - set(FREE_GROUPS)):
        wanted, had = _said(composed, key), _said(config, key)
        if wanted == had:
            continue
        *sections, name = key.split(".")
        if key not in FREE_KEYS and sections[:1] not in [[group] for group in FREE_GROUPS]:
            raise UserError(
                f"{run.path} was trained with {key}={shown(had)}; going on with {key}={shown(wanted)} is another run."
            )
        functools.reduce(dict.__getitem__, sections, config)[name] = wanted
    if wrong := mistakes(config):
        raise UserError("\n".join(wrong))
    _refuse_if_finished(run, config)
    return config


class Other(UserError):
    """A folder holds a run of another configuration: where, and in what it differs."""

    def __init__(self, where: str, difference: str) -> None:
        super().__init__(f"{where}\n{difference}")
        self.where = where
        self.difference = difference


def learnt(asked: dict[str, Any]) -> dict[str, Any]:
    """What of a configuration decides what is learnt: equal for two jobs that are the same run."""
    return {
        key: value
        for key, value in flat(asked)
        if not any(key == free or key.startswith(f"{free}.") for free in UNSEEN)
    }


def refuse_other(run: RunDir, asked: dict[str, Any]) -> None:
    """Keeps a sweep's job out of a folder that holds another run than the one asked for.

    Args:
        run: the job's folder.
        asked: the configuration that the sweep asks for, before anything followed from the data.

    Raises:
        UserError: with the keys that differ.
    """
    if not run.path.is_dir():
        return
    before = run.read_requested()
    if before is None:
        if (run.path / CONFIG).is_file():
            raise UserError(f"{run.path} holds a run that is not this sweep's.")
        return
    had, wanted = learnt(before), learnt(asked)
    lines = [
        f"  {key}: {shown(had.get(key))} -> {shown(wanted.get(key))}"
        for key in sorted({*had, *wanted})
        if had.get(key) != wanted.get(key)
    ]
    if lines:
        raise Other(f"{run.path} was run with another configuration:", "\n".join(lines))


def refuse_others(jobs: Sequence[tuple[RunDir, dict[str, Any]]]) -> None:
    """As `refuse_other`, for all jobs of a sweep.

    Raises:
        UserError: with all that differs, or because two jobs share a folder.
    """
    wrong, seen = [], set()
    others: dict[str, list[str]] = {}
    for run, asked in jobs:
        if run.path in seen:
            raise UserError(f"Two jobs would run in {run.path}: a value is typed twice.")
        seen.add(run.path)
        try:
            refuse_other(run, asked)
        except Other as other:
            others.setdefault(other.difference, []).append(other.where)
        except UserError as refused:
            wrong.append(str(refused))
    for difference, (where, *more) in others.items():  # most often the same for all
        wrong.append(f"{where}\n{difference}" + (f"\n  and so for {len(more)} more jobs" if more else ""))
    if wrong:
        raise UserError("\n".join([*wrong, "Choose another sweep.name, or remove what is there."]))


def _refuse_if_finished(run: RunDir, config: dict[str, Any]) -> None:
    result = run.read_result()
    rows = run.read_metrics()
    done, wanted = rows[-1]["epoch"] if rows else 0, config["trainer"]["max_epochs"]
    if wanted < done or (wanted == done and result and result["status"] == "finished"):
        raise UserError(f"{run.path} has trained {done} epochs already. Add trainer.max_epochs={2 * done} to train on.")


def _said(config: dict[str, Any], key: str) -> Any:
    """A key's value; for a group, the choice."""
    *sections, name = key.split(".")
    holder = functools.reduce(lambda section, inner: section.get(inner) or {}, sections, config)
    value = holder.get(name)
    return choice(config, key) if isinstance(value, dict) and not sections else value


def start_or_resume(
    run: RunDir, asked: Section, choices: dict[str, str], started: float, words: str, *watching: "lightning.Callback"
) -> str:
    """A job of a sweep: begins its run, goes on with one that was interrupted or failed, or leaves a finished one be.

    Args:
        run: its folder.
        asked: the configuration that the sweep asks for.
        choices: of the groups.
        started: as in `run_job`.
        words: what is particular to the job, as typed.
        *watching: callbacks that are not part of the configuration.

    Returns:
        The status, as in `result.json`.

    Raises:
        UserError: the folder holds a run of another configuration.
    """
    from litmus.run import summary  # these import torch
    from litmus.run.train import train

    refuse_other(run, asked)
    run.path.mkdir(parents=True, exist_ok=True)
    with run.locked(), console.log_to(run.log):
        result = run.read_result()
        if result is not None and result["status"] in ENDED:
            return str(result["status"])
        run.forget_result()
        config = deepcopy(asked)  # it learns what follows from the data
        if run.last.is_file():
            before = run.read_config()
            config = {**before, "callback": asked["callback"], "logger": asked["logger"]}
            if "dir" in asked["data"]:
                config["data"] = {**before["data"], "dir": asked["data"]["dir"]}
            log.info("going on: %s", words)
        else:
            run.write_requested(asked)
            run.write_config(asked)
            log.info("begins: %s", words)
        summary.chosen(choices)
        return train(run, config, started, watching)
