"""Whether the files of plugins fit litmus and their own code: said before anything of a plugin is imported."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from litmus.config.conf import CONF, targets_in
from litmus.config.plugins import VARIABLE, Plugin, installed
from litmus.config.retype import contents
from litmus.config.types import Section
from litmus.config.validate import class_attributes, signature
from litmus.errors import UserError, first_line

EXPERIMENT = "experiment"
GROUPS = ("model", "data", "optimizer", "scheduler", "callback", EXPERIMENT)  # that a plugin adds choices to
NEEDED = {"model": "input_kinds", "callback": "affects_training"}  # what the class of a choice has to say
FIRST_LINE = "its first line is to be # @package _global_, above any other comment: it sets keys of several groups"


def check_plugins() -> None:
    """Checks every plugin.

    Raises:
        UserError: one cannot be found, takes a name that there is already, or has a file that does not fit its class.
    """
    taken = {(path.parent.name, path.name): "litmus" for path in CONF.glob("*/*.yaml")}
    wrong: list[str] = []
    for plugin in installed():
        paths = sorted(plugin.conf.rglob("*.yaml"))
        if not paths:
            wrong.append(
                f"The plugin {plugin.name} adds nothing: {plugin.conf} has no {GROUPS[0]}/*.yaml and the like."
            )
        mistakes = [f"{path}: {what}." for path in paths for what in _mistakes(path, plugin, taken)]
        wrong += [f"The plugin {plugin.name}: {each}" for each in mistakes]
        if mistakes:
            way_out = f"leave it out of {VARIABLE}" if plugin.info is None else "uninstall it"
            wrong.append(f"No command runs before the plugin {plugin.name} is mended. Mend it, or {way_out}.")
    if wrong:
        raise UserError("\n".join(wrong))


def _mistakes(path: Path, plugin: Plugin, taken: dict[tuple[str, str], str]) -> Iterator[str]:
    """What is wrong with a file.

    Args:
        path: of it.
        plugin: whose it is.
        taken: group and name of the files so far, and whose they are; this one is added.
    """
    group, name = path.parent.name, path.name
    if path.parent.parent != plugin.conf or group not in GROUPS:
        yield f"a plugin has files in {', '.join(f'{each}/' for each in GROUPS)} only"
    elif other := taken.get((group, name)):
        yield f"{other} has a {group}={path.stem} already. Rename the file"
    elif not re.fullmatch(r"\w+", path.stem):
        yield "its name takes letters, digits and underscores only"
    elif not path.stem.startswith("_"):
        yield from _mistakes_of_choice(path, plugin)
    taken.setdefault((group, name), plugin.name)


def _mistakes_of_choice(path: Path, plugin: Plugin) -> Iterator[str]:
    group, choice = path.parent.name, path.stem
    try:
        whole = contents(group, choice)
    except (yaml.YAMLError, UnicodeDecodeError, FileNotFoundError, AttributeError, TypeError, ValueError) as error:
        yield f"it cannot be read: {first_line(error)}"
        return
    if group == EXPERIMENT:
        if whole.get(EXPERIMENT):
            yield FIRST_LINE
        return
    section = (whole.get(group) or {}).get(choice) if group == "callback" else whole.get(group)
    if not isinstance(section, dict):
        hint = f".{choice}: its first line is to be # @package callback.{choice}" if group == "callback" else ""
        yield f"it sets no keys of {group}{hint}"
        return
    if "_target_" not in section and isinstance(section.get(group), dict):
        yield FIRST_LINE
        return
    found = targets_in(path)
    others = [each for each in plugin.conf.glob("*/[!_]*.yaml") if each != path and {*found} & {*targets_in(each)}]
    if len(found) != 1 or section.get("_target_") != found[0] or not plugin.has(found[0]):
        yield f"its _target_ is to be one class or function of {plugin.name}, not {', '.join(found) or 'missing'}"
    elif others:
        yield f"{others[0].name} has the same _target_, by which a run's choice is known: make one an {EXPERIMENT}"
    else:
        yield from _misfits(group, section, found[0])


def _misfits(group: str, section: Section, target: str) -> Iterator[str]:
    """In what the keys differ from the constructor's, and what the class does not say."""
    name = target.rpartition(".")[2]
    try:
        taken = signature(target)
        said = class_attributes(target, (NEEDED[group],)) if group in NEEDED else {}
    except UserError as error:
        yield str(error).removesuffix(".")
        return
    keys = [key for key in section if key not in ("_target_", "defaults")]
    if unknown := [key for key in keys if key not in taken]:
        yield f"{name} takes no {', '.join(unknown)}: arguments that are keys stand behind a * and have annotations"
    if missing := [key for key in taken if key not in keys]:
        yield f"it lacks {', '.join(missing)}, which {name} takes: defaults stand in this file"
    if group in NEEDED and not said.get(NEEDED[group], ()) and said.get(NEEDED[group]) is not False:
        yield f"the class {name} does not set {NEEDED[group]}"
