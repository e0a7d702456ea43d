"""Modules that libraries import for one name, and that a small network never uses: they run at their first use.

Lightning imports all of torchmetrics for a base class (with it scipy.signal, matplotlib, torchvision, transformers),
and torch's compiler for a class that it looks for (with it sympy). That takes longer than most trainings here. A module
of `MODULES` is in `sys.modules` before its code has run. The names listed are given without; any other name runs it,
and so does a submodule of the compiler. Where a library changes, all works, only later; tests/test_startup.py says so.
"""

import importlib
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

COMPILER = "torch._dynamo"  # its submodules import each other in the order that it sets
Function = Callable[..., object]


class Deferred(ModuleType):
    """A module that has not run."""

    def __getattr__(self, name: str) -> object:
        if name in MODULES[self.__name__]:
            return MODULES[self.__name__][name](self, name)
        if name.startswith("__"):  # asked by what goes through all modules
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} before it runs")
        return getattr(run(self), name)


class Later:
    """A class or function of such a module: nothing is an instance before it runs; a call runs it."""

    def __init__(self, module: Deferred, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *arguments: object, **keywords: object) -> object:
        return getattr(run(self.module), self.name)(*arguments, **keywords)

    def __instancecheck__(self, instance: object) -> bool:
        return self.name in vars(self.module) and isinstance(instance, vars(self.module)[self.name])


def _disable(module: Deferred, name: str) -> Function:
    """Keeps a function from being compiled: before the compiler runs, nothing is."""

    def disable(function: Function, *arguments: object, **keywords: object) -> Function:
        def call(*own: object, **named: object) -> object:
            real: Function | None = vars(module).get(name)
            return (function if real is None else real(function, *arguments, **keywords))(*own, **named)  # type: ignore[operator]

        return call

    return disable


def _from(*sources: str) -> Callable[[Deferred, str], object]:
    """What the last of these submodules has under the name."""
    return lambda _, name: getattr([importlib.import_module(source) for source in sources][-1], name)


MODULES: Mapping[str, Mapping[str, Callable[[Deferred, str], object]]] = {
    "torchmetrics": {
        "Metric": _from("torchmetrics.utilities", "torchmetrics.metric"),
        "MetricCollection": _from("torchmetrics.utilities", "torchmetrics.collections"),
        "__version__": _from("torchmetrics.__about__"),
        "_logger": lambda module, _: logging.getLogger(module.__name__),
    },
    "torchmetrics.utilities.plot": dict.fromkeys(("_AX_TYPE", "_PLOT_OUT_TYPE", "plot_single_or_multi_val"), Later),
    "torch.utils.flop_counter": {"FlopCounterMode": Later},  # which imports triton
    f"{COMPILER}.utils": {"is_compile_supported": Later},  # of torchvision's detectors
    COMPILER: {
        "OptimizedModule": Later,
        "disable": _disable,
        "graph_break": lambda *_: lambda *_: None,  # of a graph: there is none yet
    },
}


class Given(Loader):
    """Gives a module that is there, and does not run it.

    Args:
        module: it.
        loader: which runs it, at its first use; None for one that has run.
    """

    def __init__(self, module: ModuleType, loader: Loader | None = None) -> None:
        self.module, self.spec, self.loader = module, module.__spec__, loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec or module.__spec__


def run(module: ModuleType) -> ModuleType:
    """Runs a module that was deferred, if it has not run; one of the compiler, after the compiler, which may do it."""
    if module.__name__.startswith(f"{COMPILER}."):
        run(sys.modules[COMPILER])
    spec = module.__spec__
    if isinstance(module, Deferred) and spec is not None and isinstance(spec.loader, Given):
        module.__class__ = ModuleType  # type: ignore[assignment]  # its code would find what it has not made yet
        module.__loader__ = spec.loader = spec.loader.loader
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


class Finder(MetaPathFinder):
    """Finds the modules that are deferred."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.startswith(f"{COMPILER}.") and name not in MODULES:
            run(sys.modules[COMPILER])
            if (module := sys.modules.get(name)) is not None:  # it is there since, and would run again
                module.__spec__ = ModuleSpec(name, Given(module))
                return module.__spec__
        spec = PathFinder.find_spec(name, path) if name in MODULES else None
        if spec is not None:
            spec.loader = Given(Deferred(name), spec.loader)
        return spec


def defer() -> None:
    """From now on, defers the modules that this process has not imported."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


def imported(name: str) -> ModuleType:
    """A module of another library, imported without what it defers."""
    defer()
    return importlib.import_module(name)
