"""Which row runs belong to that ended, or still stand, before their final settings were known."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from litmus.compare.collect import DAMAGE, Run, describe_damage
from litmus.compare.settings import Settings, settings_key
from litmus.config.keys import hyperparameters
from litmus.record.folder import ENDED, REQUESTED, RunDir

AUTO = "auto"
RESOLVED = ("trainer.precision", "data.source")  # keys whose `auto` is replaced in config.yaml by what was chosen


def with_final_settings(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Gives runs without an epoch the settings of their row.

    Rows are made from `config.yaml`, which says what a run was trained with: `trainer.precision=32` where `auto` was
    requested, `data.source=bundled` where nothing else was available, the task that follows from the data. So runs of
    sweeps, whose jobs have a `requested.yaml`, and single runs, which have none, share a row, and a run that fell back
    on other data shares no mean with those that did not.

    The `config.yaml` of a run that failed, was stopped, or has just begun, and has no epoch yet, may still hold what
    was requested. Unless an ended (finished or pruned) run has the very same settings, it takes over settings and
    metric of the first ended run with the same request. The request is what `requested.yaml` says. Without that file
    it is, for a run without an epoch, what `config.yaml` says; an ended run may have been requested with `auto` for any
    of RESOLVED, and is matched by that only if no `requested.yaml` shows another run with this request.

    `requested.yaml` is read only if there are such runs.

    Args:
        runs: as they were collected.

    Returns:
        The runs, and a message for each `requested.yaml` that is damaged.
    """
    ended = sorted((run for run in runs if run.status in ENDED), key=lambda run: run.status)  # finished ones first
    known = {settings_key(run.settings) for run in ended}
    early = [
        run for run in runs if run.status not in ENDED and not run.rows and settings_key(run.settings) not in known
    ]
    if not early:
        return list(runs), []
    damaged: list[str] = []
    requests = {run.folder: _request(run, damaged) for run in (*ended, *early)}
    models: dict[str, Run] = {}
    for run in ended:
        if (request := requests[run.folder]) is not None:
            models.setdefault(request, run)
    for run in ended:
        if requests[run.folder] is None:
            for request in _possible_requests(run.settings):
                models.setdefault(request, run)
    final: dict[Path, Run] = {}
    for run in early:
        request = requests[run.folder]
        if model := models.get(settings_key(run.settings) if request is None else request):
            final[run.folder] = replace(run, settings=model.settings, monitor=model.monitor)
    return [final.get(run.folder, run) for run in runs], damaged


def _request(run: Run, damaged: list[str]) -> str | None:
    """The identity of the settings that a sweep requested; None for a single run."""
    try:
        config = RunDir(run.folder).read_requested()
        settings = None if config is None else hyperparameters(config)
    except FileNotFoundError:
        return None  # removed in the meantime
    except DAMAGE as error:
        damaged.append(f"{run.folder / REQUESTED} is damaged and ignored: {describe_damage(error)}")
        return None
    if settings is None:
        return None
    return settings_key({key: value for key, value in settings.items() if key not in ("seed", "data.fold")})


def _possible_requests(settings: Settings) -> Iterator[str]:
    """What may have been requested to end in these settings, fewest `auto` first."""
    for keys in (RESOLVED[:1], RESOLVED[1:], RESOLVED):
        yield settings_key(settings | {key: AUTO for key in keys if key in settings})
