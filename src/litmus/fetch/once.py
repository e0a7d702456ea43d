"""What is read once, by the processes that are forked from one; and what one process makes, for others to find."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """In the body, no other process makes this file; waits for one that does, where files can be locked.

    Args:
        path: of the file; the lock is a file beside it, which is deleted at the end.
    """
    from filelock import lock_descriptor

    beside = path.with_name(f".{path.name}.lock")
    while True:
        try:
            beside.parent.mkdir(parents=True, exist_ok=True)
            file = beside.open("ab")
        except OSError:  # a folder that can only be read
            yield
            return
        with suppress(OSError):  # a file system without locks
            lock_descriptor(file.fileno())
        try:
            if os.path.samestat(beside.stat(), os.fstat(file.fileno())):
                break
        except FileNotFoundError:
            pass
        file.close()  # whoever had it has deleted it meanwhile: a lock on it keeps nobody out
    with file:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows deletes nothing that is open
                beside.unlink()


def to_disk(path: Path) -> None:
    """Waits until the file, or the folder's list of names, is on the disk."""
    if path.is_dir() and os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not path.is_dir() or error.errno not in (
            errno.EINVAL,
            errno.ENOTSUP,
        ):  # not all know how
            raise
    finally:
        os.close(descriptor)


def all_to_disk(folder: Path) -> None:
    """Waits until all that is below the folder is on the disk; many files at a time, as each takes milliseconds."""
    from concurrent.futures import ThreadPoolExecutor  # here, because --help need not wait for it

    with ThreadPoolExecutor() as pool:
        list(pool.map(to_disk, [*folder.rglob("*"), folder]))
