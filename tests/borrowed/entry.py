"""An entry of the table of borrowed names."""

import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Borrowed:
    """A name, attribute or behavior that a library does not promise.

    Attributes:
        library: that it is of.
        name: as code uses it; the part behind the last dot is what the scan of `src/` looks for.
        breaks: what breaks without it.
        check: raises, or returns False, when it is gone; None for a path that only has to exist.
    """

    library: str
    name: str
    breaks: str
    check: Callable[[], object] | None = None


def has_parameters(path: str, *names: str) -> bool:
    return set(names) <= set(inspect.signature(pkgutil.resolve_name(path)).parameters)
