"""The other processes of a run that trains with DDP."""

import sys
from pathlib import Path

import pytest

from litmus.record.folder import RunDir
from litmus.run import ddp


@pytest.mark.parametrize(("script", "ending"), [("exit 3", "exit status 3"), ("kill -SEGV $$", "signal 11")])
def test_a_failed_rank_is_named_with_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ending: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    expected = rf"failed: rank 1 \({ending}\), rank 2 \({ending}\)\. See .*train.log"
    with pytest.raises(RuntimeError, match=expected), ddp.started(RunDir(tmp_path), 3):
        pass
