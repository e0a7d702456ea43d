"""Hydra's errors as sentences: what is wrong, what was probably meant, and what is allowed."""

import difflib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from litmus.config import validate
from litmus.config.command import train_command
from litmus.config.conf import files, names
from litmus.config.retype import contents
from litmus.config.validate import did_you_mean, signature
from litmus.fetch import local

KEY = r"[+~]{0,2}[A-Za-z_][\w/@:-]*([.][\w@:-]+)*"  # as Hydra's grammar has it
SPACED = r"([\w./]+)(?: = | =|= )(\S+)"  # a key and its value, torn apart by spaces
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
SEARCH = "litmus.sweep.optuna.Optuna"  # the _target_ of sweep=optuna
# Launchers of Hydra that are separate packages, and the extra of litmus that installs each.
LAUNCHERS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"}

# What other trainers call these keys; with a value, where theirs would be none of it.
ELSEWHERE = {
    "batch": "data.batch_size",
    "bs": "data.batch_size",
    "class_weight": "task.balanced=true",
    "class_weights": "task.balanced=true",
    "cv": "data.folds",
    "device": "trainer.accelerator",
    "gpus": "trainer.devices",
    "imgsz": "data.size",
    "k_folds": "data.folds",
    "learning_rate": "optimizer.lr",
    "lr0": "optimizer.lr",
    "n_splits": "data.folds",
    "num_train_epochs": "trainer.max_epochs",
    "patience": "callback.early_stopping.patience",
    "eval_steps": "trainer.val_check_interval",
    "per_device_train_batch_size": "data.batch_size",
    "target": "data.column",
    "wd": "model.l2",
    "weight_decay": "model.l2",
}
# And these choices, by the group.
CHOICES_ELSEWHERE = {
    "model": {
        "convnet": "cnn",
        "dense": "fnn",
        "logistic": "linear",
        "logistic_regression": "linear",
        "minilm": "bert",
        "mlp": "fnn",
        "rnn": "lstm",
        "softmax": "linear",
        "transformer": "bert",
    },
    "optimizer": {"momentum": "sgd", "nesterov": "sgd"},
    "data": {"csv": "table", "folder": "image_folder", "huggingface": "hub", "imagefolder": "image_folder"},
    "trainer": {"cuda": "gpu"},
    "scheduler": {
        "constant": "none",
        "cosine_annealing": "cosine",
        "cosineannealinglr": "cosine",
        "linear": "warmup_linear",
        "onecycle": "one_cycle",
        "onecyclelr": "one_cycle",
        "reduce_on_plateau": "plateau",
        "reducelronplateau": "plateau",
    },
}
# Of other loaders, which have processes for reading.
OF_WORKERS = ("dataloader_num_workers", "num_workers", "persistent_workers", "pin_memory", "prefetch_factor", "workers")
NO_WORKERS = " No workers are to be set: data lies in memory, or threads read the next batch while this one trains."
FORM = "key=value, such as model=cnn or seed=7."
NO_FOLDS = " A split by time has no folds: training would follow validation. data.val_share says what validates."


def explain(error: Exception, conf: Path, arguments: list[str]) -> str:
    """Explains an error to the user.

    Args:
        error: what Hydra or OmegaConf raised while composing.
        conf: the folder of the configuration.
        arguments: the command line.
    """
    if isinstance(error, MissingConfigException) and (choices := _choices_instead(error, conf)):
        return _explain_choice(error, choices)
    if isinstance(error, OverrideParseException):
        return _explain_syntax(str(error.override), arguments)
    if without_key := next((each for each in arguments if each.startswith("=")), None):
        return f"{without_key} is not of the form {FORM}"
    text = str(error)
    if match := re.match(r"Could not override '(?P<key>[^']+)'", text):
        return _explain_key(match["key"], conf, arguments)
    if match := re.match(r"Could not delete from config. '(?P<key>[^']+)'", text):
        return _explain_key(match["key"], conf, [each for each in arguments if not each.startswith("~")])
    if text.startswith("Config group override"):
        bad = " ".join(each for each in arguments if _is_no_choice(each, conf))
        return f"{bad} is not allowed: a group takes one of its choices, which --help lists."
    if text.startswith(("Ambiguous value", "Sweep parameters")):
        value = re.search(r"'(.+)'", text)
        typed = value[1] if value else text
        both = f" For all of them in one run: 'logger=[{typed[7:]}]'." if typed.startswith("logger=") else ""
        return f"{typed} holds several values. Put -m before it to run each.{both}"
    if text.startswith("Error merging override "):
        cause = str(error.__cause__).splitlines()[0] if error.__cause__ else "it does not fit"
        return f"{text.removeprefix('Error merging override ')} is not allowed: {cause}."
    return one_sentence(text)


