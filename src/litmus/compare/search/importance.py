"""How much each searched key matters for being among the best trials.

PED-ANOVA ([Watanabe, Bansal and Hutter 2023](https://arxiv.org/abs/2304.10255)), as Optuna has it: where the values of
the best trials lie otherwise than those of all trials, the key matters. It asks for ranks alone, so trials that were
pruned or diverged count, too: as those that are not among the best.
"""

import importlib.util
import math
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litmus.record.search import DIVERGED, PRUNED, Choices, Numbers, Search, Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LEAST = 10  # trials
TOP = 0.1  # the fraction of trials that are the best; as in the paper
LEAST_TOP = 5  # of those; Optuna's documentation asks for so many
DRAWS = 20  # of random numbers, as yardstick


@dataclass(frozen=True)
class Importance:
    """The importance of the searched keys for one objective.

    Attributes:
        shares: by key, the most important first; they add up to 1.
        by_chance: the largest share that a key of random numbers had, in DRAWS draws.
        num_best: how many trials are the best.
        num_trials: of how many.
    """

    shares: dict[str, float]
    by_chance: float
    num_best: int
    num_trials: int


def importance(search: Search, objective: int) -> Importance | str:
    """The importance of each searched key, or a sentence that says why it is not known.

    Args:
        search: the search.
        objective: the number of its metric.
    """
    metric = search.metrics[objective]
    costs = _costs(search, objective)
    if len(search.space) < 2:
        return "One key was searched: there is no other to compare its importance with."
    if len(costs) < LEAST:
        return f"The importance of the keys takes {LEAST} trials that ended; there are {len(costs)}."
    if len(set(costs.values())) < 2:
        return f"Every trial has the same {metric}: no key has shown any importance."
    if importlib.util.find_spec("optuna") is None:
        return "The importance of the keys needs Optuna: pip install 'litmus[search]'."
    trials = [trial for trial in search.trials if trial.number in costs]
    top = min(0.5, max(TOP, LEAST_TOP / len(trials)))
    raw = _scores(search.space, [trial.params for trial in trials], list(costs.values()), top)
    total = math.fsum(raw.values())
    if not total > 0:
        return f"The trials with the best {metric} lie where all others lie: no key has shown any importance."
    shares = {key: raw[key] / total for key in sorted(raw, key=lambda key: -raw[key])}
    by_chance = max(_score_of_noise(list(costs.values()), top, draw) for draw in range(DRAWS)) / total
    return Importance(shares, by_chance, math.ceil(top * len(trials)), len(trials))


def _costs(search: Search, objective: int) -> dict[int, float]:
    """A cost for each trial that ended, by number; that of what diverged or was pruned is above all others."""
    sign = search.signs()[objective]
    finished = {t.number: sign * value for t in search.finished() if (value := t.values[objective]) is not None}
    worst = max(finished.values(), default=0.0)
    beyond = worst + abs(worst) + 1.0
    return {t.number: finished.get(t.number, beyond) for t in search.trials if t.number in finished or _counts(t)}


def _counts(trial: Trial) -> bool:
    return trial.state in (PRUNED, DIVERGED)


def _score_of_noise(costs: Sequence[float], top: float, draw: int) -> float:
    rng = random.Random(draw)
    points = [{"noise": rng.random()} for _ in costs]
    return _scores({"noise": Numbers(0.0, 1.0, False, None)}, points, costs, top)["noise"]


def _scores(
    space: Mapping[str, Numbers | Choices],
    points: Sequence[Mapping[str, int | float | str]],
    costs: Sequence[float],
    top: float,
) -> dict[str, float]:
    """PED-ANOVA's scores by key, which do not add up to anything."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # a study says so when it is made
    distributions = {key: _distribution(searched) for key, searched in space.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values outside a step's grid, by the last bit
        study = optuna.create_study(storage=None)
        study.add_trials(
            [
                optuna.trial.create_trial(value=cost, params=dict(point), distributions=distributions)
                for point, cost in zip(points, costs, strict=True)
            ]
        )
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=top)
        return optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)


def _distribution(searched: Numbers | Choices) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(searched, Choices):
        return CategoricalDistribution(searched.choices)
    return FloatDistribution(searched.low, searched.high, log=searched.log)  # steps do not matter here
