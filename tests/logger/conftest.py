"""Fixtures of loggers."""

import shutil
from pathlib import Path

import pytest
from logged import empty_store

__all__ = ["empty_store"]


@pytest.fixture(autouse=True)
def _offline(empty_store: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's user has set for them does not count; the store of MLflow is there, and empty."""
    for name in ("MLFLOW_TRACKING_URI", "WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    if empty_store is not None:
        (tmp_path / "outputs").mkdir()
        shutil.copyfile(empty_store, tmp_path / "outputs/mlflow.db")