def one_sentence(text: str) -> str:
    """The first line of an error of Hydra's or OmegaConf's, with the key that it is about."""
    first, *more = text.strip().splitlines() or ["nothing is said"]
    key = next((line.split(":", 1)[1].strip() for line in more if line.strip().startswith("full_key:")), "")
    return f"{key}: {first}." if key else first


def _choices_instead(error: MissingConfigException, conf: Path) -> list[str]:
    """The choices of a group in place of one that there is not; of one in a list, Hydra does not say them."""
    folder = (conf / str(error.missing_cfg_file)).parent
    names = [path.stem for path in folder.glob("*.yaml")] if error.options is None and folder != conf else error.options
    return sorted(name for name in names or [] if not name.startswith("_"))


def _explain_choice(error: MissingConfigException, choices: list[str]) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    if str(error.missing_cfg_file).startswith("data/") and (hint := _own_data(str(error.missing_cfg_file)[5:])):
        return f"There is no dataset of this name.{hint}"
    if group == "hydra/launcher" and name in LAUNCHERS:
        extra = LAUNCHERS[name]
        return f"{group}={name} needs the package hydra-{extra}-launcher: pip install 'litmus[{extra}]'."
    elsewhere = CHOICES_ELSEWHERE.get(group, {}).get(name.lower())
    hint = f" Did you mean {group}={elsewhere}?" if elsewhere in choices else did_you_mean(name, choices, f"{group}=")
    return f"There is no {group}={name}.{hint} {group} is one of {', '.join(choices)}."


def explain_flag(flag: str, flags: Sequence[str], conf: Path, arguments: list[str]) -> str:
    """Explains an option that there is not: in litmus, what is set is typed as key=value.

    Args:
        flag: the option, as typed.
        flags: those that there are.
        conf: the folder of the configuration.
        arguments: the command line.
    """
    option, equals, value = flag.partition("=")
    name = option.lstrip("-")
    if not equals:
        value = "".join(arguments[arguments.index(flag) + 1 :][:1]) if flag in arguments else ""
    key = name.replace("-", "_")
    others = [each for each in arguments if "=" in each and not each.startswith("-")]
    is_top = bool(name) and ((conf / name).is_dir() or key in _compose_without(conf, others))
    hint = "" if is_top and value else did_you_mean(name, [each[2:] for each in flags if each.startswith("--")], "--")
    if not hint and key.replace(".", "").replace("_", "").isalnum() and value and not value.startswith("-"):
        meant = key if is_top else _like(key, _compose_without(conf, others)) or key
        hint = f" Did you mean {meant if '=' in meant else f'{meant}={value}'}?"
    if key in OF_WORKERS:
        hint = NO_WORKERS
    return f"There is no option {option}.{hint} Keys are typed as key=value, such as model=fnn; --help lists them."


def _is_no_choice(argument: str, conf: Path) -> bool:
    """Whether an override sets a group to what is no name."""
    group, _, value = argument.lstrip("+").partition("=")
    is_list = group == "logger" and value.startswith("[")
    return (conf / group).is_dir() and not is_list and not (value.isidentifier() and value != "null")


def _explain_syntax(override: str, arguments: list[str]) -> str:
    key, equals, value = override.partition("=")
    if (spaced := re.search(SPACED, " ".join(arguments))) and "=" not in spaced[2]:
        return f"{spaced[0]} is not of the form key=value. Leave out the spaces: {spaced[1]}={spaced[2]}."
    if value.endswith(",") and not value.startswith(("[", "{")):
        quoted = f" A comma that is the value stands in quotes: \"{key}=','\"." if value == "," else ""
        left_out = f" Leave it out: {override.rstrip(',')}. Spaces stand between the keys."
        return f"{override} ends with a comma.{quoted or left_out}"
    if equals and re.fullmatch(KEY, key):
        if value.startswith(("[", "{")):
            if typable := _with_quoted_words(override):
                return f'{override} cannot be read: words with letters outside ASCII stand in quotes: "{typable}".'
            return f"{override} cannot be read. Check its brackets, commas and quotes."
        return (
            f"{override} cannot be read. Put quotes around a value with brackets, quotes, commas or letters outside "
            f"ASCII: {_quoted(key, value)}."
        )
    is_name = override.isidentifier()
    groups = sorted(path.parent.name for path in files() if path.stem == override) if is_name else []
    hint = f" Did you mean {groups[0]}={override}?" if groups else _own_data(override)
    form = "key=value." if hint else FORM
    return f"{override if override.strip() else repr(override)} is not of the form {form}{hint}"


