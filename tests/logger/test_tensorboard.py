"""Event files are named in the order in which TensorBoard has to read them."""

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from litmus.logger import tensorboard
from litmus.record.folder import RunDir


@pytest.mark.parametrize(
    ("second", "process", "slept"),
    [("1000", "9.0", [0.75]), ("1000", "10.0", []), ("1000", "11.7", []), ("0999", "9.0", [])],
    ids=["sorts after", "sorts before", "the same process", "an earlier second"],
)
def test_what_another_process_wrote_in_the_same_second_is_read_before(
    second: str, process: str, slept: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(tensorboard, "time", SimpleNamespace(time=lambda: 1000.25, sleep=waits.append))
    monkeypatch.setattr(os, "getpid", lambda: 11)
    (tmp_path / f"events.out.tfevents.000000{second}.{socket.gethostname()}.{process}").touch()
    tensorboard.TensorBoard(RunDir(tmp_path), 3)
    assert waits == slept
