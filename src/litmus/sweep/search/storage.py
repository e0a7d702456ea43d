"""Where a search keeps its study: a file in the sweep's folder, or a server of PostgreSQL.

`sqlite` is for one launcher. Several may share the other two.
"""

import importlib.util
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from uuid import uuid4

from litmus.errors import UserError
from litmus.record.files import write_text
from litmus.record.search import JOURNAL, SERVER, STUDY
from litmus.sweep.search import space  # noqa: F401  # first: names missing Optuna

# isort: split
from filelock import lock_descriptor
from optuna.exceptions import OptunaError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.exc import SQLAlchemyError

BUSY_S = 60.0  # to wait for another process that writes to SQLite's file
SQLITE = "sqlite"
FILES = {SQLITE: STUDY, "journal": JOURNAL}
URL = re.compile(r"postgresql://(?P<user>[^@/]*@)?(?P<host>[^@/?]*)/(?P<database>[^/?]+)(\?.*)?")


def check_storage(storage: str) -> None:
    """Checks `sweep.storage`.

    Raises:
        UserError: it is none, or a package for it is not installed.
    """
    if storage in FILES:
        return
    url = URL.fullmatch(storage)
    if url is None:
        raise UserError(
            f"sweep.storage={storage} is not allowed: it is sqlite, journal, or postgresql://[USER@]HOST/DATABASE."
        )
    if ":" in (url["user"] or "") or "password=" in storage:
        raise UserError(
            "sweep.storage holds a password, which would be kept in the sweep's folder: leave it out, and put it into "
            "~/.pgpass or PGPASSWORD."
        )
    if importlib.util.find_spec("psycopg") is None:
        raise UserError("sweep.storage=postgresql://... needs the package psycopg: pip install 'litmus[postgresql]'.")


def check_folder(folder: Path, storage: str) -> None:
    """Checks that a search which the folder may hold already is kept where this one would be.

    Raises:
        UserError: it is kept elsewhere.
    """
    earlier = next((kind for kind, name in FILES.items() if (folder / name).is_file()), None)
    if (folder / SERVER).is_file():
        earlier = _read_server(folder)["storage"]
    if earlier is not None and earlier != storage:
        raise UserError(
            f"{folder} holds a search with sweep.storage={earlier}. Type that, or choose another sweep.name."
        )


def open_storage(folder: Path, storage: str) -> tuple[BaseStorage, str]:
    """Opens the storage of the folder's search, or creates it.

    Args:
        folder: of the sweep.
        storage: `sweep.storage`.

    Returns:
        The storage, and the name that the study has there if it is new.

    Raises:
        UserError: the file is damaged, or the server does not answer.
    """
    path, name = (folder / FILES.get(storage, SERVER)).resolve(), folder.resolve().name
    with reaching(str(path) if storage in FILES else storage):
        try:
            if storage == SQLITE:
                return _sqlite(path), name
            if storage in FILES:
                return JournalStorage(Journal(path)), name
            # Named, because another version of SQLAlchemy takes another driver; the server may be restarted meanwhile.
            opened = RDBStorage(storage.replace("://", "+psycopg://", 1), {"pool_pre_ping": True})
        except (RuntimeError, ValueError) as error:  # of another version of Optuna; half of a record
            raise UserError(f"{path} cannot be read: {error}") from None
        if not path.is_file():  # other searches of that name may be kept there
            name = f"{name}-{uuid4().hex}"
            write_text(path, json.dumps({"storage": storage, "study": name}) + "\n")
        return opened, _read_server(folder)["study"]


def url_of(folder: Path, storage: str) -> str:
    """What `optuna-dashboard` takes."""
    if storage == SQLITE:
        return f"sqlite:///{folder / STUDY}"
    return str(folder / FILES[storage]) if storage in FILES else storage


def close_storage(storage: BaseStorage) -> None:
    """Closes what is open, and removes the files beside `study.db`; the storage is opened again when needed."""
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def reaching(where: str) -> Iterator[None]:
    """Turns errors of the storage, in the body, into a sentence."""
    try:
        yield
    except (
        OptunaError,
        UpdateFinishedTrialError,
        SQLAlchemyError,
        sqlite3.DatabaseError,
        OSError,
        JSONDecodeError,
    ) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        raise UserError(f"{where} cannot be used: {str(cause).strip().splitlines()[0]}") from None


def _read_server(folder: Path) -> Mapping[str, str]:
    path = folder / SERVER
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {key: str(known[key]) for key in ("storage", "study")}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged.") from None


def _sqlite(path: Path) -> RDBStorage:
    """A database whose commits do not wait for the disk: they survive the process, but not a power failure.

    What a power failure loses is restored from the run folders.
    """

    def connection() -> sqlite3.Connection:
        made = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
        made.execute("PRAGMA journal_mode=WAL")  # a dashboard that reads does not block the search
        made.execute("PRAGMA synchronous=NORMAL")
        made.execute("PRAGMA wal_autocheckpoint=100")  # pages; otherwise study.db-wal holds all of a search for hours
        return made

    connection().close()
    # The URL only names the kind: a path in it would have to be quoted, in a way that depends on the version.
    return RDBStorage(f"sqlite:///{STUDY}", {"creator": connection})


class Journal(JournalFileBackend):
    """Optuna's journal, for processes that may be killed while they write.

    Optuna's own leaves a lock that keeps others out for 30 s, and half a line, which the next one would complete to
    something that nobody can read.

    Args:
        path: of the file; it is made.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _JournalLock(path))


class _JournalLock(JournalFileOpenLock):
    """A lock on the file itself, which the system releases with the process; half a line at the end is removed.

    Of Optuna's lock only the type is used: its base is private.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        lock_descriptor(self._file, poll_interval=0.005)
        end = size = os.fstat(self._file).st_size
        while end and os.pread(self._file, 1, end - 1) != b"\n":
            end -= 1
        if end < size:
            os.ftruncate(self._file, end)
        return True

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
