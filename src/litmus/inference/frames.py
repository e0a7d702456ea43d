"""What a table of pandas or polars offers, as far as it is used: neither library is imported for other networks."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Column(Protocol):
    """A column of such a table."""

    def to_numpy(self) -> NDArray[np.generic]: ...


@runtime_checkable
class FrameRow(Protocol):
    """A row of such a table, as pandas gives it."""

    @property
    def index(self) -> Iterable[object]: ...

    def to_dict(self) -> dict[object, object]: ...


@runtime_checkable
class Frame(Protocol):
    """A table of pandas or polars."""

    @property
    def columns(self) -> Iterable[object]: ...

    def to_numpy(self) -> NDArray[np.generic]: ...

    def __getitem__(self, name: str, /) -> Column: ...
