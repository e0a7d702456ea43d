"""What a checkpoint's file goes through, so that a machine that fails leaves the old one or the new one."""

import errno
import os
from pathlib import Path

import pytest
import torch

from litmus.record.checkpoint import save


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, replace = list[str](), Path.replace

    def sync(descriptor: int) -> None:
        file = Path(f"/proc/self/fd/{descriptor}").readlink()
        size = f" of {file.stat().st_size} bytes" if file.is_file() else ""
        done.append(f"synced {'folder' if file.is_dir() else 'file'}{size}")

    def renamed(self: Path, target: Path) -> Path:
        done.append("renamed")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", renamed)
    save({"weight": torch.zeros(1000)}, tmp_path / "last.ckpt")
    size = (tmp_path / "last.ckpt").stat().st_size
    assert done == [f"synced file of {size} bytes", "renamed", "synced folder"]


def test_a_disk_that_fails_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    save({"step": 1}, path)
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        save({"step": 2}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
