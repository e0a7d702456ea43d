"""The tree is what the design says: floors hold for every module, names match, one owner per value."""

import ast
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from helpers import CONF, ROOT, composed, composed_whole

from litmus.config.types import Section
from litmus.config.validate import mistakes, signature

SRC = ROOT / "src" / "litmus"
GROUPS = ["model", "data", "task", "optimizer", "scheduler", "trainer", "logger", "sweep"]
CHOICES = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("[!_]*.yaml"))]
CHOICES.remove(("logger", "none"))

# From the ground up; a module imports only from floors below its own, and from its own folder.
FLOORS = (
    ("spec", "errors", "console"),
    ("config", "fetch", "parallel"),
    ("data", "task", "optimizer", "scheduler", "record", "page", "doctor"),
    ("model", "callback", "trainer", "logger", "compare", "report"),
    ("run",),
    ("inference", "sweep"),
    ("compose", "cli"),
    ("litmus", "__main__", "hydra_plugins"),
    ("train",),  # a second name of `litmus train`
)
FLOOR = {room: number for number, floor in enumerate(FLOORS, start=1) for room in floor}
MODULES = {  # by name, packages by that of their folder
    **{
        ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(SRC.rglob("*.py"))
    },
    **{f"hydra_plugins.{path.stem}": path for path in sorted((ROOT / "src" / "hydra_plugins").glob("*.py"))},
    "train": ROOT / "train.py",
}


def names(folder: Path, pattern: str) -> set[str]:
    return {path.stem for path in folder.glob(pattern) if not path.stem.startswith("_")}


def room(module: str) -> str:
    """The folder or module right below `litmus`: `litmus.data.image.cache` is in `data`."""
    parts = module.split(".")
    return parts[1] if parts[0] == "litmus" and len(parts) > 1 else parts[0]


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """Those of a file's syntax tree; several tests walk each, and the first parses it."""
    return list(ast.walk(ast.parse(path.read_text())))


@functools.cache
def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    return {name for node in nodes(path) for name in imported_by(node)}


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in MODULES else node.module for name in inner]
    return []


@functools.cache
def at_the_top(path: Path) -> set[str]:
    """Those that are imported when the module is."""
    return {name for node in ast.parse(path.read_text()).body for name in imported_by(node)}


# All modules in one test each: a test of its own for each of four hundred takes longer than to look at them.
def test_a_module_imports_only_from_floors_below_its_own() -> None:
    forbidden = [
        f"{module} (floor {FLOOR[room(module)]}) may not import {name}"
        for module, path in MODULES.items()
        for name in imported(path)
        if name.split(".")[0] in ("litmus", "hydra_plugins")
        and room(name) != room(module)
        and FLOOR[room(name)] >= FLOOR[room(module)]
    ]
    assert forbidden == []


def test_nobody_imports_what_another_folder_shares_inside() -> None:
    forbidden = []
    for module, path in MODULES.items():
        for name in imported(path):
            folder, _, last = name.rpartition(".")
            is_inside = last.startswith("_") and not last.startswith("__")
            if is_inside and name.split(".")[0] in ("litmus", "hydra_plugins") and not module.startswith(f"{folder}."):
                forbidden.append(f"{module} may not import {name}")
    assert forbidden == []


