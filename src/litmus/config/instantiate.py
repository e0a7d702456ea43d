"""From a section of a configuration to the object that it describes."""

import copy
import functools
import importlib
import re
import traceback
from types import ModuleType
from typing import Any

import yaml

from litmus.config.conf import file, refusal, targets
from litmus.config.plugins import owner
from litmus.config.types import Section
from litmus.errors import UserError, first_line

# YAML 1.1, PyYAML's, takes 1e-4 for text; this is YAML 1.2's way to write a number, which Hydra follows.
_FLOAT = re.compile(r"[-+]?(?:\d[\d_]*\.[\d_]*|\.[\d_]+|\d[\d_]*)(?:[eE][-+]?\d+)?$|[-+]?\.(?:inf|nan)$", re.IGNORECASE)


class _Loader(yaml.SafeLoader):
    """PyYAML's, with numbers as Hydra reads them."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def build(section: Section, *context: object) -> Any:  # of whatever class the section names
    """Calls the section's `_target_` with `context` and the section's keys.

    Raises:
        UserError: the target is none that the configuration's own files name; a run folder or a checkpoint must not
            be able to call anything else.
    """
    return target(section)(*context, **settings(section))


def target(section: Section) -> Any:  # which one depends on the section
    """The class or function that a section names.

    Raises:
        UserError: it is none that the configuration's own files name.
    """
    name = section["_target_"]
    if not any(name in names for names in targets().values()):
        raise UserError(refusal(name))
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def import_module(name: str) -> ModuleType:
    """Imports a module of litmus or of a plugin.

    Raises:
        UserError: a plugin's cannot be imported; the sentence says where.
    """
    try:
        return importlib.import_module(name)
    except Exception as error:
        if owner(name) is None:
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"The plugin's module {name} cannot be imported: {type(error).__name__}: {first_line(error)} "
            f"({place.filename}, line {place.lineno})."
        ) from error


def settings(section: Section) -> Section:
    """A section's keys and values, without its `_target_`."""
    return {key: value for key, value in section.items() if key != "_target_"}


def defaults(group: str, choice: str) -> Section:
    """The section that `group=choice` stands for, as its YAML has it; for values that nothing else decides.

    Args:
        group: such as "task".
        choice: such as "regression".
    """
    content = from_text(file(group, choice).read_text(encoding="utf-8"))
    section: Section = content.get(group, content)
    return {key: value for key, value in section.items() if key != "defaults"}


def from_text(text: str) -> Section:
    """What a file of the configuration holds, with numbers as Hydra reads them; the caller may change it."""
    return copy.deepcopy(_parsed(text))


def value_of(text: str) -> object:
    """A value as one types it, in YAML with numbers as Hydra reads them; raises what PyYAML raises."""
    return yaml.load(text, _Loader)


@functools.cache
def _parsed(text: str) -> Section:
    parsed: Section = yaml.load(text, _Loader) or {}  # 2 ms, and a page needs each file several times
    return parsed
