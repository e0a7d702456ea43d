"""A study as `search.json` has it."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from litmus.record.search import (
    DIVERGED,
    FAILED,
    FINISHED,
    PRUNED,
    RUNNING,
    SEARCH,
    Choices,
    Numbers,
    Search,
    State,
    Trial,
    write_search,
)
from litmus.sweep.search.space import Distribution  # first: names missing Optuna

# isort: split
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

log = logging.getLogger(__name__)

RECORD_PART = 0.05  # of the time that writing `search.json` may take: all of it is written, each time
BEST_EPOCH = "best_epoch"  # attribute of a trial
STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: FINISHED,
    TrialState.PRUNED: PRUNED,
    TrialState.FAIL: FAILED,
    TrialState.RUNNING: RUNNING,
}


class Record:
    """Writes `search.json`, for `litmus compare`, in a small part of the time.

    Args:
        folder: of the sweep.
        search: without trials.
    """

    def __init__(self, folder: Path, search: Search) -> None:
        self.folder = folder
        self.search = search
        self._pause_s = 0.0
        self._due = 0.0  # by the monotonic clock
        self._latest: int | None = None  # when it was written, by the file's clock

    def is_due(self) -> bool:
        """Whether to write it again. Of several launchers, one does in each pause: others see that it has."""
        if time.monotonic() < self._due:
            return False
        latest, self._latest = self._latest, self._written()
        if latest == self._latest:
            return True
        self._due = time.monotonic() + self._pause_s
        return False

    def write(self, study: Study) -> Search:
        """Writes it, with the study's trials; that this fails does not end the search.

        Returns:
            What it holds.
        """
        begin = time.monotonic()
        trials = trial_records(study.get_trials(deepcopy=False), len(self.search.metrics))
        search = replace(self.search, trials=trials)
        try:
            write_search(self.folder, search)
        except OSError as error:
            log.warning("%s cannot be written: %s", self.folder / SEARCH, error)
        end = time.monotonic()
        self._pause_s = (end - begin) / RECORD_PART
        self._due, self._latest = end + self._pause_s, self._written()
        return search

    def _written(self) -> int | None:
        try:
            return (self.folder / SEARCH).stat().st_mtime_ns
        except OSError:
            return None


def space_record(space: Mapping[str, Distribution]) -> dict[str, Numbers | Choices]:
    """What is searched, by key."""
    return {key: _searched(distribution) for key, distribution in space.items()}


def _searched(distribution: Distribution) -> Numbers | Choices:
    if isinstance(distribution, CategoricalDistribution):
        return Choices(tuple(str(choice) for choice in distribution.choices))
    step = distribution.step if isinstance(distribution, FloatDistribution) else float(distribution.step)
    return Numbers(distribution.low, distribution.high, distribution.log, step)


def trial_records(trials: Sequence[FrozenTrial], num_objectives: int) -> tuple[Trial, ...]:
    """The trials that began, by number.

    Args:
        trials: of the study.
        num_objectives: of the study.
    """
    begun = [trial for trial in trials if trial.state in STATES]
    return tuple(_trial(trial, num_objectives) for trial in sorted(begun, key=lambda trial: trial.number))


def _trial(trial: FrozenTrial, num_objectives: int) -> Trial:
    has_diverged = bool(trial.user_attrs.get(DIVERGED))
    values: Sequence[float | None] | None = None if has_diverged else trial.values
    if trial.state is TrialState.PRUNED:  # told without a value: that of its last epoch
        values = [trial.intermediate_values[max(trial.intermediate_values)]] if trial.intermediate_values else None
    return Trial(
        number=trial.number,
        folder=trial_folder(trial.number),
        state=DIVERGED if has_diverged else STATES[trial.state],
        params=dict(trial.params),
        values=tuple(values or [None] * num_objectives),
        best_epoch=trial.user_attrs.get(BEST_EPOCH),
    )


def trial_folder(number: int) -> str:
    """The name of the run folder of a trial."""
    return f"trial_{number:04}"
