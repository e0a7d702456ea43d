"""The user's own files: what a path names, and reading it without waiting for a pipe or drowning in a device."""

import errno
import os
import stat
from pathlib import Path
from typing import Literal

from litmus.errors import UserError

Kind = Literal["missing", "file", "folder", "other"]  # other: a pipe, a device, a socket


def expand(path: str) -> Path:
    """The path with a home folder for `~`; one of an unknown user stays as it is, and names nothing."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def shorten(path: Path) -> Path:
    """The path relative to the current folder, if it lies below: that is what one types."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def without_links(path: Path) -> Path:
    """What the path leads to: a link on the way, such as `outputs/latest`, may lead elsewhere in a moment.

    It stays as it was typed where there is no link, or nobody can say where they lead.
    """
    try:
        itself = path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a NUL in the name: who reads it says so
        return path
    is_itself = str(itself) == os.path.abspath(path)  # noqa: PTH100  # which follows no links
    return path if is_itself else shorten(itself)


def cache_folder(dir: str | None) -> Path:
    """The folder that `data.dir` names, or the user's cache folder."""
    import platformdirs

    return expand(dir) if dir else Path(platformdirs.user_cache_dir("litmus"))


def kind_of(path: Path) -> Kind:
    """What the path names.

    Raises:
        UserError: that cannot be said: its name is too long, or a folder above may not be entered.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UserError(f"{path} cannot be read: {reason(error)}.") from None
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def is_file(path: Path) -> bool:
    """Whether the path names a file; not a pipe, and nothing that cannot be looked up."""
    try:
        return kind_of(path) == "file"
    except UserError:
        return False


def is_hidden(path: Path) -> bool:
    """Whether the system, not a person, put the file there, by its name."""
    return path.name.startswith((".", "__MACOSX"))


def check_current_folder() -> None:
    """Checks that the folder in which the command was typed is still there.

    Raises:
        UserError: it was deleted, or may not be entered.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise UserError(f"The current folder cannot be used: {reason(error)}. Change to another one.") from None


def check_file(path: Path) -> None:
    """Checks that the path names a file that can be read.

    Raises:
        UserError: it is something else, it is missing, or it may not be read.
    """
    kind = kind_of(path)
    if kind == "missing":
        raise UserError(f"There is no file {path}.")
    if kind != "file":
        raise UserError(f"{path} is {'a folder' if kind == 'folder' else 'a pipe or a device'}, not a file.")
    _check_permission(path, os.R_OK)


def check_folder(path: Path) -> None:
    """Checks that the path names a folder whose files can be listed.

    Raises:
        UserError: it is something else, it is missing, or it may not be read.
    """
    if kind_of(path) != "folder":
        raise UserError(f"There is no folder {path}.")
    _check_permission(path, os.R_OK | os.X_OK)


def _check_permission(path: Path, needed: int) -> None:
    if not os.access(path, needed):
        raise UserError(f"{path} cannot be read: {os.strerror(errno.EACCES)}.")


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a file.

    Args:
        path: of the file.
        most: bytes.

    Raises:
        OSError: it is missing, may not be read, is no file or is larger; `reason` says it in words.
    """
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        kind = "a folder" if stat.S_ISDIR(info.st_mode) else "a pipe or a device"
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
    if info.st_size > most:
        raise OSError(errno.EFBIG, f"it has {info.st_size:,} bytes, more than {most:,}", str(path))
    return path.read_bytes()


def reason(error: Exception) -> str:
    """Why a file could not be read, in words and without its name."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
