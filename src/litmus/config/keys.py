"""Which keys of a configuration decide what a run learns, and which only where and how it runs."""

import functools
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any

from litmus.config.types import Seed


def _conf() -> Path:
    """The folder of the configuration: beside `src` in a checkout, whatever else is installed; else the package's."""
    beside = Path(__file__).parents[3] / "conf"
    return beside if (beside / "train.yaml").is_file() else Path(str(resources.files("litmus.conf")))


CONF = _conf()
# Keys, as patterns, that do not change what is learnt. `data.path` and `data.source` are not among them: other files
# are other data.
NOT_COMPARED = (
    "*._target_",
    "data.dir",
    "data.eval_batch_size",
    "trainer.accelerator",
    "trainer.detect_anomaly",
    "callback.checkpoint.*",
    "callback.dashboard.*",
    "callback.history.*",
    "callback.interrupt.*",
    "callback.meter.*",
    "callback.progress.*",
    "callback.random_state.*",
    "logger.*",
    "resume",
    "sweep.*",
)
CHOICES = ("model", "data", "task", "optimizer", "scheduler")  # the groups whose choice has a name


def hyperparameters(config: dict[str, Any], sections: tuple[str, ...] | None = None) -> dict[str, Any]:
    """What decides what a run learns: flat, by the names one types, the choices of the groups first.

    Args:
        config: a run's configuration, plain values.
        sections: the keys at the top level to look at; all of them, if None.
    """
    named = {group: choice(config, group) for group in CHOICES if sections is None or group in sections}
    order = sorted(config, key=lambda key: CHOICES.index(key) if key in CHOICES else len(CHOICES))
    within = {key: config[key] for key in order if sections is None or key in sections}
    return named | {key: value for key, value in flat(within) if not _ignored(key)}


@functools.cache
def _ignored(key: str) -> bool:
    # A callback that is switched off, or a logger that is none, is a key without keys below it.
    return any(fnmatchcase(key, pattern) or f"{key}.*" == pattern for pattern in NOT_COMPARED)


def settings(
    *,
    model: dict[str, Any],
    data: dict[str, Any],
    task: dict[str, Any],
    optimizer: dict[str, Any],
    scheduler: dict[str, Any],
    trainer: dict[str, Any],
    callback: dict[str, Any],
    logger: dict[str, Any],
    seed: Seed,
    resume: str | None,
) -> None:
    """The keys of a configuration, at the top level; `litmus.config.validate` reads them here."""


GROUPS = ("model", "data", "task", "optimizer", "scheduler", "trainer", "logger")  # that every run has


def flat(section: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its value, as one types it: `("model.dropout", 0.5)`."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def choice(config: dict[str, Any], group: str) -> str:
    """The name that one types after `group=`: cnn for litmus.model.cnn.CNN, adam for litmus.optimizer.adam."""
    parts = str(config[group]["_target_"]).split(".")
    return parts[2] if len(parts) > 3 else parts[-1]
