"""Where the files of the configuration lie, and which classes and functions they name."""

import functools
import re
from importlib import resources
from pathlib import Path

from litmus.config.plugins import OWN, installed, missing


def _conf() -> Path:
    """The folder of the configuration: beside `src` in a checkout, whatever else is installed; else the package's."""
    beside = Path(__file__).parents[3] / "conf"
    return beside if (beside / "train.yaml").is_file() else Path(str(resources.files("litmus.conf")))


CONF = _conf()


def folders() -> tuple[Path, ...]:
    """Of the configuration: litmus' own, then those of plugins.

    Raises:
        UserError: a plugin cannot be used.
    """
    return (CONF, *(plugin.conf for plugin in installed()))


def files(group: str = "*") -> list[Path]:
    """Those of a group, such as "model", or of all; names that begin with an underscore are no choices."""
    return [path for folder in folders() for path in sorted(folder.glob(f"{group}/*.yaml"))]


def names(group: str) -> list[str]:
    """The choices of a group."""
    return sorted(path.stem for path in files(group) if not path.stem.startswith("_"))


def file(group: str, choice: str) -> Path:
    """The file of a choice.

    Raises:
        FileNotFoundError: there is no such choice.
    """
    path = next((path for path in files(group) if path.stem == choice), None)
    if path is None:
        raise FileNotFoundError(CONF / group / f"{choice}.yaml")
    return path


@functools.cache
def targets() -> dict[str, frozenset[str]]:
    """Of each group, such as "model", every `_target_` in its files: nothing else is ever built of a configuration.

    A plugin's files add what is the plugin's own.
    """
    named: dict[str, set[str]] = {}
    for path in CONF.glob("*/*.yaml"):
        named.setdefault(path.parent.name, set()).update(targets_in(path))
    for plugin in installed():
        for path in plugin.conf.glob("*/*.yaml"):
            named.setdefault(path.parent.name, set()).update(filter(plugin.has, targets_in(path)))
    return {group: frozenset(names) for group, names in named.items()}


def targets_in(path: Path) -> list[str]:
    """Each `_target_` in a file."""
    return re.findall(r"^\s*_target_:\s*[\"']?([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)


def choice_of(target: str) -> str:
    """The name that one types after `group=`: cnn for litmus.model.cnn.CNN, adam for litmus.optimizer.adam.

    Of a plugin's class it is that of its file; of a class of neither, its own.
    """
    parts = target.split(".")
    if parts[0] == OWN and len(parts) > 3:
        return parts[2]
    return _choices_of_plugins().get(target, parts[-1])


@functools.cache
def _choices_of_plugins() -> dict[str, str]:
    paths = [path for plugin in installed() for path in plugin.conf.glob("*/[!_]*.yaml")]
    return {target: path.stem for path in paths for target in targets_in(path)}


def refusal(target: object, group: str = "") -> str:
    """`model._target_=os.system is none of the choices of model. It is not called.`, and what to do about it.

    Args:
        target: that is not among `targets`.
        group: of which it would be a choice.
    """
    name = f"{f'{group}.' if group else ''}_target_={target}"
    if why := missing(str(target)):
        return f"{name} is not called: {why}."
    what = f"none of the choices of {group}" if group else "not a class or function of litmus' own configuration"
    return f"{name} is {what}. It is not called."
