"""What litmus borrows of other libraries without their promise to keep it, and what breaks when it goes.

Each entry of BORROWED is a private or undocumented name, attribute or behavior: its check fails when a release removes
or changes it. The tests below read `src/` and fail on a private name that is not in the table.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest
from borrowed import from_hydra, from_lightning, from_networks, from_torch
from borrowed.entry import Borrowed
from test_layout import MODULES, nodes

BORROWED = [*from_lightning.BORROWED, *from_torch.BORROWED, *from_hydra.BORROWED, *from_networks.BORROWED]
# Underscored, but documented.
DOCUMENTED = {"os._exit"}
# Names that a metaclass puts on every class.
GENERATED = {"_abc_impl", "_backward_cls"}
PRIVATE = re.compile(r"_[a-z]\w*")
KNOWN = {part for entry in BORROWED for part in re.findall(r"\b_[a-z]\w*", entry.name)}
OURS = ("litmus", "hydra_plugins")


@pytest.mark.parametrize("entry", BORROWED, ids=lambda entry: f"{entry.library}: {entry.name}")
def test_what_is_borrowed_is_still_there(entry: Borrowed) -> None:
    if entry.check is None:
        pkgutil.resolve_name(entry.name)
    else:
        assert entry.check(), f"{entry.name} of {entry.library} has changed. {entry.breaks}"


def is_self(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def is_super(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "super"


# All modules in one test each, as in test_layout.py.
def every_node() -> Iterator[tuple[str, ast.AST]]:
    """Of every module, by its name."""
    return ((module, node) for module, path in MODULES.items() for node in nodes(path))


def test_every_private_attribute_of_another_s_is_listed() -> None:
    for module, node in every_node():
        if not isinstance(node, ast.Attribute) or not PRIVATE.fullmatch(node.attr) or node.attr == "_target_":
            continue
        if is_self(node.value) or is_super(node.value) or ast.unparse(node) in DOCUMENTED:
            continue  # what a base of another library has is looked for below
        assert node.attr in KNOWN, f"{module}:{node.lineno} uses {ast.unparse(node)}: add it to BORROWED"


def test_every_private_module_or_name_that_is_imported_is_listed() -> None:
    listed = {entry.name.replace(":", ".") for entry in BORROWED}
    for module, node in every_node():
        paths: list[str] = []
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            paths = [f"{node.module}.{alias.name}" for alias in node.names]
        for path in paths:
            private = {part for part in path.split(".") if PRIVATE.fullmatch(part)}
            if private and path.split(".")[0] not in OURS:
                assert any(f"{name}.".startswith(f"{path}.") for name in listed), f"{module}: add {path} to BORROWED"


def test_every_private_name_in_a_string_is_listed() -> None:
    """As `__setattr__` and `getattr` take them."""
    ours = {"_target_", "_global_", "_self_"}
    for module, node in every_node():
        used: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr", "setattr", "delattr"):
            used = node.args[1:2]
        elif isinstance(node, ast.Compare):
            used = [node.left, *node.comparators]
        for each in used:
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and PRIVATE.fullmatch(each.value):
                assert each.value in KNOWN | ours, f"{module}:{each.lineno} names {each.value}: add it to BORROWED"


# Those that run when they are imported.
RUN = ("train", "litmus.__main__")


def test_no_class_shares_a_private_name_with_a_base_of_another_library() -> None:
    """A method or attribute of ours would replace one of the base's, by mistake or on purpose: the latter is listed."""
    imported = [importlib.import_module(module) for module in MODULES if module not in RUN]
    own: list[type] = [
        each
        for module in imported
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__
    ]
    for kind in own:
        for base in kind.__mro__[1:]:
            if base.__module__.split(".")[0] not in (*OURS, "builtins", "typing"):
                shared = (private_names(kind) & private_names(base)) - GENERATED
                assert shared <= KNOWN, f"{kind.__module__}.{kind.__name__} shares {shared} with {base.__name__}"


@functools.cache
def private_names(kind: type) -> set[str]:
    """What a class itself defines, and what its methods set or read on `self`."""
    try:
        used = set(re.findall(r"\b(?:self|cls)\.(_[a-z]\w*)", inspect.getsource(kind)))
    except (OSError, TypeError):  # built in
        used = set()
    return used | {name for name in vars(kind) if PRIVATE.fullmatch(name)}


def test_a_private_name_that_nobody_uses_any_more_is_not_listed() -> None:
    source = "\n".join(path.read_text() for path in MODULES.values())
    assert not {name for name in KNOWN - {"_internal"} if name not in source}
