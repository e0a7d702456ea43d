"""From a section of a configuration to the object that it describes."""

import importlib
import importlib.util
from typing import Any

from litmus.config.types import Section
from litmus.errors import UserError


def build(section: Section, *context: Any) -> Any:
    """Calls the section's `_target_` with `context` and the section's keys.

    Raises:
        UserError: the target is not something that litmus defines; a configuration must not be able
            to call anything else.
    """
    return _target(section)(*context, **_settings(section))


def _target(section: Section) -> Any:
    module_name, _, name = section["_target_"].rpartition(".")
    target = None
    if module_name.split(".")[0] == "litmus" and importlib.util.find_spec(module_name):
        target = getattr(importlib.import_module(module_name), name, None)
    if target is None or target.__module__ != module_name:
        raise UserError(f"_target_: {section['_target_']} is not a part of litmus, and will not be called.")
    return target


def _settings(section: Section) -> Section:
    return {key: value for key, value in section.items() if key != "_target_"}
