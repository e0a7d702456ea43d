"""A study as `search.json` has it."""

from collections.abc import Mapping, Sequence

from litmus.record.search import DIVERGED, FAILED, FINISHED, PRUNED, RUNNING, Choices, Numbers, State, Trial
from litmus.sweep.search.space import Distribution  # first: names missing Optuna

# isort: split
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

BEST_EPOCH = "best_epoch"  # attribute of a trial
STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: FINISHED,
    TrialState.PRUNED: PRUNED,
    TrialState.FAIL: FAILED,
    TrialState.RUNNING: RUNNING,
}


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
