"""Composes the jobs of a sweep as Hydra would, but reads the files of a combination of choices once for all jobs."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import cast

# Private: Hydra has no public way to apply overrides to a configuration that it has read already, or to combine values
# as its own sweeper does.
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from litmus.compose.errors import explain
from litmus.config.keys import callback_mistakes
from litmus.config.preflight import job_mistakes
from litmus.config.types import Section
from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.sweep.pool.job import Job

SWEEP_KEYS = (
    "sweep",
    "hydra",
    "resume",
    "reproduce",
)  # keys, and what lies below them, that are about the sweep and not its jobs
ROOT = "train"  # the primary configuration

Base = tuple[DictConfig, dict[str, str]]  # a configuration, and its choices


class Composer:
    """Composes jobs.

    The choices of groups decide which files are read. Jobs that differ only in values share those, and reading them is
    nearly all of the work: 0.02 s a job instead of 0.6 s.

    Args:
        loader: Hydra's.
        conf: the folder of the configuration.
    """

    def __init__(self, loader: ConfigLoader, conf: Path) -> None:
        self.loader = cast(ConfigLoaderImpl, loader)
        self.conf = conf
        self.parser = OverridesParser.create(config_loader=loader)
        self._bases: dict[tuple[str, ...], Base] = {}

    def job(self, overrides: Sequence[str], own: Sequence[str], number: int, folder: Path) -> Job:
        """Composes and checks a job.

        Args:
            overrides: all of the job's.
            own: those that distinguish it from the other jobs.
            number: in the sweep.
            folder: of its run.

        Raises:
            UserError: a value is not allowed; a key, or a choice, does not exist.
        """
        try:
            config, choices = self.config(overrides)
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise UserError(f"{' '.join(overrides)}: {explain(error, self.conf, list(overrides))}") from None
        wrong = mistakes(config) + callback_mistakes(config["callback"], choices["callback"])
        if wrong := wrong or job_mistakes(config):
            raise UserError("\n".join(wrong))
        return Job(number, tuple(own), folder, config, choices, tuple(overrides))

    def select_for_jobs(self, overrides: Sequence[str]) -> list[str]:
        """The overrides that are about the jobs, and not about the sweep.

        Raises:
            OverrideParseException: Hydra's, for an override that is none.
        """
        parsed = self.parser.parse_overrides(list(overrides))
        return [str(each.input_line) for each in parsed if each.key_or_group.partition(".")[0] not in SWEEP_KEYS]

    def combinations(self, overrides: Sequence[str]) -> list[tuple[list[str], list[str]]]:
        """Combines the values of the overrides that have several.

        Args:
            overrides: as typed.

        Returns:
            For each combination, all overrides and those that vary.

        Raises:
            UserError: an override is an interval.
            OverrideParseException: Hydra's, for an override that is none.
        """
        parsed = self.parser.parse_overrides(list(overrides))
        for override in parsed:
            if override.is_sweep_override() and not override.is_discrete_sweep():
                raise UserError(
                    f"{override.input_line} has no single values to combine: intervals need a search, sweep=optuna."
                )
        varying = {override.get_key_element() for override in parsed if override.is_sweep_override()}
        (combinations,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
        return [
            (each, [override for override in each if override.partition("=")[0] in varying]) for each in combinations
        ]

    def config(self, overrides: Sequence[str]) -> tuple[Section, dict[str, str]]:
        """Composes a configuration: plain and resolved, without Hydra's section and the sweep's. Also the choices."""
        parsed = self.parser.parse_overrides(list(overrides))
        groups = [override for override in parsed if self._is_group(override)]
        base, choices = self._base(tuple(str(override.input_line) for override in groups))
        config = deepcopy(base)
        ConfigLoaderImpl._apply_overrides_to_config([o for o in parsed if not self._is_group(o)], config)
        plain: Section = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]  # a dict
        return plain, choices

    def _is_group(self, override: Override) -> bool:
        # As Hydra itself distinguishes them: task={label_smoothing:0.1} sets values.
        return self.loader.repository.group_exists(override.key_or_group) and not isinstance(override.value(), dict)

    def _base(self, groups: tuple[str, ...]) -> Base:
        if groups not in self._bases:
            composed = self.loader.load_configuration(ROOT, list(groups), RunMode.RUN)
            choices = {str(group): str(name) for group, name in composed.hydra.runtime.choices.items()}
            with open_dict(composed):
                del composed["hydra"], composed["sweep"]
            self._bases[groups] = composed, choices
        return self._bases[groups]
