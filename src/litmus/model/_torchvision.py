"""Importing torchvision's models without torch's compiler, which takes nine tenths of the time."""

import importlib
import sys
from types import ModuleType

COMPILER = "torch._dynamo.utils"


def models() -> ModuleType:
    """The module `torchvision.models`.

    Torchvision (as of 0.29) imports torch's compiler for one function, `is_compile_supported`, which only detectors
    call that are trained deterministically. A module with that function alone stands in for it during the import: with
    the first call it imports the compiler.
    """
    if "torchvision" not in sys.modules and COMPILER not in sys.modules:
        sys.modules[COMPILER] = _StandIn(COMPILER)
        try:
            importlib.import_module("torchvision.models")
        finally:
            del sys.modules[COMPILER]
    return importlib.import_module("torchvision.models")


class _StandIn(ModuleType):
    @staticmethod
    def is_compile_supported(device_type: str) -> bool:
        from torch._dynamo.utils import is_compile_supported

        return bool(is_compile_supported(device_type))
