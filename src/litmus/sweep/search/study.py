"""Optuna's study of a search, in the sweep's folder; its samplers and pruners as litmus sets them.

The study is a file of SQLite. Optuna's other one, a journal, does not survive what it must: a process killed while it
writes leaves half a line, which damages the file with the next line, and a lock that keeps others out for 30 seconds.
"""

import importlib.util
import itertools
import math
import random
import sqlite3
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from litmus.errors import UserError
from litmus.sweep.pool.job import STUDY
from litmus.sweep.search.objectives import Objectives
from litmus.sweep.search.space import count, points, values  # first: it says what is missing where Optuna is

# isort: split
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

BUSY_S = 60.0  # to wait for somebody else who writes
ATTRIBUTE = "litmus"  # of the study: what it searches, and for what
MAX_POINTS = 10**5  # of a grid
PACKAGES = {"cmaes": ("cmaes",), "gp": ("scipy", "torch")}  # that a sampler needs


def opened(folder: Path, about: dict[str, str], objectives: Objectives) -> tuple[optuna.Study, RDBStorage]:
    """The study in the sweep's folder, a new one if there is none, and its file.

    Args:
        folder: of the sweep.
        about: what the study searches, and for what, as one types it.
        objectives: the metrics.

    Raises:
        UserError: the file holds another study, or none.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    storage = _storage((folder / STUDY).resolve())
    known = optuna.get_all_study_names(storage)
    name = known[0] if known else folder.resolve().name  # a folder may have been renamed since
    if known and _is_unborn(optuna.load_study(study_name=name, storage=storage)):
        optuna.delete_study(study_name=name, storage=storage)
        known = []
    study = optuna.create_study(storage=storage, study_name=name, directions=objectives.directions, load_if_exists=True)
    if not known:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(objectives.metrics))
        study.set_user_attr(ATTRIBUTE, about)
    had = study.user_attrs.get(ATTRIBUTE)
    if had is None:
        raise UserError(f"{folder / STUDY} holds a study that is not litmus'. Choose another sweep.name.")
    if had != about:
        lines = [
            f"  {key}: {had.get(key, 'not searched')} -> {about.get(key, 'not searched')}"
            for key in dict.fromkeys([*had, *about])
            if had.get(key) != about.get(key)
        ]
        raise UserError("\n".join([f"{folder} holds another search:", *lines, "Choose another sweep.name."]))
    return study, storage


def _is_unborn(study: optuna.Study) -> bool:
    """Whether the process was killed before it had written down what the study is about."""
    return ATTRIBUTE not in study.user_attrs and not study.get_trials(deepcopy=False)


def _storage(path: Path) -> RDBStorage:
    """A database in which a commit does not wait for the disk, and is lost with the machine's power, not the process.

    What is lost then, the run folders still tell.
    """

    def connection() -> sqlite3.Connection:
        made = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
        made.execute("PRAGMA journal_mode=WAL")  # a dashboard that reads does not hold up the search
        made.execute("PRAGMA synchronous=NORMAL")
        made.execute("PRAGMA wal_autocheckpoint=100")  # pages; or all of a search stands in study.db-wal for hours
        return made

    try:
        connection().close()
        # The address says what kind it is; a path in it would have to be quoted, in a way that depends on the version.
        return RDBStorage(f"sqlite:///{STUDY}", {"creator": connection})
    except (sqlite3.DatabaseError, RuntimeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def refuse(name: str, space: Mapping[str, BaseDistribution]) -> None:
    """Keeps a sampler from a space that it would, without a word, search in another way.

    Raises:
        UserError: it cannot search that space, or needs a package that is not installed.
    """
    for package in PACKAGES.get(name, ()):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"sweep.sampler={name} needs the package {package}: pip install 'litmus[search]'.")
    for key, distribution in space.items():
        if name == "grid" and math.isinf(count(distribution)):
            raise UserError(f"sweep.sampler=grid tries every value, and {key} has no end of them: use range or choice.")
        if name == "cmaes" and isinstance(distribution, CategoricalDistribution):
            raise UserError(f"sweep.sampler=cmaes searches numbers, and {key} is a choice: use sweep.sampler=tpe.")
    if name == "cmaes" and len(space) < 2:
        raise UserError("sweep.sampler=cmaes searches two keys or more: use sweep.sampler=tpe.")
    if name == "grid" and points(space) > MAX_POINTS:
        raise UserError(f"The grid has {points(space):,} points: use sweep.sampler=random.")


def sampler(
    name: str, space: Mapping[str, BaseDistribution], seed: int, number: int, study: optuna.Study
) -> BaseSampler:
    """What proposes trial `number` of the study.

    Each trial has a seed of its own: a search that was interrupted goes on as it would have without. `gp` imports torch
    into this process, once there are ten trials to learn from.
    """
    own = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    if name == "tpe":
        return TPESampler(seed=own, constant_liar=True)  # running trials count as bad ones: no two try the same
    if name == "cmaes":
        return CmaEsSampler(seed=own)
    if name == "gp":
        return GPSampler(seed=own)
    return Grid(space, seed, study) if name == "grid" else RandomSampler(seed=own)


class Grid(BaseSampler):
    """Tries what no trial has tried yet, in an order in which a part of the grid is spread over all of it.

    Optuna's own goes by the trials' numbers: it leaves gaps where a search went on with another sampler.
    """

    def __init__(self, space: Mapping[str, BaseDistribution], seed: int, study: optuna.Study) -> None:
        self.space = dict(space)
        self.study = study
        self.points = list(itertools.product(*(values(distribution) or [] for distribution in space.values())))
        random.Random(seed).shuffle(self.points)

    def left(self) -> list[dict[str, Any]]:
        """The points that no trial has."""
        trials = self.study.get_trials(deepcopy=False)
        tried = {tuple(trial.params.get(key) for key in self.space) for trial in trials}
        return [dict(zip(self.space, point, strict=True)) for point in self.points if point not in tried]

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.space

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: Any) -> dict[str, Any]:
        """The first point that is left, of those that have what was drawn before the process was killed; where
        another sampler had drawn that, none may be left: then any of those.
        """
        every = [dict(zip(self.space, point, strict=True)) for point in self.points]
        return next(point for point in [*self.left(), *every] if trial.params.items() <= point.items())

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        raise AssertionError(f"{param_name} is no part of the grid")


def pruner(name: str, max_epochs: int) -> BasePruner:
    """What stops trials; an epoch is a unit of its resource."""
    if name == "hyperband":
        return Hyperband(max_epochs)
    if name == "successive_halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    return MedianPruner() if name == "median" else NopPruner()


class Hyperband(BasePruner):
    """Hyperband (Li et al. 2018) whose brackets depend on a trial's number alone, and share what was learnt.

    No trial is judged before a twelfth of its epochs: the first few say little of the last. Of the brackets, those are
    left out that look at a trial for the first time in the second half of its epochs: they save next to nothing.

    Optuna's own shows a sampler the trials of one bracket only: in each, TPE would begin anew with ten at random. That
    is why this is a pruner that has one, not one of that class.
    """

    def __init__(self, max_epochs: int) -> None:
        least, most = max(max_epochs // 12, 1), max(max_epochs // 2, 1)
        self.brackets = _Brackets(min_resource=least, max_resource=most, reduction_factor=3)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial falls behind the others of its bracket."""
        return self.brackets.prune(study, trial)


class _Brackets(HyperbandPruner):
    """Optuna draws a trial's bracket from the study's name, too, which is a folder's here: the same search in another
    folder would go another way.
    """

    def _get_bracket_id(self, study: Any, trial: Any) -> int:
        return super()._get_bracket_id(SimpleNamespace(study_name="litmus"), trial)  # type: ignore[arg-type]
