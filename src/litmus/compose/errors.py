"""Hydra's errors as sentences: what is wrong, what was probably meant, and what is allowed."""

import difflib
import re
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from litmus.config.validate import did_you_mean, signature

SEARCH = "litmus.sweep.optuna.Optuna"  # the _target_ of sweep=optuna
# Launchers of Hydra that are separate packages, and the extra of litmus that installs each.
LAUNCHERS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"}


def explain(error: Exception, conf: Path, arguments: list[str]) -> str:
    """Explains an error to the user.

    Args:
        error: what Hydra or OmegaConf raised while composing.
        conf: the folder of the configuration.
        arguments: the command line.
    """
    if isinstance(error, MissingConfigException) and error.options is not None:
        return _explain_choice(error)
    if isinstance(error, OverrideParseException):
        return _explain_syntax(error, conf)
    text = str(error)
    if match := re.match(r"Could not override '(?P<key>[^']+)'", text):
        return _explain_key(match["key"], conf, arguments)
    if text.startswith("Config group override"):
        bad = " ".join(argument for argument in arguments if argument.endswith("=null"))
        return f"{bad} is not allowed: a group takes one of its choices, which --help lists."
    if text.startswith("Ambiguous value"):
        value = re.search(r"argument '([^']+)'", text)
        return f"{value[1] if value else text} holds several values. Put -m before it to run each."
    return text.strip()


def _explain_choice(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    if group == "hydra/launcher" and name in LAUNCHERS:
        extra = LAUNCHERS[name]
        return f"{group}={name} needs the package hydra-{extra}-launcher: pip install 'litmus[{extra}]'."
    choices = sorted(option for option in error.options or [] if not option.startswith("_"))
    return (
        f"There is no {group}={name}.{did_you_mean(name, choices, f'{group}=')} {group} is one of {', '.join(choices)}."
    )


def _explain_syntax(error: OverrideParseException, conf: Path) -> str:
    override = str(error.override)
    if "=" in override:
        key, _, value = override.partition("=")
        if value.startswith(("[", "{")):
            return f"{override} cannot be read: {error.message.splitlines()[0]}."
        return (
            f"{override} cannot be read. Put quotes around a value with brackets, quotes, commas or letters outside "
            f"ASCII: \"{key}='{value.strip(chr(34) + chr(39))}'\"."
        )
    groups = sorted(path.parent.name for path in conf.glob(f"*/{override}.yaml"))
    hint = f" Did you mean {groups[0]}={override}?" if groups else " For example: model=cnn, seed=7."
    return f"{override} is not of the form key=value.{hint}"


def _explain_key(key: str, conf: Path, arguments: list[str]) -> str:
    others = [each for each in arguments if "=" in each and not each.startswith("-") and each.split("=")[0] != key]
    config = _compose_without(conf, others)
    section, path, name = _follow(key, config)
    where = ".".join(path)
    prefix = f"{where}." if where else ""
    known = [str(each) for each in section if each not in ("_target_", "hydra")]
    if not path:
        known = sorted({*known, "experiment"})
    hint = did_you_mean(name, known, prefix)
    if where == "sweep" and name in signature(SEARCH):
        hint = " A search has it: sweep=optuna."
    if not path and not hint:
        hint = _hint_at_group(name, config, known)
    missing = f"{prefix}{name}" if name in key.split(".")[:-1] else key
    return f"There is no key {missing}.{hint} {where or 'The top level'} takes: {', '.join(known)}."


def _follow(key: str, config: DictConfig) -> tuple[DictConfig, list[str], str]:
    """Follows a key as far as it is right: the section, the path to it, and the name that the section does not have."""
    *sections, name = key.split(".")
    path: list[str] = []
    for section in sections:
        if section not in config:
            return config, path, section
        path.append(section)
        config = config[section] if isinstance(config[section], DictConfig) else OmegaConf.create({})
    return config, path, name


def _hint_at_group(name: str, config: DictConfig, groups: list[str]) -> str:
    """Asks whether a key of some group was meant, typed without the group."""
    keys = {
        str(key): f"{group}.{key}"
        for group in groups
        if isinstance(config.get(group), DictConfig)
        for key in config[group]
    }
    near = difflib.get_close_matches(name, keys, n=1, cutoff=0.7)
    return f" Did you mean {keys[near[0]]}?" if near else ""


def _compose_without(conf: Path, overrides: list[str]) -> DictConfig:
    """The configuration without the override that was wrong; if others are wrong too, the default one."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        for attempt in (overrides, [override for override in overrides if "." not in override], []):
            try:
                return compose("train", attempt)
            except HydraException:
                continue
    return OmegaConf.create({})
