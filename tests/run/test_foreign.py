"""Checkpoints of another run, and such as no run writes: a sentence from every verb, and nothing is lost."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import SMALL

from litmus.errors import UserError
from litmus.inference.load import load_run
from litmus.record.checkpoint import KINDS, load_checkpoint
from litmus.record.folder import RunDir
from litmus.run.evaluate import evaluate

Train = Callable[..., RunDir]
FEW = ["model=fnn", *SMALL, "trainer.limit_batches=4", "trainer.max_epochs=2", "scheduler=one_cycle"]


def changed(path: Path, **entries: object) -> None:
    torch.save({**torch.load(path, weights_only=True), **entries}, path)


@pytest.mark.parametrize("name", KINDS)
def test_an_entry_of_another_kind_is_damage(trained: Train, name: str) -> None:
    run = trained("model=perceptron", *SMALL, "trainer.max_epochs=1")
    changed(run.best, **{name: "x"})
    for use in (load_checkpoint, lambda _: load_run(run), lambda _: evaluate(run, run.read_config(), [])):
        with pytest.raises(UserError, match=f"best.ckpt is damaged: .*its {name} is a str"):
            use(run.best)


@pytest.mark.parametrize(
    "entries",
    [
        {"state_dict": {"net.x": torch.zeros(2)}},
        {"state_dict": {"net.x": 3}},
        {"trained_with": 7},
        {"sha256": {"mnist": 7}},
        {"changes": [7]},
        {"callbacks": {}},
    ],
    ids=str,
)
def test_a_last_checkpoint_that_no_run_writes_is_passed_over(trained: Train, resume: Train, entries: object) -> None:
    run = trained(*FEW)
    changed(run.last, **entries)
    resumed = resume(run, "trainer.max_epochs=3").read_result()
    if "net.x" in str(entries) and "tensor" in str(entries):  # known once there is a network
        assert (resumed["status"], resumed["epochs"]) == ("finished", 2), "its result still stands"
        assert "last.ckpt is damaged, or of another network: " in run.log.read_text()
        return
    assert (resumed["status"], resumed["epochs"]) == ("finished", 3)
    assert "last.ckpt is damaged, or no checkpoint: resuming from best.ckpt" in run.log.read_text()


@pytest.mark.parametrize("name", ["loops", "optimizer_states", "lr_schedulers", "train_sums", "callbacks"])
def test_what_cannot_be_restored_is_said_and_the_result_stays(trained: Train, resume: Train, name: str) -> None:
    run = trained(*FEW)
    before = run.read_result()
    spoiled = {"callbacks": {"checkpoint": 3, "history": 4, "random_state": 5}, "loops": {"x": 1}}
    changed(run.last, **{name: spoiled.get(name, [{"x": 1}, 3])})
    resume(run, "trainer.max_epochs=3")
    assert run.read_result() == before
    said = run.log.read_text()
    assert "last.ckpt is damaged, or another run's: " in said
    shutil.move(run.last, run.path / "away.ckpt")
    assert resume(run, "trainer.max_epochs=3").read_result()["epochs"] == 3, "as the sentence says"


def test_another_run_s_checkpoint_is_not_trained_on(trained: Train, resume: Train) -> None:
    run = trained(*FEW)
    other = trained(*FEW, "data.batch_size=16", folder="other")
    shutil.copy(other.last, run.last)
    resume(run, "trainer.max_epochs=3")
    assert "last.ckpt is another run's, which was trained with data.batch_size=16: resuming from" in run.log.read_text()
    for name in ("last.ckpt", "best.ckpt"):
        shutil.copy(other.checkpoints / name, run.checkpoints / name)
    before = run.read_result()
    resume(run, "trainer.max_epochs=4")
    assert run.read_result() == before
    assert "cannot be resumed: last.ckpt is another run's" in run.log.read_text()
    for use in (lambda: load_run(run), lambda: evaluate(run, run.read_config(), [])):
        with pytest.raises(UserError, match=r"best.ckpt is another run's, which was trained with data.batch_size=16\."):
            use()


def test_an_archive_that_is_no_checkpoint_is_passed_over(trained: Train, resume: Train) -> None:
    run = trained(*FEW)
    with zipfile.ZipFile(run.last, "w") as archive:
        archive.writestr("a", "b")
    assert resume(run, "trainer.max_epochs=3").read_result()["epochs"] == 3


def test_a_best_checkpoint_that_is_gone(trained: Train) -> None:
    run = trained(*FEW)
    run.best.unlink()
    with pytest.raises(UserError, match=r"best.ckpt is missing, so the weights of the best epoch are lost\. To train "):
        load_run(run)
    run.write_result({**run.read_result(), "status": "interrupted"})
    with pytest.raises(UserError, match=r"are lost\. To train on: litmus train resume="):
        load_run(run)
