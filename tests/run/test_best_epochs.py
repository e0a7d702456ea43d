"""`callback.checkpoint.top_k`: the best epochs' checkpoints, and `litmus evaluate --checkpoint`."""

import json
from collections.abc import Callable

import pytest
import torch

from litmus.callback._best_epochs import BestEpochs
from litmus.cli import main
from litmus.errors import UserError
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import EPOCHS, RunDir

Train = Callable[..., RunDir]
WORDS = ("model=fnn", "trainer.max_epochs=5", "callback.checkpoint.top_k=2")


def kept(run: RunDir) -> list[str]:
    return sorted(path.name for path in run.checkpoints.glob(EPOCHS))


def named(run: RunDir, number: int) -> list[str]:
    """What the best epochs' files should be called, by metrics.csv."""
    rows = sorted(run.read_metrics(), key=lambda row: (-row["val/acc"], row["val/loss"]))[:number]
    return sorted(f"epoch-{row['epoch']:03d}_val-acc-{row['val/acc']:.4f}.ckpt" for row in rows)


def test_the_best_epochs_are_kept_under_their_numbers_and_scores(trained: Train) -> None:
    run = trained(*WORDS)
    assert kept(run) == named(run, 2)
    steps = {row["epoch"]: row["step"] for row in run.read_metrics()}
    for name in kept(run):
        assert load_checkpoint(run.checkpoint(name)).step == steps[int(name[6:9])]
    best = run.checkpoint(str(run.read_result()["best_epoch"]))
    weights = [torch.load(path, weights_only=True)["state_dict"] for path in (best, run.best)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_none_is_kept_unless_asked_for(train: Train) -> None:
    assert kept(train("model=fnn")) == []


def test_a_resumed_run_ends_with_the_same_files(train: Train, resume: Train) -> None:
    straight = train(*WORDS, "scheduler=none", folder="straight")
    run = train(*WORDS, "scheduler=none", "trainer.max_epochs=3", folder="stopped")
    (run.checkpoints / "epoch-004_val-acc-0.9999.ckpt").write_bytes(b"of an epoch that is trained again")
    resume(run, "trainer.max_epochs=5")
    assert kept(run) == kept(straight) == named(run, 2)


def test_the_file_of_the_newest_epoch_is_there_again_after_a_kill(trained: Train, resume: Train) -> None:
    """Between `last.ckpt` and its name as one of the best epochs."""
    run = trained(*WORDS, "callback.checkpoint.top_k=9")
    (newest,) = run.checkpoints.glob("epoch-005_*")
    newest.unlink()
    resume(run, "trainer.max_epochs=6")
    assert kept(run) == named(run, 9)
    assert "is not there any more" not in run.log.read_text()


def test_a_file_that_was_lost_makes_room_and_top_k_may_change(trained: Train, resume: Train) -> None:
    run = trained(*WORDS)
    (run.checkpoints / kept(run)[0]).unlink()
    resume(run, "trainer.max_epochs=6", "callback.checkpoint.top_k=1")
    assert run.read_result()["status"] == "finished"
    assert len(kept(run)) == 1


@pytest.mark.parametrize(
    ("mode", "scores", "expected"),
    [
        ("max", [0.5, 0.9, 0.7, 0.9], [2, 4]),
        ("min", [0.5, 0.9, 0.7, 0.4], [1, 4]),
        ("max", [0.5, float("nan"), 0.7, 0.7], [3, 4]),
        ("max", [0.9, 0.9, 0.9, 0.9], [3, 4]),
    ],
)
def test_which_are_best(mode: str, scores: list[float], expected: list[int]) -> None:
    """The loss falls from epoch to epoch, and breaks ties."""
    epochs = BestEpochs(2)
    for number, score in enumerate(scores, start=1):
        epochs.add(number, "val/acc", mode, score, 1 / number)
    assert sorted(epoch.number for epoch in epochs.kept) == expected
    again = BestEpochs(2)
    again.load_state_dict(epochs.state_dict())
    assert again.kept == epochs.kept


def test_evaluate_takes_any_of_them(trained: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(*WORDS)

    def evaluated(*words: str) -> dict[str, float]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main.main(["evaluate", str(run.path), "--json", *words])
        assert not left.value.code
        return json.loads(capsys.readouterr().out)

    number = next(int(name[6:9]) for name in kept(run))
    best = run.read_result()["best_epoch"]
    assert evaluated() == evaluated("--checkpoint", "best") == evaluated("--checkpoint", str(best))
    other = next(own for own in (int(name[6:9]) for name in kept(run)) if own != best)
    assert evaluated("--checkpoint", str(other)) != evaluated()
    assert evaluated("--checkpoint", run.checkpoint(str(number)).stem) == evaluated("--checkpoint", str(number))


def test_one_that_is_not_there_is_answered_with_those_that_are(trained: Train) -> None:
    run = trained(*WORDS)
    with pytest.raises(UserError, match=r"has no checkpoint 77\. It has: best, epoch-.*, last\."):
        run.checkpoint("77")
