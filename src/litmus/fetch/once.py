"""What is read of files once, for a process and those that are forked from it: the jobs of a sweep."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Content = TypeVar("Content")

_kept: dict[tuple[Any, ...], Any] = {}
_keeping = False


@contextmanager
def keeping() -> Iterator[None]:
    """What `once` reads in the body, stays in memory."""
    global _keeping
    _keeping = True
    try:
        yield
    finally:
        _keeping = False


def once(read: Callable[[Path], Content], path: Path) -> Content:
    """`read(path)`, or what was kept of it, if the file has not been touched since; it is not to be altered."""
    stat = path.stat()
    key = (read, path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if key in _kept:
        return _kept[key]
    content = read(path)
    if _keeping:
        _kept[key] = content
    return content
