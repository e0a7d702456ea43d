"""Files that installed packages ship, located without importing the package, and their hashes."""

import hashlib
import importlib.util
from pathlib import Path


class SourceUnavailable(Exception):
    """A source does not have the files; the message says why."""


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5_of(path: Path) -> str:
    """The file's md5 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def package_file(package: str, *parts: str) -> Path:
    """A file that an installed package ships, located without importing the package.

    Raises:
        SourceUnavailable: the package is not installed, or has no such file.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SourceUnavailable(f"the package {package} is not installed.")
    path = Path(found.submodule_search_locations[0], *parts)
    if not path.is_file():
        raise SourceUnavailable(f"the package {package} has no {'/'.join(parts)}.")
    return path
