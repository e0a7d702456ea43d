"""Files, written whole or not at all; locks; and names of folders."""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from litmus.fetch.once import to_disk

log = logging.getLogger(__name__)

LONGEST_NAME = 120  # of a folder that is named after what was typed; file systems take 255 bytes
LARGEST_TEXT = 100_000_000  # bytes of a configuration or a result; a foreign folder may hold anything


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """Gives a temporary name beside `path`; on leaving without an error, it is renamed to `path`.

    Args:
        path: of the file that is replaced.
        durable: whether the file must be whole after the machine itself failed, which takes a few milliseconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with suppress(OSError):  # a mounted file system may have no modes
            temporary.chmod(0o666 & ~_umask())  # mkstemp's files are private
        if durable:
            to_disk(temporary)
        temporary.replace(path)
        if durable:
            to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def link(path: Path, name: Path) -> None:
    """Gives a file a second name, in place of what had that name; a copy, where the file system has no hard links.

    Either is replaced later, and never written into.
    """
    with replacing(name) as temporary:
        temporary.unlink()
        try:
            temporary.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, temporary)


def lock(file: int, shared: bool = False) -> bool:
    """Locks an open file until its last descriptor is closed, here and in the processes that inherited it.

    The system releases the lock when a process ends, however that happens. A file system without locks, as some
    network file systems are, gives a warning: there, nothing keeps two processes apart.

    Args:
        file: the descriptor.
        shared: whether others may hold a shared lock, too. Not on Windows.

    Returns:
        Whether it is locked; False if another process holds the lock.
    """
    from filelock import lock_descriptor  # here, because --help need not wait 7 ms for it

    try:
        if shared:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
        return lock_descriptor(file, blocking=False)
    except BlockingIOError:
        return False
    except OSError as error:
        log.warning("This file system has no locks (%s): make sure that no run is trained twice at a time.", error)
        return True


def slug(text: str) -> str:
    """A name for a folder: what was typed, without what would have to be quoted wherever one types the path."""
    unsigned = re.sub(r"(?<=\de)\+", "", text)  # 1e+30 is not 1e-30
    name = re.sub(r"[^A-Za-z0-9._]+", "-", unsigned).strip("-.") or "job"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}-{sha256(text.encode()).hexdigest()[:8]}"
