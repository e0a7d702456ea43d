"""Packages of the user's that add choices, networks among them: found here, and not imported.

The variable `LITMUS_PLUGINS` names them, or an entry point of the group `litmus.plugins` of what is installed. So the
environment says whose code may run; a run folder, which may come from somebody else, never does.
"""

import functools
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

from litmus.errors import UserError

VARIABLE, ENTRY_POINTS = "LITMUS_PLUGINS", "litmus.plugins"
CONF = "conf"  # the folder in a plugin
INFO = (".dist-info", ".egg-info")  # how the folders of installed packages end
OWN = "litmus"


class Plugin(NamedTuple):
    """A package that adds choices.

    Attributes:
        name: as one imports it.
        folder: of its code.
        info: the folder of the installed package that has the entry point; None where the variable names it.
    """

    name: str
    folder: Path
    info: Path | None

    @property
    def conf(self) -> Path:
        """The folder of its configuration."""
        return self.folder / CONF

    @property
    def code(self) -> list[Path]:
        """The files that decide what it does."""
        return sorted(path for path in self.folder.rglob("*") if path.suffix in (".py", ".yaml"))

    def has(self, target: str) -> bool:
        """Whether a module, class or function is its own."""
        return target.startswith(f"{self.name}.")


@functools.cache
def installed() -> tuple[Plugin, ...]:
    """The plugins, in the order of their names.

    Raises:
        UserError: one of them cannot be found, or has no configuration.
    """
    named: dict[str, Path | None] = dict(_entry_points())
    typed = re.split(rf"[,{re.escape(os.pathsep)}\s]+", os.environ.get(VARIABLE, ""))
    named |= {name: named.get(name) for name in typed if name}
    return tuple(_located(name, info) for name, info in sorted(named.items()))


def owner(target: str) -> Plugin | None:
    """The plugin that a module, class or function is of, if any."""
    return next((plugin for plugin in installed() if plugin.has(f"{target}.")), None)


def find_spec(module: str) -> ModuleSpec | None:
    """As `importlib.util.find_spec`, which would import the packages around a module; None for what is not there."""
    top, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # it is no name, or a script that runs
        return None
    for number in range(len(inner)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(".".join((top, *inner[: number + 1])), list(spec.submodule_search_locations))
    return spec


def missing(target: str) -> str:
    """Why a class of a package that may be a plugin is none here, and what to do; empty for any other class."""
    top = target.partition(".")[0]
    if top == OWN or top in sys.stdlib_module_names or not re.fullmatch(r"\w+([.]\w+)+", target) or owner(target):
        return ""
    spec = find_spec(top)
    here = spec.submodule_search_locations if spec is not None else None
    if spec is not None and not any(Path(folder, CONF).is_dir() for folder in here or ()):
        return ""
    value = ",".join(filter(None, (os.environ.get(VARIABLE), top)))
    what, install = ("no plugin", "") if spec else ("not installed", "install it, and ")
    return f"the package {top} is {what} here. If you trust its code, {install}set {VARIABLE}={value}"


def _entry_points() -> Iterator[tuple[str, Path]]:
    """Packages that entry points name, and of what. importlib.metadata takes 0.1 s for this, reading the files 2 ms."""
    # The first is the folder of a script, or the current one, in which nothing is installed: anybody's files.
    for folder in sys.path if sys.flags.safe_path else sys.path[1:]:
        try:
            infos = [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(INFO)]
        except OSError:  # an archive, or nothing
            continue
        for info in infos:
            try:
                text = (info / "entry_points.txt").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if f"[{ENTRY_POINTS}]" in text:
                yield from ((name, info) for name in _names(text, info))


def _names(text: str, info: Path) -> list[str]:
    import configparser  # nearly nobody has plugins

    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        raise UserError(f"{info / 'entry_points.txt'} is damaged: install that package again.") from None
    return [re.split(r"[:\s[]", value, maxsplit=1)[0] for value in parser[ENTRY_POINTS].values()]


def _located(name: str, info: Path | None) -> Plugin:
    said = f"{VARIABLE} names {name}" if info is None else f"{info.name} names {name} as a plugin of litmus"
    if not re.fullmatch(r"[^\W\d]\w*([.][^\W\d]\w*)*", name):
        raise UserError(f"{said}, which is not the name of a package, such as mypkg.")
    spec = find_spec(name)
    if spec is None:
        raise UserError(f"{said}, which is not installed. Install it, or add the folder that holds it to PYTHONPATH.")
    folders = [Path(each) for each in spec.submodule_search_locations or ()]
    folder = next((each for each in folders if (each / CONF).is_dir()), None)
    if folder is None:
        where = folders[0] if folders else spec.origin
        raise UserError(f"{said}, but {where} has no folder {CONF}/, which a plugin has. See docs/extending.md.")
    root = folder.parents[name.count(".")]
    if not _is_found_elsewhere(name.partition(".")[0], root):
        raise UserError(
            f"{said}. It lies in {root}, where the other processes of a training do not look. Install it, or add that "
            "folder to PYTHONPATH."
        )
    return Plugin(name, folder, info)


def _is_found_elsewhere(top: str, root: Path) -> bool:
    """Whether a package is found without the first folder of `sys.path`, which another process does not have."""
    if sys.flags.safe_path or Path(sys.path[0]).resolve() != root.resolve():
        return True
    finders = [finder for finder in sys.meta_path if finder is not PathFinder]
    return PathFinder.find_spec(top, sys.path[1:]) is not None or any(each.find_spec(top, None) for each in finders)
