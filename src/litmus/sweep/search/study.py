"""Optuna's study of a search, with samplers and pruners as litmus configures them."""

import importlib.util
import io
import itertools
import math
import pickle
import random
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from litmus.config.epochs import num_epochs
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.sweep.search import storage as storages
from litmus.sweep.search.objectives import Objectives
from litmus.sweep.search.space import (
    Distribution,
    count_points,
    count_values,
    list_values,
)  # first: names missing Optuna

# isort: split
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

ATTRIBUTE = "litmus"  # of the study: its space and objectives, as one types them
OF_OBJECTIVES = {"sweep.metric", "sweep.direction"}  # in that attribute
MAX_POINTS = 10**5  # of a grid
PACKAGES = {"cmaes": ("cmaes",), "gp": ("scipy", "torch")}  # that a sampler needs

CMAES = (  # names in the pickle of a state of CMA-ES
    "cmaes._cma.CMA",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
)

DAMAGED = "The search's state of sweep.sampler=cmaes, in its study, is damaged"
OTHER_SAMPLER = "Choose another sampler, such as sweep.sampler=tpe."


def open_study(
    folder: Path, where: str, about: dict[str, str], objectives: Objectives
) -> tuple[optuna.Study, BaseStorage]:
    """Opens the study of the sweep's folder, or creates it.

    Args:
        folder: of the sweep.
        where: `sweep.storage`.
        about: the study's space and objectives, by key, as one types them.
        objectives: the metrics.

    One without a finished trial may get other objectives, where this launcher is the only one.

    Returns:
        The study, and the storage that has its file or its connection open.

    Raises:
        UserError: it is another study, or the storage cannot be read.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    storage, name = storages.open_storage(folder, where)
    names = optuna.get_all_study_names(storage)
    if where in storages.FILES:
        name = names[0] if names else name  # a folder may have been renamed since
    else:
        names = [name] if name in names else []  # a server keeps other searches, too
    if names and _is_incomplete(optuna.load_study(study_name=name, storage=storage)):
        optuna.delete_study(study_name=name, storage=storage)
        names = []
    study = optuna.load_study(study_name=name, storage=storage) if names else _create(storage, name, about, objectives)
    earlier = study.user_attrs.get(ATTRIBUTE)
    if earlier is None:
        raise UserError(f"{folder} holds a study that litmus did not create. Choose another sweep.name.")
    changed = [key for key in dict.fromkeys([*earlier, *about]) if earlier.get(key) != about.get(key)]
    if changed and set(changed) <= OF_OBJECTIVES and where == storages.SQLITE and not _has_values(study):
        return _begin_again(study, storage, about, objectives), storage
    if changed:
        none = "not searched"
        lines = [f"  {key}: {earlier.get(key, none)} -> {about.get(key, none)}" for key in changed]
        raise UserError("\n".join([f"{folder} holds another search:", *lines, "Choose another sweep.name."]))
    return study, storage


def _create(storage: BaseStorage, name: str | None, about: dict[str, str], objectives: Objectives) -> optuna.Study:
    study = optuna.create_study(storage=storage, study_name=name, directions=objectives.directions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(objectives.metrics))
    study.set_user_attr(ATTRIBUTE, about)
    return study


def _has_values(study: optuna.Study) -> bool:
    """Whether a trial has been judged by the study's objectives."""
    return any(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in study.get_trials(deepcopy=False))


def _begin_again(
    study: optuna.Study, storage: BaseStorage, about: dict[str, str], objectives: Objectives
) -> optuna.Study:
    """The study with other objectives, which Optuna fixes when it makes one; the trials keep numbers and values."""
    trials = study.get_trials()
    optuna.delete_study(study_name=study.study_name, storage=storage)
    other = _create(storage, study.study_name, about, objectives)
    for trial in trials:
        trial.intermediate_values = {}  # of the earlier objective
        other.add_trial(trial)
    return other


def _is_incomplete(study: optuna.Study) -> bool:
    """Whether the process that created the study was killed before it wrote the attribute."""
    return ATTRIBUTE not in study.user_attrs and not study.get_trials(deepcopy=False)


def check_sampler(name: str, space: Mapping[str, Distribution]) -> None:
    """Checks that a sampler can search a space; some would silently fall back to another one.

    Raises:
        UserError: it cannot, or it needs a package that is not installed.
    """
    for package in PACKAGES.get(name, ()):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"sweep.sampler={name} needs the package {package}: pip install 'litmus[search]'.")
    for key, distribution in space.items():
        if name == "grid" and math.isinf(count_values(distribution)):
            raise UserError(f"sweep.sampler=grid tries every value, but {key} is continuous: use range or choice.")
        if name == "cmaes" and isinstance(distribution, CategoricalDistribution):
            raise UserError(f"sweep.sampler=cmaes searches numbers, but {key} is a choice: use sweep.sampler=tpe.")
    if name == "cmaes" and len(space) < 2:
        raise UserError("sweep.sampler=cmaes needs two keys or more: use sweep.sampler=tpe.")
    if name == "grid" and count_points(space) > MAX_POINTS:
        raise UserError(f"The grid has {count_points(space):,} points: use sweep.sampler=random.")