def _with_quoted_words(override: str) -> str | None:
    """A list or dictionary with its words outside ASCII in quotes; None where it could not be read so, either."""
    key, _, value = override.partition("=")
    quoted = re.sub(r"'[^']*'|[^][{},:'\"\s](?:[^][{},:'\"]*[^][{},:'\"\s])?", _quoted_word, value)
    if quoted == value or set(quoted) & set('"$`\\!'):
        return None
    try:
        OverridesParser.create().parse_override(f"{key}={quoted}")
    except HydraException:
        return None
    return f"{key}={quoted}"


def _quoted_word(word: re.Match[str]) -> str:
    return word[0] if word[0].isascii() or word[0].startswith("'") else f"'{word[0]}'"


def _quoted(key: str, value: str) -> str:
    """An override as one types it in a shell: in quotes for it, and the value in quotes for Hydra."""
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in ("'", '"')
    typed = validate.override(key, value[1:-1] if is_quoted else value)
    return shlex.quote(typed) if set(typed) & set('"$`\\!') else f'"{typed}"'


def _own_data(path: str) -> str:
    """What was meant by the path of a folder or a table in place of a dataset; empty for what is neither."""
    kind = local.kind_of(Path(path)) if path.strip() else "missing"
    if kind == "folder":
        return f" {path} is a folder: for its images, type data=image_folder data.path={path}."
    if kind == "file" and Path(path).suffix.lower() in TABLES:
        return f" {path} is a file: for the texts in it, type data=text_table data.path={path}."
    return ""


def _explain_key(key: str, conf: Path, arguments: list[str]) -> str:
    if key.startswith("hydra."):
        return f"There is no key {key} in Hydra's own configuration. {train_command('--cfg', 'hydra')} shows it."
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
    if where == "logger":
        hint = hint or _logger_with(name, section, conf)
    if not hint:
        near = _like(name, config)
        hint = f" Did you mean {near}?" if near else _other_choices(where, name)
    if key == "data.path":
        given = next((each.partition("=")[2] for each in arguments if each.startswith("data.path=")), "")
        hint = _own_data(given) or hint
    if name in OF_WORKERS:
        hint = NO_WORKERS
    if key in ("data.folds", "data.fold") and "horizon" in section:
        hint = NO_FOLDS
    missing = f"{prefix}{name}" if name in key.split(".")[:-1] else key
    return f"There is no key {missing}.{hint} {where or 'The top level'} takes: {', '.join(known)}."


def _logger_with(name: str, loggers: DictConfig, conf: Path) -> str:
    """What was meant by a key right below `logger`: a logger that is not chosen, or a key of one that is."""
    if (conf / "logger" / f"{name}.yaml").is_file():
        return f" Choose it first: logger={name}."
    owner = next((str(own) for own in loggers if name in loggers[own]), None)
    return f" Did you mean logger.{owner}.{name}?" if owner else ""


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


def _like(name: str, config: DictConfig) -> str | None:
    """The key of some group, or with a value, that was meant by a name without the group."""
    sections = {str(group): section for group, section in config.items() if isinstance(section, DictConfig)}
    keys = {key: f"{group}.{key}" for group, section in sections.items() for key in map(str, section) if key[0] != "_"}
    if name in keys:
        return keys[name]
    elsewhere = ELSEWHERE.get(name, "")
    section, _, last = _follow(elsewhere.partition("=")[0], config)
    if last in section:
        return elsewhere
    near = difflib.get_close_matches(name, keys, n=1, cutoff=0.7)
    return keys[near[0]] if near else None


def _other_choices(group: str, name: str) -> str:
    """Which other choices of a group have a key; empty where none has."""
    having = [each for each in names(group) if name in (contents(group, each).get(group) or {})] if group else []
    return f" It is a key of {', '.join(f'{group}={each}' for each in having)}." if having else ""


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
