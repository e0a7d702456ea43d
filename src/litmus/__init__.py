"""Litmus in a program of your own: `litmus.load("outputs/latest").predict("cat.jpg")`. See docs/python.md.

Nothing is imported before it is used, so that the command line answers before torch is there.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litmus.inference.network import load as load

__all__ = ["load"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from litmus.inference import network

        return getattr(network, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
