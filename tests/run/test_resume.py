"""A run that is resumed: from its last epoch, with its own configuration."""

from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as lightning
import pytest
import torch
from faults import Fault, Watch, fail
from helpers import SMALL, composed

from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run.ending import ending, points
from litmus.run.job import resume_config

Train = Callable[..., RunDir]


def test_a_moved_run_is_resumed_with_its_best_value(train: Train, resume: Train, tmp_path: Path) -> None:
    run = train("model=fnn", "trainer.max_epochs=3")
    best = run.best.read_bytes()
    moved = RunDir(run.path.rename(tmp_path / "moved"))
    ruin = Fault(lambda trainer, task: torch.nn.init.normal_(task.net.head.weight), epoch=3, batch=3)  # the last one
    resume(moved, "trainer.max_epochs=4", watching=[ruin])
    assert moved.read_result()["status"] == "finished"
    assert moved.read_metrics()[3]["val/acc"] < moved.read_metrics()[2]["val/acc"]
    assert moved.best.read_bytes() == best
    assert moved.read_result()["best_epoch"] <= 3


def test_the_last_epoch_is_kept_where_it_is_not_the_best(train: Train, resume: Train) -> None:
    """A network that does not get better, as a detector's mAP stays at 0 for a while."""
    changes = ["model=fnn", "optimizer.lr=1e-12", "trainer.max_epochs=4"]
    run = train(*changes, watching=[Fault(fail("the machine went away"), epoch=3)])
    assert torch.load(run.best, weights_only=True)["epoch"] == 0, "the first wins a tie"
    assert torch.load(run.last, weights_only=True)["epoch"] == 2
    watch = Watch()
    resume(run, watching=[watch])
    assert run.read_result()["status"] == "finished"
    assert watch.epochs == [3]
    assert [row["epoch"] for row in run.read_metrics()] == [1, 2, 3, 4]
    assert run.read_result()["best_epoch"] == 1
    assert torch.load(run.last, weights_only=True)["epoch"] == 3


def test_a_device_that_is_typed_leaves_all_else_as_it_was(train: Train) -> None:
    limits = ["trainer.max_steps=3", "trainer.accumulate_grad_batches=2", "trainer.gradient_clip=1.0"]
    run = train("model=fnn", "trainer.max_epochs=1", *limits, watching=[Fault(fail("stop"), epoch=0, batch=1)])
    before = run.read_config()["trainer"]
    after = resume_config(run, composed("model=fnn", *SMALL, "trainer=ddp"), ["trainer=ddp"])["trainer"]
    assert {key for key in before if before[key] != after[key]} <= {"devices", "accelerator", "precision"}
    assert after["devices"] == 2
    typed = ["trainer=cpu", "trainer.max_steps=null"]
    after = resume_config(run, composed("model=fnn", *SMALL, *typed), typed)["trainer"]
    assert (after["max_steps"], after["gradient_clip"], after["accelerator"]) == (None, 1.0, "cpu")


def test_resuming_what_cannot_be(train: Train) -> None:
    run = train("model=fnn")
    with pytest.raises(UserError, match="has already been trained for 2 epochs. Add trainer.max_epochs=4"):
        resume_config(run, composed("model=fnn"), ["model=fnn"])
    with pytest.raises(UserError, match="trained with model=fnn. It cannot be resumed with model=cnn"):
        resume_config(run, composed("model=cnn"), ["model=cnn"])
    with pytest.raises(UserError, match="trained with seed=0"):
        resume_config(run, composed("seed=1"), ["seed=1"])
    with pytest.raises(
        UserError, match="trained with optimizer.lr=0.003. It cannot be resumed with optimizer.lr=0.1: that is another"
    ):
        resume_config(run, composed("model=fnn", "optimizer.lr=0.1"), ["optimizer.lr=0.1"])
    with pytest.raises(UserError, match="is not a run folder"):
        resume_config(RunDir(run.checkpoints), composed(), [])
    longer = composed("model=fnn", "trainer.max_epochs=3")
    assert resume_config(run, longer, ["trainer.max_epochs=3"])["trainer"]["max_epochs"] == 3


def test_a_run_that_cannot_be_resumed_keeps_its_result(
    train: Train, resume: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train("model=perceptron")
    before = {name: (run.path / name).read_bytes() for name in ("result.json", "config.yaml", "metrics.csv")}
    with pytest.raises(SystemExit):
        resume(run, "trainer.max_epochs=4", "data.source=disk", "data.dir=nowhere")
    assert "data.source=disk, but there is no folder nowhere" in capsys.readouterr().err
    assert {name: (run.path / name).read_bytes() for name in before} == before
    with pytest.raises(UserError, match="has already been trained for 2 epochs. To train on, it takes more, such as"):
        resume(run, "trainer.max_epochs=1")


def test_what_was_logged_before_the_first_checkpoint_is_not_shown_twice(train: Train, resume: Train) -> None:
    """Killed while it writes its first checkpoint: what is logged until then is on the disk before it."""

    class Killed(BaseException):
        """Nothing of the run sees it."""

    def die(trainer: lightning.Trainer, _: object) -> None:
        trainer.logger.save()
        raise Killed

    words = ["model=fnn", "callback.dashboard.every_n_steps=1"]
    with pytest.raises(Killed):
        train(*words, watching=[Fault(die, epoch=0, batch=2)])
    run = RunDir("run")
    assert points(run.path)
    assert not run.last.exists()
    assert ending(resume(run)) == ending(train(*words, folder="straight"))
