"""A run's folder: what is in it, and that its files agree."""

import csv
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import composed
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from litmus.config.tags import tag
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.spec import Spec

Train = Callable[..., RunDir]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.wide
def test_a_file_system_without_links_and_modes_will_do(
    train: Train, resume: Train, litmus: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As exFAT, and some mounts."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for name in ("link", "symlink", "chmod"):
        monkeypatch.setattr(os, name, refuse)
    run = train("model=fnn", "hydra.run.dir=outputs/run")
    assert run.read_result()["status"] == "finished"
    resume(run, "trainer.max_epochs=3")
    assert run.read_result()["epochs"] == 3
    litmus("evaluate", str(run.path))
    litmus("export", str(run.path), "--to", "torch")


@pytest.mark.page
def test_a_finished_run_s_folder(train: Train) -> None:
    run = train("model=fnn", "callback.dashboard.graph=true", "seed=3")
    files = {str(p.relative_to(run.path)) for p in run.path.rglob("*") if p.is_file()}
    events = {name for name in files if "tfevents" in name}
    changed = {name for name in files if name.startswith("code-")}  # of code that is being worked on
    pictures = {name for name in files if name.startswith("pictures/")}
    assert files - events - changed - pictures == {
        "environment.json",
        "config.yaml",
        "requested.yaml",
        "result.json",
        "metrics.csv",
        "confusion.csv",
        "per_class.csv",
        "report.html",
        "health.json",
        "train.log",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    }
    result = json.loads((run.path / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["error"] is None
    by_class = {f"test/{what}_{digit}" for what in ("precision", "recall") for digit in range(10)}
    measured = {"train": ("loss", "acc"), **dict.fromkeys(("val", "test"), ("loss", "acc", "f1", "f1_weighted"))}
    assert set(result["metrics"]) == {f"{part}/{name}" for part, names in measured.items() for name in names} | by_class
    assert (result["model"], result["data"], result["seed"], result["epochs"], result["steps"]) == (
        "fnn",
        "mnist",
        3,
        2,
        8,
    )
    assert set(result["seconds"]) == {"startup", "baselines", "fit", "test"}
    assert result["samples_per_second"] > 0
    assert result["parameters"] == 109_386
    assert result["precision"] == 32
    assert result["device"].startswith("cpu")
    dataset = result["dataset"]
    assert (dataset["source"], dataset["train"], dataset["val"], dataset["test"]) == ("bundled", 400, 333, 400)
    assert list(dataset["sha256"]) == ["mnist_5k.csv.gz"]
    assert result["versions"]["torch"] == torch.__version__.partition("+")[0]


def test_the_subset_is_said_on_the_screen_in_the_log_and_in_the_result(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train("model=perceptron")
    said = "5,000 of MNIST's 70,000 digits"
    printed = capsys.readouterr()
    assert said in (printed.err + printed.out).replace("\n", " ")
    assert said in run.log.read_text()
    assert said in run.read_result()["dataset"]["warning"]


def test_metrics_agree_everywhere(train: Train) -> None:
    run = train("model=cnn", "model.widths=[8]", "trainer.max_epochs=3")
    result = run.read_result()
    with (run.path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    board = scalars(run.path)
    for name in ("train/loss", "train/acc", "val/loss", "val/acc", "optim/lr", "optim/grad_norm", "optim/l2_penalty"):
        written = [float(row[name]) for row in rows]
        assert [value for _, value in board[tag(name)]] == written, name
        assert all(v == v for v in written), name
    assert "epoch" not in board
    assert set(board) >= {"workings/time/epoch_seconds", "when_best/test/acc", "within_epoch/train_loss"}
    best = max(rows, key=lambda row: float(row["val/acc"]))
    assert result["best_epoch"] == int(best["epoch"])
    for name in ("train/loss", "train/acc", "val/loss", "val/acc"):
        assert result["metrics"][name] == float(best[name])
    assert [result["metrics"]["test/acc"]] == [value for _, value in board["when_best/test/acc"]]


def test_a_checkpoint_is_plain_and_rebuilds_the_network(train: Train) -> None:
    run = train("model=fnn")
    for path in (run.best, run.last):
        checkpoint = torch.load(path, weights_only=True)
        assert Spec.from_plain(checkpoint["spec"]).input.height == 28


def test_one_process_trains_in_a_folder(train: Train) -> None:
    run = train("model=perceptron")
    with run.locked(), pytest.raises(UserError, match="is being trained by another process"), run.locked():
        pass
    with run.locked():
        pass


def test_a_folder_is_claimed_once(train: Train) -> None:
    run = train("model=perceptron")
    with pytest.raises(UserError, match="already holds a run"):
        run.claim(composed())
