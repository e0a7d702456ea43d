"""The tree is what the design says: names match, imports keep to their level, one owner per value."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from conftest import CONF, ROOT, composed, composed_whole

from litmus.config.validate import mistakes, signature

SRC = ROOT / "src" / "litmus"
GROUPS = ["model", "data", "task", "optimizer", "scheduler", "trainer", "logger", "sweep"]
CHOICES = [(group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("[!_]*.yaml"))]


def names(folder: Path, pattern: str) -> set[str]:
    return {path.stem for path in folder.glob(pattern) if not path.stem.startswith("_")}


@pytest.mark.parametrize("group", ["model", "data", "task", "callback", "sweep"])
def test_a_yaml_for_every_module_and_a_module_for_every_yaml(group: str) -> None:
    assert names(CONF / group, "*.yaml") - {"default"} == names(SRC / group, "*.py")


@pytest.mark.parametrize("group", ["optimizer", "scheduler", "logger"])
def test_a_yaml_for_every_function_and_a_function_for_every_yaml(group: str) -> None:
    tree = ast.parse((SRC / f"{group}.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    assert names(CONF / group, "*.yaml") == functions


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_the_name_that_one_types_is_the_target_s(group: str, choice: str) -> None:
    target = composed_whole(f"{group}={choice}")[group]["_target_"].split(".")
    if group != "trainer":
        assert choice in (target[2], target[-1])
    assert target[:2] == ["litmus", group]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_keys_are_the_constructor_s(group: str, choice: str) -> None:
    section = composed_whole(f"{group}={choice}")[group]
    assert set(section) - {"_target_"} == set(signature(section["_target_"]))


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_signatures_read_from_the_source_are_the_real_ones(group: str, choice: str) -> None:
    target = composed_whole(f"{group}={choice}")[group]["_target_"]
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


VERBS = ("evaluate", "export", "predict")  # they build a run's objects, once they know that there is a run

# Of litmus, who may import what; torch, lightning and the like are bound by the second test.
MAY_IMPORT = {
    "spec": set(),
    "check": set(),
    "monitor": {"check"},
    "rundir": {"check"},
    "shipped": set(),
    "family": set(),
    "hub": set(),
    "resume": {"check", "rundir"},
    "explain": {"check"},
    "help": {"check"},
    "entry": {"check", "explain", "help", "rundir", "sweep"},
    "cli": {"check"},
    "dashboard": {"check", "rundir"},
    "hyperparameters": {"rundir"},
    "compare": {"check", "screen", "comparing"},
    "comparing": {"check", "rundir", "screen", "monitor", "hyperparameters", "comparing"},
    "sweep": {"check", "family", "monitor", "resume", "rundir", "sweep"},
    "sweep/_job": {"callback", "check", "result", "run", "rundir", "screen"},  # in a job's own process
    "composing": {"check", "explain", "sweep"},
    "exporting": {"check", "spec", "hub"},
    "drawing": set(),
    "screen": set(),
    "optimizer": {"check"},
    "scheduler": {"check"},
    "logger": {"check"},
    "trainer": {"check", "rundir"},
    "model": {"check", "spec", "model", "shipped", "hub", "rundir"},
    "data": {"check", "spec", "data", "shipped"},
    "task": {"check", "spec", "task"},
    "callback": {"check", "rundir", "screen", "callback", "hyperparameters"},
}


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_keep_to_their_level(path: Path) -> None:
    parts = path.relative_to(SRC).with_suffix("").parts
    allowed = MAY_IMPORT.get("/".join(parts), MAY_IMPORT.get(parts[0]))
    if allowed is None:
        assert parts[0] in ("run", "ranks", "report", "result", "answering", *VERBS, "__main__", "__init__")
        return
    for name in imported(path):
        if name.startswith("litmus."):
            assert name.split(".")[1] in allowed, f"{path.name} may not import {name}"


AT_ONCE = ["spec", "check", "rundir", "resume", "explain", "help", "entry", "cli", "dashboard", *VERBS]
AT_ONCE += [
    "composing",
    "monitor",
    *(f"sweep/{name}" for name in ("grid", "optuna", "_objectives", "_pool", "_server", "_space", "_study", "_sweep")),
]
AT_ONCE += ["compare", "hyperparameters", *(f"comparing/{name}" for name in sorted(names(SRC / "comparing", "*.py")))]


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_answers_at_once_does_not_import_torch(name: str) -> None:
    heavy = {"torch", "lightning", "torchmetrics", "torchvision"}
    top_level = [n for node in ast.parse((SRC / f"{name}.py").read_text()).body for n in imported_by(node)]
    assert not heavy & {n.split(".")[0] for n in top_level}


def test_only_run_and_what_surrounds_it_know_hydra() -> None:
    knowing = {p.stem for p in SRC.rglob("*.py") if {"hydra", "omegaconf"} & {n.split(".")[0] for n in imported(p)}}
    assert knowing == {"run", "entry", "explain", "help", "composing", "_space"}


def test_packages_are_empty_and_nothing_is_called_utils() -> None:
    assert all(path.read_text() == "" for path in SRC.rglob("__init__.py"))
    assert not list(SRC.rglob("utils.py"))


def imported(path: Path) -> set[str]:
    return {name for node in ast.walk(ast.parse(path.read_text())) for name in imported_by(node)}


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        # `from litmus import rundir` names a module; `from litmus.record.folder import RunDir` does not.
        return [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "litmus" else [node.module]
    return []
