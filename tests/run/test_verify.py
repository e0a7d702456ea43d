"""`litmus verify`: a training that is killed again and again ends as one that was not, or the difference is shown."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import SMALL

from litmus.cli.main import main
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run import verify

Litmus = Callable[..., tuple[str, str]]
Train = Callable[..., RunDir]


@pytest.mark.wide
def test_what_is_typed_is_trained_killed_and_compared(litmus: Litmus) -> None:
    out, _ = litmus("verify", "model=perceptron", *SMALL, "--kills", "1")
    assert "1 of 1 kills left no trace" in out
    assert "differs" not in out


@pytest.mark.slow
def test_a_difference_is_shown_and_the_folders_are_kept(
    train: Train, litmus: Litmus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run = train("model=perceptron", "trainer.max_epochs=1")
    content = torch.load(run.last, weights_only=True)
    content["state_dict"]["net.head.bias"] += 1.0
    torch.save(content, run.last)
    out, _ = litmus("verify", str(run.path), "--kills", "1", status=1)
    assert "differs" in out
    (kept,) = tmp_path.glob("litmus-verify-*")
    assert (kept / "killed-1" / "result.json").is_file()


def test_a_training_that_the_clock_ends_is_refused(train: Train, tmp_path: Path) -> None:
    run = train("model=perceptron", "trainer.max_epochs=1", "trainer.max_time=600")
    with pytest.raises(UserError, match=r"trainer\.max_time=600 ends a training by the clock"):
        verify.verify(run, tmp_path, [], 1, random.Random(0))


def test_files_that_are_left_over_are_no_success(train: Train) -> None:
    verdict = verify.Verdict(1, 1, {"metrics.csv": True}, [".last.ckpt-x"], [])
    assert not verdict.exact


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nosuch"], "There is no folder nosuch"),
        (["model=fn"], "Did you mean model=fnn"),
    ],
)
def test_what_cannot_be_verified_is_said(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit, match=sentence):
        main(["verify", *words])
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_verified_as_it_was_trained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["verify", "run", "model=fnn"])
    assert "run is no KEY=VALUE" in capsys.readouterr().err


def test_a_number_of_kills_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["verify", "model=fnn", "--kills", "0"])
    assert "--kills: '0' is not a whole number, at least 1" in capsys.readouterr().err


@pytest.mark.wide
def test_as_many_runs_are_killed_as_it_takes(train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that comes to its end is followed by another."""
    straight = train("model=perceptron", "trainer.max_epochs=1")
    endings = iter([True, False, True])
    trained = []

    def killed(run: RunDir, words: list[str], chance: random.Random, longest_s: float) -> bool:
        stays = next(endings)
        if not stays:
            trained.append(train("model=perceptron", "trainer.max_epochs=1", folder=f"verified/{run.path.name}"))
        return stays

    monkeypatch.setattr(verify, "_killed", killed)
    monkeypatch.setattr(verify, "_start", lambda words: words)
    monkeypatch.setattr(
        verify, "_finish", lambda *_: train("model=perceptron", "trainer.max_epochs=1", folder="verified/killed-2")
    )
    verdict = verify.verify(straight, tmp_path / "verified", ["model=perceptron"], 2, random.Random(0))
    assert (verdict.kills, len(verdict.folders), verdict.exact) == (2, 2, True)
