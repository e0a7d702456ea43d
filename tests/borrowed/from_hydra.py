"""What litmus borrows of Hydra, OmegaConf and Optuna."""

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from borrowed.entry import Borrowed
from helpers import CONF, composed


def values_are_put_into_a_configuration() -> bool:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    config = OmegaConf.create({"model": {"dropout": 0.0}})
    ConfigLoaderImpl._apply_overrides_to_config(OverridesParser.create().parse_overrides(["model.dropout=0.5"]), config)
    return config.model.dropout == 0.5


def a_configuration_loses_its_parent() -> bool:
    from omegaconf import OmegaConf

    config = OmegaConf.create({"inner": {"key": 1}})
    inner = config.inner
    inner._set_parent(None)
    return inner._get_parent() is None


def combinations_are_made() -> bool:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    words = OverridesParser.create().parse_overrides(["model=fnn,cnn", "seed=1,2"])
    (jobs,) = BasicSweeper.split_arguments(words, max_batch_size=None)
    return len(jobs) == 4


def a_job_s_return_value_is_stored_as_it_is() -> bool:
    from hydra.core.utils import JobReturn, JobStatus

    ended = JobReturn()
    ended.status, ended.return_value = JobStatus.FAILED, ValueError("why")
    return isinstance(ended._return_value, ValueError)  # the property would raise it


def a_loader_tells_groups_from_keys() -> bool:
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(str(CONF), version_base="1.3"):
        repository = GlobalHydra.instance().config_loader().repository
        return repository.group_exists("model") and not repository.group_exists("seed")


def mistakes_tell_what_was_typed() -> bool:
    from hydra.errors import MissingConfigException, OverrideParseException

    with pytest.raises(MissingConfigException) as missing:
        composed("model=nothing")
    with pytest.raises(OverrideParseException) as unread:
        composed("model")
    named = missing.value.missing_cfg_file == "model/nothing" and "cnn" in (missing.value.options or [])
    return named and unread.value.override == "model" and bool(unread.value.message)


def sweeps_hold_their_values() -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Transformer

    parse = OverridesParser.create().parse_overrides
    (choice,), (interval,) = parse(["model=choice(fnn,cnn)"]), parse(["model.dropout=tag(log,interval(0.1,0.5))"])
    between = interval.value()
    named = [Transformer.str(each) for each in choice.value().list]
    return named == ["fnn", "cnn"] and (between.start, between.end, between.tags) == (0.1, 0.5, {"log"})


def a_trial_draws_again_under_its_number() -> bool:
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    half = {"x": optuna.distributions.FloatDistribution(0, 1)}
    trial = study.ask(half)
    again = optuna.trial.Trial(study, study.get_trials()[0]._trial_id)
    return again._suggest("x", half["x"]) == trial.params["x"]


def a_bracket_comes_from_the_study_s_name_and_the_trial_s_number() -> bool:
    import optuna

    class Noting(optuna.pruners.HyperbandPruner):
        requested = False

        def _get_bracket_id(self, study: Any, trial: Any) -> int:
            Noting.requested = True
            return super()._get_bracket_id(SimpleNamespace(study_name="litmus"), trial)  # type: ignore[arg-type]

    study = optuna.create_study(pruner=Noting(min_resource=1, max_resource=9, reduction_factor=3))
    for _ in range(2):
        trial = study.ask()
        trial.report(0.5, 1)
        trial.should_prune()
        study.tell(trial, 0.5)
    return Noting.requested


def a_state_of_cmaes_is_read_in_one_place() -> bool:
    """`test_sampling.py` shows that it is asked."""
    from optuna.samplers import CmaEsSampler

    methods = {CmaEsSampler._restore_optimizer, CmaEsSampler._concat_optimizer_attrs}
    return len(methods) == 2 and isinstance(CmaEsSampler._attr_key_optimizer, property)


def a_storage_can_be_closed() -> bool:
    import sqlite3

    from optuna.storages import RDBStorage

    storage = RDBStorage("sqlite:///study.db", {"creator": lambda: sqlite3.connect("made.db", check_same_thread=False)})
    storage.remove_session()
    storage.engine.dispose()
    return Path("made.db").is_file() and not Path("study.db").exists()


