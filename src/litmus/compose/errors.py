"""Hydra's errors as sentences: what was wrong, what is near it, what is allowed."""

import difflib
import re
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from litmus.config.validate import did_you_mean, signature

SEARCH = "litmus.sweep.optuna.Optuna"  # what sweep=optuna stands for
# Hydra's own that a package of their own brings, and the extra of litmus that installs it.
LAUNCHERS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"}


def explanation(error: Exception, conf: Path, words: list[str]) -> str:
    """What to tell a person.

    Args:
        error: what Hydra or OmegaConf raised while composing.
        conf: the folder of the configuration.
        words: the command line.
    """
    if isinstance(error, MissingConfigException) and error.options is not None:
        return _no_such_choice(error)
    if isinstance(error, OverrideParseException):
        return _not_an_override(error, conf)
    text = str(error)
    if match := re.match(r"Could not override '(?P<key>[^']+)'", text):
        return _no_such_key(match["key"], conf, words)
    if text.startswith("Config group override"):
        bad = " ".join(word for word in words if word.endswith("=null"))
        return f"{bad} is not allowed: a group takes one of its choices, which --help lists."
    if text.startswith("Ambiguous value"):
        value = re.search(r"argument '([^']+)'", text)
        return f"{value[1] if value else text} holds several values. Put -m before it to run each."
    return text.strip()


def _no_such_choice(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    if group == "hydra/launcher" and name in LAUNCHERS:
        extra = LAUNCHERS[name]
        return f"{group}={name} needs the package hydra-{extra}-launcher: pip install 'litmus[{extra}]'."
    choices = sorted(option for option in error.options or [] if not option.startswith("_"))
    return (
        f"There is no {group}={name}.{did_you_mean(name, choices, f'{group}=')} {group} is one of {', '.join(choices)}."
    )


def _not_an_override(error: OverrideParseException, conf: Path) -> str:
    word = str(error.override)
    if "=" in word:
        return f"{word} cannot be read: {error.message.splitlines()[0]}. Values with spaces or brackets want quotes."
    groups = sorted(path.parent.name for path in conf.glob(f"*/{word}.yaml"))
    hint = f" Did you mean {groups[0]}={word}?" if groups else " For example: model=cnn, seed=7."
    return f"{word} is not of the form key=value.{hint}"


def _no_such_key(key: str, conf: Path, words: list[str]) -> str:
    others = [word for word in words if "=" in word and not word.startswith("-") and word.split("=")[0] != key]
    config = _composed(conf, others)
    *sections, name = key.split(".")
    holder: Any = config
    path: list[str] = []
    for section in sections:  # as far as the key is right
        if not isinstance(holder, DictConfig) or section not in holder:
            name = section
            break
        holder = holder[section]
        path.append(section)
    where = ".".join(path)
    known = [str(k) for k in holder if k not in ("_target_", "hydra")] if isinstance(holder, DictConfig) else []
    if not path:
        known = sorted({*known, "experiment"})
    prefix = f"{where}." if where else ""
    hint = did_you_mean(name, known, prefix)
    if where == "sweep" and name in signature(SEARCH):
        hint = " A search has it: sweep=optuna."
    if not path and not hint:  # a key of some group, typed without it?
        keys = {
            str(k): f"{group}.{k}"
            for group in known
            if isinstance(config.get(group), DictConfig)
            for k in config[group]
        }
        inside = [keys[near] for near in difflib.get_close_matches(name, keys, n=1, cutoff=0.7)]
        hint = f" Did you mean {' or '.join(inside)}?" if inside else ""
    missing = f"{prefix}{name}" if name in sections else key
    return f"There is no key {missing}.{hint} {where or 'The top level'} takes: {', '.join(known)}."


def _composed(conf: Path, overrides: list[str]) -> DictConfig:
    """The configuration without the override that was wrong; if others are wrong too, the default one."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        for attempt in (overrides, [word for word in overrides if "." not in word], []):
            try:
                return compose("train", attempt)
            except HydraException:
                continue
    return OmegaConf.create({})
