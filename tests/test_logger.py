"""Event files are named in the order in which TensorBoard has to read them."""

import os
import socket
import time
from pathlib import Path

import pytest

from litmus.logger import tensorboard


@pytest.mark.parametrize(("earlier", "waits"), [("9.0", True), ("10.0", False), ("11.7", False)])
def test_what_another_process_wrote_in_the_same_second_is_read_before(
    earlier: str, waits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 11)
    while time.time() % 1 > 0.7:  # room for all of it within a second
        time.sleep(0.05)
    second = int(time.time())
    (tmp_path / f"events.out.tfevents.{second:010d}.{socket.gethostname()}.{earlier}").touch()
    tensorboard(tmp_path, 3)
    assert (int(time.time()) > second) == waits
