"""Room in a cache on disk: entries that were unused for longest make way for new ones."""

import logging
import re
import shutil
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


def make_room(cache: Path, most: int, pattern: str) -> None:
    """Removes the entries of a cache that were unused for longest, until the others take at most so many bytes.

    A process that has mapped one keeps it until it ends. When an entry was last used is when it was last modified.

    Args:
        cache: a folder, which may be missing.
        most: bytes of all entries.
        pattern: of an entry's name, a file or a folder of files; nothing else in the folder is ours.
    """
    entries = []
    for path in cache.iterdir() if cache.is_dir() else ():
        with suppress(OSError):  # another run has just removed it
            if re.fullmatch(pattern, path.name):
                files = [path] if path.is_file() else [*path.iterdir()]
                entries.append((path.stat().st_mtime, sum(file.stat().st_size for file in files), path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= most:
            return
        log.info("%s makes room: %.2f GB, unused for longest", path, size / 1e9)
        with suppress(OSError):  # the same
            if path.is_file():
                path.unlink()
            else:
                shutil.rmtree(path)
            total -= size
