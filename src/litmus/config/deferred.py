"""Modules that libraries import for one name, and that a small network never uses: they run at their first use.

Lightning imports all of torchmetrics for a base class (with it scipy.signal, matplotlib, torchvision, transformers),
and torch's compiler for a class that it looks for (with it sympy). transformers imports torchvision for a name that is
`typing`'s, and for losses of boxes. That takes longer than most trainings here. A module of `MODULES` is in
`sys.modules` before its code has run. The names listed are given without; any other name runs it, and so does a
submodule of the compiler. Where a library changes, all works, only later: tests/config/test_deferred.py says so. Only
litmus' own processes defer; a program that imports litmus does not.
"""

import copy
import functools
import importlib
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType

COMPILER = "torch._dynamo"  # its submodules import each other in the order that it sets
_running = threading.RLock()


class Deferred(ModuleType):
    """A module that has not run.

    Args:
        name: of it.
        loader: which runs it; None while it does.
    """

    def __init__(self, name: str, loader: Loader) -> None:
        super().__init__(name)
        self.loader: Loader | None = loader

    def __getattr__(self, name: str) -> object:
        if name in MODULES[self.__name__]:
            return MODULES[self.__name__][name](self, name)
        # The others are asked by what goes through all modules. While it runs, it has what its code has made so far,
        # for other threads, too: one that waited for it might hold the lock of a module that it imports.
        if (name.startswith("__") and name != "__all__") or self.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} before it has run")
        return getattr(run(self), name)

    def __dir__(self) -> list[str]:
        return dir(run(self))


class Later:
    """A class or function of such a module: nothing is an instance before it runs; a call or a subclass runs it."""

    def __init__(self, module: Deferred, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *arguments: object, **keywords: object) -> object:
        return vars(run(self.module))[self.name](*arguments, **keywords)

    def __mro_entries__(self, _: tuple[object, ...]) -> tuple[type, ...]:
        return (vars(run(self.module))[self.name],)

    def __instancecheck__(self, instance: object) -> bool:
        return self.name in vars(self.module) and isinstance(instance, vars(self.module)[self.name])


def _disable(module: Deferred, name: str) -> Callable[..., object]:
    """Keeps a function from being compiled: before the compiler runs, nothing is. All but plain functions run it."""

    def disable(*arguments: object, **keywords: object) -> object:
        if not isinstance(function := next(iter(arguments), None), FunctionType):
            return vars(run(module))[name](*arguments, **keywords)

        disabled = functools.cache(lambda: vars(module)[name](*arguments, **keywords))  # once, as it takes a while

        @functools.wraps(function)
        def call(*own: object, **named: object) -> object:
            return (disabled() if name in vars(module) else function)(*own, **named)

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
    "transformers.image_transforms": {"center_to_corners_format": Later},  # imports torchvision
    "transformers.processing_utils": {"Unpack": _from("typing")},  # imports what reads images and videos
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
        spec: its own.
    """

    def __init__(self, module: ModuleType, spec: ModuleSpec | None) -> None:
        self.module, self.spec = module, spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


def run(module: ModuleType) -> ModuleType:
    """Runs a module that was deferred, if it has not run; what another thread runs, it waits for."""
    with _running:
        if isinstance(module, Deferred) and (loader := module.loader) is not None:
            module.loader = None
            try:
                loader.exec_module(module)
            except BaseException:
                module.loader = loader  # the next use fails as this one does
                raise
            module.__class__ = ModuleType  # type: ignore[assignment]
    return module


class Finder(MetaPathFinder):
    """Finds the modules that are deferred."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.startswith(f"{COMPILER}."):
            run(sys.modules[COMPILER])
            # It is there since, and would run again.
            if target is None and (module := sys.modules.get(name)) is not None:
                module.__spec__ = ModuleSpec(name, Given(module, module.__spec__))
                return module.__spec__
        spec = PathFinder.find_spec(name, path) if name in MODULES and target is None else None
        if spec is None or spec.loader is None:
            return None
        given = copy.copy(spec)
        given.loader = Given(Deferred(name, spec.loader), spec)
        return given


def defer() -> None:
    """From now on, defers the modules that this process has not imported."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
