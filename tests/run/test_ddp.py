"""The other processes of a run that trains with DDP."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from litmus.record.folder import RunDir
from litmus.run import ddp

Train = Callable[..., RunDir]


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


def test_balanced_classes_weigh_the_same_in_two_processes(train: Train) -> None:
    """Of 8 digits a step, the weights of the two processes' 4 differ widely."""
    few = ["data.limit=64", "data.batch_size=8", "trainer.max_epochs=3"]
    changes = ["model=fnn", "model.widths=[16]", "task.balanced=true", "task.label_smoothing=0.1", "seed=3", *few]
    one = train(*changes, folder="one")
    two = train(*changes, "trainer=ddp", "trainer.accelerator=cpu", folder="two")
    assert two.read_result()["status"] == "finished", two.log.read_text()
    for alone, shared in zip(one.read_metrics(), two.read_metrics(), strict=True):
        for name in ("train/loss", "val/loss"):
            assert shared[name] == pytest.approx(alone[name], rel=1e-5), name
