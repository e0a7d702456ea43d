"""The jobs of a sweep, composed: what Hydra would make of each job's words, but its files are read once for all."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from litmus.compose.errors import explanation
from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.sweep.pool.job import Job

ROOT = "train"  # the configuration that the others are part of

Base = tuple[DictConfig, dict[str, str]]


class Composer:
    """Composes jobs.

    Choices of groups decide which files are read; jobs that differ only in values share what is read, which is nearly
    all of the work.

    Args:
        loader: Hydra's.
        conf: the folder of the configuration.
    """

    def __init__(self, loader: ConfigLoaderImpl, conf: Path) -> None:
        self.loader = loader
        self.conf = conf
        self.parser = OverridesParser.create(config_loader=loader)
        self._bases: dict[tuple[str, ...], Base] = {}

    def job(self, words: Sequence[str], particular: Sequence[str], number: int, folder: Path) -> Job:
        """One job.

        Args:
            words: all that is typed for it.
            particular: those words that tell it from the others.
            number: in the sweep.
            folder: of its run.

        Raises:
            UserError: a value is not allowed; a key, or a choice, does not exist.
        """
        try:
            config, choices = self.config(words)
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise UserError(f"{' '.join(words)}: {explanation(error, self.conf, list(words))}") from None
        if wrong := mistakes(config):
            raise UserError("\n".join(wrong))
        return Job(number, tuple(particular), folder, config, choices, tuple(words))

    def combinations(self, words: Sequence[Override]) -> list[tuple[list[str], list[str]]]:
        """Every combination of the values of the words that have several: all words, and those that vary.

        Raises:
            UserError: a word stands for an interval.
        """
        for word in words:
            if word.is_sweep_override() and not word.is_discrete_sweep():
                raise UserError(
                    f"{word.input_line} has no single values to combine: that is for a search, sweep=optuna."
                )
        varying = {word.get_key_element() for word in words if word.is_sweep_override()}
        (lists,) = BasicSweeper.split_arguments(list(words), max_batch_size=None)
        return [(each, [word for word in each if word.partition("=")[0] in varying]) for each in lists]

    def config(self, words: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
        """The configuration of those words, plain and resolved, without Hydra's part and the sweep's; the choices."""
        parsed = self.parser.parse_overrides(list(words))
        groups = [override for override in parsed if self._is_group(override)]
        base, choices = self._base(tuple(str(override.input_line) for override in groups))
        config = deepcopy(base)
        ConfigLoaderImpl._apply_overrides_to_config([o for o in parsed if not self._is_group(o)], config)
        plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]  # a dict
        return plain, choices

    def _is_group(self, override: Override) -> bool:
        # As in Hydra's own create_defaults_list: task={label_smoothing:0.1} sets values.
        return self.loader.repository.group_exists(override.key_or_group) and not isinstance(override.value(), dict)

    def _base(self, groups: tuple[str, ...]) -> Base:
        if groups not in self._bases:
            composed = self.loader.load_configuration(ROOT, list(groups), RunMode.RUN)
            choices = {str(group): str(name) for group, name in composed.hydra.runtime.choices.items()}
            with open_dict(composed):
                del composed["hydra"], composed["sweep"]
            self._bases[groups] = composed, choices
        return self._bases[groups]


def of_sweep(word: Override) -> bool:
    """Whether a word is about the sweep, and not about its jobs."""
    return word.key_or_group.partition(".")[0] in ("sweep", "hydra", "resume")
