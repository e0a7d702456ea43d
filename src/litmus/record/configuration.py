"""The configuration as a run's folder stores it, and as earlier versions stored it."""

import re
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

import yaml

from litmus.config.types import Section
from litmus.errors import UserError, first_line
from litmus.fetch import local
from litmus.record.files import LARGEST_TEXT

# The ones in C are ten times as fast.
try:
    from yaml import CSafeDumper as SafeDumper
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # libyaml is not there
    from yaml import SafeDumper, SafeLoader  # type: ignore[assignment]

# `_target_` names of earlier versions, which their run folders hold, and what they are called now.
RENAMED = {"litmus.callback.early_stopping.EarlyStopping": "litmus.callback.early_stopping.early_stopping"}
# Keys of earlier versions, by `_target_`, and what they are called now.
RENAMED_KEYS = {"litmus.trainer.build": {"accumulate": "accumulate_grad_batches"}}
# Values of earlier versions, by `_target_` and key, and what they are called now.
AUGMENT = {False: "none", True: "light"}
RENAMED_VALUES = {
    "litmus.data.mnist.MNIST": {"augment": AUGMENT},
    "litmus.data.image_folder.ImageFolder": {"augment": AUGMENT},
}
# The one logger that a run had, and the section of it now.
LOGGERS: dict[str, Section] = {
    "litmus.logger.tensorboard": {"tensorboard": {"_target_": "litmus.logger.tensorboard.TensorBoard"}},
    "litmus.logger.none": {},
}
# Keys that earlier versions did not have, by `_target_`, with what their runs do.
NO_FOLDS: Section = {"folds": None, "fold": None}
ADDED: dict[str, Section] = {
    "litmus.callback.checkpoint.Checkpoint": {"every_s": 60, "top_k": 0},
    "litmus.callback.dashboard.Dashboard": {"pictures": False},
    "litmus.trainer.build": {
        "on_divergence": "stop",
        "accumulate_grad_batches": 1,
        "max_steps": None,
        "max_time": None,
        "val_check_interval": None,
        "compile": "auto",  # theirs was not, and what is left of one may be
        "deterministic": False,
        "num_nodes": 1,
        "strategy": "auto",
        "tf32": True,  # cuDNN's convolutions used it; on a GPU, matrix products do from now on, too
    },
    "litmus.model.resnet.ResNet": {"views": None},
    "litmus.data.table.Table": {"target_separator": None, "thousands": [], **NO_FOLDS},
    "litmus.data.toy.Toy": NO_FOLDS,
    "litmus.data.text_table.TextTable": {"target_separator": None, **NO_FOLDS},
    "litmus.data.sentiment.Sentiment": NO_FOLDS,
    "litmus.data.image_folder.ImageFolder": {
        "target_separator": None,
        "kind": "classes",
        "flip": None,
        **NO_FOLDS,
    },
    "litmus.data.yolo_dataset.YOLODataset": NO_FOLDS,
    "litmus.data.mnist.MNIST": {"flip": 0.0, **NO_FOLDS},
    "litmus.task.classification.Classification": {"baselines": False},
    # Of the baselines they had two: naive forecasts of series.
    "litmus.task.regression.Regression": {"baselines": True, "min_gain": None},
    "litmus.data.series.Series": {
        "time": None,
        "group": None,
        "inputs": [],
        "known": [],
        "thousands": [],
        "scaling": "series",
        "min_steps": 1,
    },
}


def to_yaml(config: Section) -> str:
    """A configuration as `config.yaml` holds it."""
    return yaml.dump(config, Dumper=SafeDumper, sort_keys=False, allow_unicode=True)


def from_yaml(path: Path) -> Section:
    """Reads a stored configuration, an earlier version's in the names of this one.

    Raises:
        UserError: the file cannot be read, or holds none.
    """
    try:
        config = yaml.load(local.read_bytes(path, LARGEST_TEXT).decode(), SafeLoader)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {local.reason(error)}.") from None
    except Exception as error:  # PyYAML's constructors raise whatever a scalar makes them stumble over
        raise UserError(f"{path} cannot be read: {type(error).__name__}: {first_line(error)}.") from None
    if not isinstance(config, dict):
        raise UserError(f"{path} is damaged: it holds no configuration.")
    return _with_new_keys(_with_new_names(_with_named_loggers(config)))


def in_new_words(words: Iterable[str]) -> list[str]:
    """Overrides as they were typed for an earlier version, in the names of this one."""
    return [
        re.sub(r"\b(true|false)\b", lambda found: AUGMENT[found[0].lower() == "true"], word, flags=re.IGNORECASE)
        if word.lstrip("+").startswith("data.augment=")
        else word
        for word in words
    ]


def _with_named_loggers(config: Section) -> Section:
    """The configuration of an earlier version, of which each run had one logger, with that logger by its name."""
    target = config["logger"].get("_target_") if isinstance(config.get("logger"), dict) else None
    return {**config, "logger": deepcopy(LOGGERS[str(target)])} if str(target) in LOGGERS else config


def _with_new_keys(config: Section) -> Section:
    """The configuration of an earlier version with keys that came later, at the values that it had without them."""
    config = _filled(config, {"reproduce": None}) if "resume" in config else config
    data = config.get("data")
    if not isinstance(data, dict) or "limit" not in data:
        return config
    added = {"limit_eval": data["limit"]}  # it cut every split
    if not str(data.get("_target_")).endswith(".Series"):
        added["split_seed"] = None
    return {**config, "data": _filled(data, added)}


def _filled(section: Section, added: Section) -> Section:
    """The section, with those of the added keys that it does not have, at its end."""
    return section | {key: value for key, value in added.items() if key not in section}


def _with_new_names(config: Section) -> Section:
    """The configuration of an earlier version in the names of this one, and with its keys."""
    named = {
        key: _with_new_names(value)
        if isinstance(value, dict)
        else RENAMED.get(value, value)
        if key == "_target_" and isinstance(value, str)
        else value
        for key, value in config.items()
    }
    target = str(config.get("_target_"))
    renamed = RENAMED_KEYS.get(target, {})
    values = RENAMED_VALUES.get(target, {})
    current = {
        renamed.get(key, key): values[key].get(value, value) if key in values and isinstance(value, bool) else value
        for key, value in named.items()
    }
    return _filled(current, ADDED.get(target, {}))