def hydra_looks_for_its_mode() -> bool:
    """By this method alone, whose answer it does without."""
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import _run_app, _run_hydra

    uses = [source for source in (inspect.getsource(_run_hydra),) if "hydra.get_mode(" in source]
    return bool(uses) and callable(Hydra.get_mode) and "if mode is None" in inspect.getsource(_run_app)


def hydra_s_options_are_parsed() -> bool:
    from hydra._internal.utils import get_args_parser

    known, unknown = get_args_parser().parse_known_args(["--nope", "--cfg", "job", "model=cnn"])
    return (known.cfg, known.overrides, unknown) == ("job", ["model=cnn"], ["--nope"])


BORROWED = [
    Borrowed(
        "hydra",
        "hydra._internal.hydra:Hydra.get_mode",
        "Every command would compose its configuration twice, and answer a quarter of a second later.",
        hydra_looks_for_its_mode,
    ),
    Borrowed(
        "hydra",
        "hydra._internal.utils:get_args_parser",
        "`--model fnn` would be answered with Hydra's usage, not with `model=fnn`.",
        hydra_s_options_are_parsed,
    ),
    Borrowed(
        "hydra",
        "hydra._internal.config_loader_impl:ConfigLoaderImpl._apply_overrides_to_config",
        "Each job of a sweep would read every configuration file anew: ten times slower to compose.",
        values_are_put_into_a_configuration,
    ),
    Borrowed(
        "hydra",
        "hydra._internal.core_plugins.basic_sweeper:BasicSweeper.split_arguments",
        "A grid would have no combinations of the values that were typed.",
        combinations_are_made,
    ),
    Borrowed(
        "hydra",
        "JobReturn._return_value",
        "A job's own error could not be read: the public property raises it.",
        a_job_s_return_value_is_stored_as_it_is,
    ),
    Borrowed(
        "hydra",
        "ConfigLoader.repository.group_exists",
        "A sweep could not tell the choice of a group from a value.",
        a_loader_tells_groups_from_keys,
    ),
    Borrowed(
        "hydra",
        "MissingConfigException.options, OverrideParseException.override",
        "A misspelled choice would be answered by Hydra's own message, without `Did you mean`.",
        mistakes_tell_what_was_typed,
    ),
    Borrowed(
        "hydra",
        "ChoiceSweep.list, IntervalSweep.tags, Transformer.str",
        "A search could not read its space from the command line.",
        sweeps_hold_their_values,
    ),
    Borrowed(
        "hydra",
        "hydra.experimental.callback:Callback.on_job_end",
        "A wrong value would be found only after the run folder is made; the exit status would not tell success.",
    ),
    Borrowed(
        "omegaconf",
        "DictConfig._set_parent",
        "A part of a configuration would be resolved against all of it, Hydra's values included.",
        a_configuration_loses_its_parent,
    ),
    Borrowed(
        "optuna",
        "FrozenTrial._trial_id",
        "A search that is resumed could not go on with the trials that were running.",
        a_trial_draws_again_under_its_number,
    ),
    Borrowed(
        "optuna",
        "Trial._suggest",
        "A trial whose process was killed while its values were drawn would lack some of them.",
        a_trial_draws_again_under_its_number,
    ),
    Borrowed(
        "optuna",
        "HyperbandPruner._get_bracket_id",
        "The same search in a folder of another name would prune other trials.",
        a_bracket_comes_from_the_study_s_name_and_the_trial_s_number,
    ),
    Borrowed(
        "optuna",
        "RDBStorage.engine, RDBStorage.remove_session, engine_kwargs['creator']",
        "study.db would lack its last trials until the process ends: they would lie in study.db-wal.",
        a_storage_can_be_closed,
    ),
    Borrowed(
        "optuna",
        "CmaEsSampler._restore_optimizer, CmaEsSampler._concat_optimizer_attrs, CmaEsSampler._attr_key_optimizer",
        "The state of CMA-ES in a study.db that somebody else made could run code.",
        a_state_of_cmaes_is_read_in_one_place,
    ),
]
