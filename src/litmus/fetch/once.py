"""A memory of file contents that a process shares with those forked from it, the jobs of a sweep."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

Content = TypeVar("Content")

kept: dict[tuple[object, ...], object] = {}
_keeping = False


@contextmanager
def keeping() -> Iterator[None]:
    """In the body, `once` keeps what it reads in memory."""
    global _keeping
    _keeping = True
    try:
        yield
    finally:
        _keeping = False


def once(read: Callable[[Path], Content], path: Path) -> Content:
    """`read(path)`, or the kept result if the file has not changed since; callers must not modify it."""
    stat = path.stat()
    key = (read, path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if key in kept:
        return cast(Content, kept[key])  # the key holds the function
    content = read(path)
    if _keeping:
        kept[key] = content
    return content
