"""Run folders that a crash, a full disk or a person damaged: what is whole is used; nothing is lost."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from faults import Fault, fail
from helpers import SMALL

from litmus.errors import UserError
from litmus.record.checkpoint import newest_checkpoint
from litmus.record.folder import RunDir
from litmus.run.ending import ending

Command = Callable[..., subprocess.CompletedProcess[str]]
Train = Callable[..., RunDir]
FEW = ["model=fnn", *SMALL, "trainer.limit_batches=4", "optimizer.lr=1e-3", "scheduler=none"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def zero_a_sector(path: Path) -> None:
    """In the middle of a tensor, which `torch.load` does not notice."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 512] = bytes(512)
    path.write_bytes(content)


def replace(path: Path) -> None:
    path.write_text("no checkpoint")


DAMAGES = [Path.unlink, truncate, zero, zero_a_sector, replace]


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_newest_whole_checkpoint_is_used(
    train: Train, trained: Train, resume: Train, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    """The first epoch is the best one, so the second is trained again from it."""
    worse = Fault(lambda trainer, task: trainer.optimizers[0].param_groups[0].update(lr=10.0), epoch=1)
    run = train(*FEW, "trainer.max_epochs=2", watching=[worse])
    assert run.read_result()["best_epoch"] == 1
    damage(run.last)
    resumed = resume(run, "trainer.max_epochs=3")
    assert (
        f"{run.last} is {'missing' if damage is Path.unlink else 'damaged'}: resuming from best.ckpt"
        in run.log.read_text()
    )
    whole = trained(*FEW, "trainer.max_epochs=3", folder="whole")
    assert ending(resumed)["metrics.csv"] == ending(whole)["metrics.csv"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_a_whole_checkpoint_nothing_is_overwritten(
    trained: Train, resume: Train, damage: Callable[[Path], None]
) -> None:
    run = trained(*FEW, "trainer.max_epochs=2")
    before = run.read_result()
    for path in (run.last, run.best):
        damage(path)
    files = {path: path.read_bytes() for path in run.checkpoints.iterdir()}
    with pytest.raises(UserError, match="Begin anew"):
        newest_checkpoint(run)
    resume(run, "trainer.max_epochs=3")
    assert {path: path.read_bytes() for path in run.checkpoints.iterdir()} == files
    assert run.read_result() == before
    what = "missing" if damage is Path.unlink else "damaged"
    assert f"cannot be resumed: last.ckpt is {what} and best.ckpt is {what}. Begin anew: " in run.log.read_text()


@pytest.mark.parametrize("damage", DAMAGES[1:])
def test_a_damaged_best_epoch_is_noticed_before_training_on(
    trained: Train, resume: Train, damage: Callable[[Path], None]
) -> None:
    run = trained(*FEW, "trainer.max_epochs=2")
    damage(run.best)
    with pytest.raises(UserError, match="so the best epoch so far is lost. Remove that file to train on"):
        newest_checkpoint(run)
    run.best.unlink()
    assert resume(run, "trainer.max_epochs=3").read_result()["status"] == "finished"
    assert torch.load(run.best, weights_only=True)["epoch"] == 2, "the best since then"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text(path.read_text()[:-30]), zero, replace])
def test_metrics_are_written_again(train: Train, trained: Train, resume: Train, damage: Callable[[Path], None]) -> None:
    whole = trained(*FEW, "trainer.max_epochs=3", folder="whole")
    run = train(*FEW, "trainer.max_epochs=3", watching=[Fault(fail("x"), epoch=2, batch=1)])
    damage(run.path / "metrics.csv")
    assert ending(resume(run)) == ending(whole)


def test_temporary_files_of_killed_processes_are_removed(trained: Train, resume: Train) -> None:
    run = trained(*FEW, "trainer.max_epochs=1")
    litter = [run.checkpoints / ".last.ckpt-x1y2", run.path / ".result.json-abc", run.path / ".metrics.csv-abc"]
    for path in litter:
        path.write_bytes(b"half")
    mine = run.path / ".notes"
    mine.write_text("not litmus's")
    resume(run, "trainer.max_epochs=2")
    assert not any(path.exists() for path in litter)
    assert mine.exists()


@pytest.mark.wide
def test_a_run_that_is_killed_anywhere_ends_the_same(command: Command, tmp_path: Path) -> None:
    """SIGKILL at some moment of each of three attempts, checkpoints within the epoch included."""
    words = [*FEW, "trainer.max_epochs=4", "callback.checkpoint.every_s=0.05", "model.dropout=0.2"]
    whole, run = RunDir(tmp_path / "whole"), RunDir(tmp_path / "run")
    assert command(*words, "hydra.run.dir=whole").returncode == 0
    arguments = [*words, "hydra.run.dir=run"]
    for delay in (0.0, 0.02, 0.2):
        command(*arguments, kill=(run.last, delay))
        arguments = ["resume=run"]
    done = command(*arguments)
    assert done.returncode in (0, 2), done.stderr  # 2: it had finished before it was killed
    assert ending(run) == ending(whole)
    assert not [path.name for path in run.checkpoints.iterdir() if path.name.startswith(".")]
