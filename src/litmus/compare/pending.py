"""Which row is theirs, of runs that ended or stand before it was known what their configuration comes to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from litmus.compare.collect import WRONG, Run, sentence
from litmus.compare.settings import identity
from litmus.config.keys import hyperparameters
from litmus.record.folder import ENDED, REQUESTED, RunDir

AUTO = "auto"
FOLLOWING = ("trainer.precision", "data.source")  # keys whose `auto` a run's configuration replaces by what was chosen


def settled(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs, each with the settings that its row has, and a sentence for each `asked.yaml` that cannot be read.

    Rows are made by `config.yaml`, which says what a run was trained with: `trainer.precision=32` where one had asked
    for `auto`, `data.source=bundled` where nothing else was to be had, the task that the data asks for. So runs meet in
    a row wherever they come from, out of sweeps, whose jobs have an `asked.yaml`, and by hand, which have none; and
    those that fell back on other data than was asked for share no mean with those that did not.

    A run that failed, was stopped, or has just begun, and has no epoch yet, may still say what was asked. Unless a
    finished (or pruned) run has its very settings, it takes over those, and the metric, of the first one that was asked
    the same. What was asked is what `asked.yaml` says. Of a run without one that has no epoch it is what `config.yaml`
    says; of a finished one, `auto` may have been in place of any value of `FOLLOWING`: if no `asked.yaml` shows another
    run that was asked for that, it is taken to be this one.

    `asked.yaml` is read only if there are such runs.

    Args:
        runs: as they were collected.
    """
    ended = sorted((run for run in runs if run.status in ENDED), key=lambda run: run.status)  # finished ones first
    known = {identity(run.settings) for run in ended}
    early = [run for run in runs if run.status not in ENDED and not run.rows and identity(run.settings) not in known]
    if not early:
        return list(runs), []
    damaged: list[str] = []
    asked = {run.folder: _asked(run, damaged) for run in (*ended, *early)}
    models: dict[str, Run] = {}
    for run in ended:
        if (request := asked[run.folder]) is not None:
            models.setdefault(request, run)
    for run in ended:
        if asked[run.folder] is None:
            for request in _requests(run.settings):
                models.setdefault(request, run)
    found: dict[Path, Run] = {}
    for run in early:
        request = asked[run.folder]
        if model := models.get(identity(run.settings) if request is None else request):
            found[run.folder] = replace(run, settings=model.settings, monitor=model.monitor)
    return [found.get(run.folder, run) for run in runs], damaged


def _asked(run: Run, damaged: list[str]) -> str | None:
    """The identity of what a sweep asked for; None for a run by hand."""
    try:
        config = RunDir(run.folder).read_requested()
        settings = None if config is None else hyperparameters(config)
    except FileNotFoundError:
        return None  # it was removed while we looked
    except WRONG as error:
        damaged.append(f"{run.folder / REQUESTED} is damaged and passed by: {sentence(error)}")
        return None
    return None if settings is None else identity({key: value for key, value in settings.items() if key != "seed"})


def _requests(settings: dict[str, Any]) -> Iterator[str]:
    """What may have been asked for to come to these settings, the most cautious first."""
    for keys in (FOLLOWING[:1], FOLLOWING[1:], FOLLOWING):
        yield identity(settings | {key: AUTO for key in keys if key in settings})
