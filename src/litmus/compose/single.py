"""The configuration of one run that a verb is told of in the words of `python train.py`, checked as there."""

from collections.abc import Sequence

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from litmus.compose.errors import explain
from litmus.compose.sweep import SWEEP_KEYS, Composer
from litmus.config.command import train_command
from litmus.config.conf import CONF
from litmus.config.keys import GROUPS, callback_mistakes
from litmus.config.preflight import preflight
from litmus.config.types import Section
from litmus.config.validate import mistakes
from litmus.errors import WrongArguments


def single_run(overrides: Sequence[str]) -> Section:
    """Composes and checks a configuration: plain and resolved, without Hydra's section and the sweep's.

    Args:
        overrides: as typed.

    Raises:
        WrongArguments: an override, a key or a value is wrong, there are several values, or the files are not there.
    """
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            composer = Composer(GlobalHydra.instance().config_loader(), CONF)
            _check_one(composer, overrides)
            config, choices = composer.config(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise WrongArguments(explain(error, CONF, list(overrides))) from None
    wrong = mistakes(config) + callback_mistakes(config["callback"], choices["callback"])
    if wrong := wrong or preflight(config):
        raise WrongArguments("\n".join(dict.fromkeys(wrong)))
    return config


def _check_one(composer: Composer, overrides: Sequence[str]) -> None:
    """Refuses what belongs to a sweep or to the folder of a run, and what is no choice of a group."""
    for override in composer.parser.parse_overrides(list(overrides)):
        key = override.key_or_group
        if key.partition("/")[0].partition(".")[0] in SWEEP_KEYS:
            raise WrongArguments(f"No run is made here, so {key}= has no effect: leave it out.")
        if override.is_sweep_override():
            raise WrongArguments(f"{override.input_line} holds several values: choose one of them.")
        if key in GROUPS and (override.is_delete() or not isinstance(override.value(), str | dict)):
            raise WrongArguments(f"{key}= takes one of its choices, which {train_command('--help')} lists.")
