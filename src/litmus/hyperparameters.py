"""Which keys of a configuration decide what a run learns, and which only where and how it runs."""

import functools
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any

from litmus.rundir import choice, flat

CONF = Path(str(resources.files("litmus.conf")))  # the folder of the configuration, in a checkout or installed
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
