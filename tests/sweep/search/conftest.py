"""Fixtures of the tests of searches."""

from collections.abc import Iterator

import pytest
from optuna.storages import RDBStorage


@pytest.fixture(autouse=True, scope="module")
def _schema_read_once() -> Iterator[None]:
    """Optuna compares a file's version with scripts that it compiles anew each time."""
    with pytest.MonkeyPatch.context() as patch:
        scripts = RDBStorage("sqlite://")._version_manager._create_alembic_script()
        patch.setattr("optuna.storages._rdb.storage._VersionManager._create_alembic_script", lambda self: scripts)
        yield