def test_imports_make_no_circle() -> None:
    graph = {
        module: {name for name in imported(path) if name in MODULES and name != module}
        for module, path in MODULES.items()
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_few_modules_lie_at_the_top() -> None:
    assert len(list(SRC.glob("*.py"))) <= 9


def test_packages_are_empty_and_nothing_is_called_utils() -> None:
    assert all(path.read_text() == "" for path in SRC.rglob("__init__.py") if path.parent != SRC)
    assert not list(SRC.rglob("utils.py"))


# `compose`, and what reads Hydra's grammar of overrides.
KNOW_HYDRA = ("litmus.compose.", "hydra_plugins.", "litmus.sweep.search.space")


def test_only_compose_and_the_plugins_know_hydra() -> None:
    knowing = {
        module
        for module, path in MODULES.items()
        if {"hydra", "omegaconf"} & {name.split(".")[0] for name in imported(path)}
    }
    assert {module for module in knowing if not module.startswith(KNOW_HYDRA)} == set()


HEAVY = {"torch", "lightning", "torchmetrics", "torchvision", "transformers", "ultralytics", "scipy", "matplotlib"}
# What answers before torch is imported: everything but what trains, and what predicts with a network.
USES_TORCH = (
    "data",
    "task",
    "model",
    "callback",
    "trainer",
    "optimizer",
    "scheduler",
    "logger",
    "parallel",
)
# Imported once it is clear that there is something to train.
IN_A_JOB = (
    "litmus.record.checkpoint",
    "litmus.sweep.pool.worker",
    "litmus.sweep.pool.reporter",
    "litmus.compose.job",
)
LIGHT = [
    module
    for module in MODULES
    if room(module) not in USES_TORCH
    and not module.startswith(("litmus.run.", "litmus.inference."))
    and module not in IN_A_JOB
] + ["litmus.run.diagnosis", "litmus.run.job", "litmus.run.process", "litmus.inference.inputs"]


def reached(module: str, imports: Callable[[Path], set[str]]) -> Iterator[tuple[str, set[str]]]:
    """Our modules that it imports, and those that these import; each with the first parts of all that it imports."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in MODULES:
            continue
        seen.add(name)
        found = imports(MODULES[name])
        yield name, {each.split(".")[0] for each in found}
        waiting += found


def test_what_answers_at_once_does_not_import_torch() -> None:
    for module in LIGHT:
        for name, found in reached(module, at_the_top):
            assert not HEAVY & found, f"{module} imports {name}, and with it {HEAVY & found}"


# What a network that answers needs, and the verbs that ask it.
ANSWERS = [module for module in MODULES if module.startswith(("litmus.inference.", "litmus.model."))]


def test_a_network_that_answers_needs_no_lightning() -> None:
    assert len(ANSWERS) > 20
    for module in ANSWERS:
        for name, found in reached(module, imported):
            heavy = {"lightning", "pytorch_lightning", "torchmetrics"} & found
            assert not heavy, f"{module} imports {name}, and with it {heavy}"


@pytest.mark.parametrize("group", ["model", "data", "task", "callback", "logger", "sweep"])
def test_a_yaml_for_every_module_and_a_module_for_every_yaml(group: str) -> None:
    assert names(CONF / group, "*.yaml") - {"default", "none"} == names(SRC / group, "*.py")


@pytest.mark.parametrize("group", ["optimizer", "scheduler"])
def test_a_yaml_for_every_function_and_a_function_for_every_yaml(group: str) -> None:
    tree = ast.parse((SRC / f"{group}.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    assert names(CONF / group, "*.yaml") == functions


def section_of(group: str, choice: str) -> Section:
    section = composed_whole(f"{group}={choice}")[group]
    return section[choice] if group == "logger" else section


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_the_name_that_one_types_is_the_target_s(group: str, choice: str) -> None:
    target = section_of(group, choice)["_target_"].split(".")
    if group != "trainer":
        assert choice in (target[2], target[-1])
    assert target[:2] == ["litmus", group]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_keys_are_the_constructor_s(group: str, choice: str) -> None:
    section = section_of(group, choice)
    assert set(section) - {"_target_"} == set(signature(section["_target_"]))


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_signatures_read_from_the_source_are_the_real_ones(group: str, choice: str) -> None:
    target = section_of(group, choice)["_target_"]
    module, _, name = target.rpartition(".")
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    keywords = {p.name: p.annotation for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert signature(target) == keywords
    assert all(p.default is p.empty for p in parameters), "defaults belong to the YAML"


def test_every_callback_s_keys_are_its_constructor_s() -> None:
    for section in composed()["callback"].values():
        assert set(section) - {"_target_"} == set(signature(section["_target_"]))


def test_the_default_configuration_has_no_mistakes() -> None:
    assert mistakes(composed()) == []


# A name of Python's own would be shadowed for whoever runs a file of that folder.
def test_no_room_is_called_as_a_module_of_python_s() -> None:
    rooms = {module.rpartition(".")[2] for module in MODULES if module.count(".") == 1}
    assert rooms & (sys.stdlib_module_names - {"__main__"}) == set()