def make_sampler(
    name: str, space: Mapping[str, Distribution], seed: int, number: int, study: optuna.Study
) -> BaseSampler:
    """The sampler for trial `number` of the study.

    Each trial has a seed of its own, so that a search that was interrupted proposes the same trials as one that was
    not. `gp` imports torch into this process, once there are ten trials to learn from.
    """
    own_seed = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    if name == "tpe":
        return TPESampler(
            seed=own_seed, constant_liar=True
        )  # assumes that running trials are bad, so that no two try the same
    if name == "cmaes":
        return Cmaes(seed=own_seed)
    if name == "gp":
        return GPSampler(seed=own_seed)
    return GridSampler(space, seed, study) if name == "grid" else RandomSampler(seed=own_seed)


class Cmaes(CmaEsSampler):
    """CMA-ES, whose state in the study may come from somebody else, and is a pickle: it must hold numbers alone.

    Overrides a private method, because no public one reads the state.
    """

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> Any:
        for trial in reversed(completed_trials):
            parts = {key: part for key, part in trial.system_attrs.items() if key.startswith(self._attr_key_optimizer)}
            if parts:
                return self._read(self._concat_optimizer_attrs(parts))
        return None

    @staticmethod
    def _read(state: str) -> object:
        """Creates what an unfinished or altered pickle may fail to create in any way."""
        from cmaes import CMA

        try:
            read: object = _Unpickler(io.BytesIO(bytes.fromhex(state))).load()
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{DAMAGED}: {error}. {OTHER_SAMPLER}") from None
        if not isinstance(read, CMA):
            raise UserError(f"{DAMAGED}: it is {type(read).__name__}. {OTHER_SAMPLER}")
        return read


class _Unpickler(pickle.Unpickler):
    """Creates what a state of CMA-ES consists of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in CMAES:
            raise UserError(
                f"The search's state of sweep.sampler=cmaes holds {module}.{name}, which could run code and is not "
                f"part of one. {OTHER_SAMPLER}"
            )
        return super().find_class(module, name)


class GridSampler(BaseSampler):
    """Tries the points that no trial has tried, in random order, so that a few are spread over the whole grid.

    Optuna's own goes by the trials' numbers: it leaves gaps where a search was resumed with another sampler.
    """

    def __init__(self, space: Mapping[str, Distribution], seed: int, study: optuna.Study) -> None:
        self.space: dict[str, BaseDistribution] = {**space}
        self.study = study
        self.points = list(itertools.product(*(list_values(distribution) or [] for distribution in space.values())))
        random.Random(seed).shuffle(self.points)

    def untried(self) -> list[dict[str, Any]]:
        """The points that no trial has tried."""
        trials = self.study.get_trials(deepcopy=False)
        tried = {tuple(trial.params.get(key) for key in self.space) for trial in trials}
        return [dict(zip(self.space, point, strict=True)) for point in self.points if point not in tried]

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The first untried point, or if there is none the first point, that agrees with the trial's parameters.

        A trial has some if a process was killed while it drew them. If another sampler drew them, all points that
        agree may have been tried.
        """
        every = [dict(zip(self.space, point, strict=True)) for point in self.points]
        return next(point for point in [*self.untried(), *every] if trial.params.items() <= point.items())

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        raise AssertionError(f"{param_name} is not part of the grid")


def make_pruner(name: str, trainer: Section) -> BasePruner:
    """The pruner of that name; its unit of resource is an epoch.

    Raises:
        UserError: how many epochs there will be is not known before.
    """
    if name == "hyperband":
        if isinstance(interval := trainer["val_check_interval"], int):
            raise UserError(
                f"trainer.val_check_interval={interval} leaves open how many epochs there are, which "
                "sweep.pruner=hyperband needs. Give a part of a pass, such as trainer.val_check_interval=0.25, or "
                "choose sweep.pruner=median."
            )
        if (most := trainer["max_steps"]) is not None:
            raise UserError(
                f"trainer.max_steps={most} may end a trial before the epochs at which sweep.pruner=hyperband compares "
                "them. Give trainer.max_epochs alone, or choose sweep.pruner=median."
            )
        return Hyperband(num_epochs(trainer))
    if name == "successive_halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    return MedianPruner() if name == "median" else NopPruner()


class Hyperband(BasePruner):
    """Hyperband (Li et al. 2018) whose brackets depend on a trial's number alone, and whose sampler sees all trials.

    No trial is pruned before a twelfth of its epochs: the first few say little about the last. Brackets that would
    first prune in the second half of the epochs are left out: they save almost nothing.

    Wraps Optuna's `HyperbandPruner` and does not inherit from it, because Optuna shows a sampler only the trials of one
    bracket if the pruner is of that class: in each bracket, TPE would start again with ten random trials.
    """

    def __init__(self, max_epochs: int) -> None:
        least, most = max(max_epochs // 12, 1), max(max_epochs // 2, 1)
        self.brackets = _Brackets(min_resource=least, max_resource=most, reduction_factor=3)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial falls behind the others of its bracket."""
        return self.brackets.prune(study, trial)


class _Brackets(HyperbandPruner):
    """Brackets that do not depend on the study's name.

    Overrides a private method, because no public one decides the bracket: Optuna hashes the study's name, which is that
    of a folder here, so the same search in another folder would take another course.
    """

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        return super()._get_bracket_id(SimpleNamespace(study_name="litmus"), trial)  # type: ignore[arg-type]
