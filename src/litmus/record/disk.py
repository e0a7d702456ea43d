"""A disk that is full, or may not be written: as a sentence."""

import errno
import shutil
from pathlib import Path

from litmus.errors import UserError
from litmus.record.folder import RunDir

FULL = (errno.ENOSPC, errno.EDQUOT)
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


def explained(error: BaseException, folder: Path) -> BaseException:
    """The same error, or a UserError that says what to do where it means that nothing more can be written.

    Args:
        error: of any kind; the operating system's may be behind it.
        folder: that was written to, which names the disk where the error names no file.
    """
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno in (*FULL, errno.EFBIG, *NOT_WRITABLE)):
        cause = cause.__cause__ or cause.__context__
    if not isinstance(cause, OSError) or (cause.errno in NOT_WRITABLE and cause is not error):
        return error
    where = Path(str(cause.filename)) if cause.filename else folder
    if cause.errno in NOT_WRITABLE:
        return UserError(f"{where} cannot be written: {cause.strerror}.")
    if cause.errno == errno.EFBIG:
        return UserError(
            f"A file in {folder} would be larger than the shell (`ulimit -f`) or the disk allows. What was written "
            f"before is whole: allow more, and {_next(folder)}."
        )
    free = _free(folder)
    return UserError(
        f"The disk of {folder} is full{free}. What was written before is whole: free some space, and {_next(folder)}."
    )


def _next(folder: Path) -> str:
    return "resume the run" if RunDir(folder).last.is_file() else "begin anew: there is no checkpoint yet"


def _free(folder: Path) -> str:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return ""
    return f" ({usage.free / 1e6:,.1f} of {usage.total / 1e6:,.0f} MB are free)"
