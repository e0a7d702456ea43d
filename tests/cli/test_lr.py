"""`litmus lr`: a rate as a command, a picture, and nothing else that stays."""

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import SMALL
from made_runs import made
from PIL import Image

from litmus import console
from litmus.__main__ import compose
from litmus.cli.main import main
from litmus.config.command import train_command, words_after
from litmus.record.folder import RunDir

Litmus = Callable[..., tuple[str, str]]
Train = Callable[..., RunDir]
FNN = ["lr", "model=fnn", *SMALL]
QUICK = ["--steps", "40"]


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and "data" not in path.parts}


def test_it_prints_a_command_and_draws_a_picture(litmus: Litmus, tmp_path: Path) -> None:
    said, _ = litmus(*FNN, "--steps", "100")
    (command,) = [line.removeprefix("train").strip() for line in said.splitlines() if line.startswith("train  ")]
    *own, suggestion = words_after(command) or []
    assert own == FNN[1:]
    key, _, value = suggestion.partition("=")
    assert key == "optimizer.lr"
    assert 1e-4 < float(value) < 1e-1
    assert f"suggestion   {suggestion}, a third of" in said
    assert "(set: 0.003)" in said
    assert [path.name for path in files(tmp_path)] == ["lr-fnn-mnist.png"]
    picture = Image.open("lr-fnn-mnist.png")
    assert picture.size == (860, 560)
    assert len(set(picture.convert("L").get_flattened_data())) > 20


def test_a_rate_that_is_typed_is_replaced(litmus: Litmus) -> None:
    answer = json.loads(litmus(*FNN, "optimizer.lr=0.5", "--json", "--steps", "100")[0])
    words = words_after(answer["command"]) or []
    assert answer["configured"] == 0.5
    assert [word for word in words if word.startswith("optimizer.lr")] == [f"optimizer.lr={answer['suggestion']:g}"]


def test_json_has_the_curve_and_draws_only_what_is_asked(litmus: Litmus, tmp_path: Path) -> None:
    out, errors = litmus(*FNN, *QUICK, "--json", "--out", "curves/one.png")
    answer = json.loads(out)
    assert errors.startswith("These are 5,000 of MNIST's 70,000 digits")
    assert len(answer["rates"]) == len(answer["losses"]) == len(answer["smoothed"]) <= 40
    assert answer["rates"] == sorted(answer["rates"])
    assert answer["rates"][0] == pytest.approx(1e-7)
    assert min(answer["smoothed"]) == answer["lowest"]["loss"] < answer["first_loss"]
    assert answer["picture"] == "curves/one.png"
    litmus(*FNN, *QUICK, "--json")
    assert [path.name for path in files(tmp_path)] == ["one.png"]


@pytest.mark.wide
def test_a_run_is_tested_as_it_was_trained_and_stays_as_it_is(train: Train, litmus: Litmus) -> None:
    run = train("model=fnn", "model.widths=[32]", "seed=3", "trainer.max_epochs=1")
    before = files(run.path)
    said, _ = litmus("lr", str(run.path), "--steps", "100")
    assert f"as {run.path}, from fresh weights" in said
    assert files(run.path) == before
    ours, typed = ["model=fnn", "model.widths=[32]", *SMALL, "seed=3"], ["lr", "--steps", "100", "--json"]
    of_run = json.loads(litmus(*typed, str(run.path))[0])
    assert of_run["losses"] == json.loads(litmus(*typed, *ours)[0])["losses"]
    words = words_after(of_run["command"]) or []
    assert {"model=fnn", "model.widths=[32]", "seed=3", f"optimizer.lr={of_run['suggestion']:g}"} <= set(words)


def test_a_run_may_be_called_as_a_network(train: Train, litmus: Litmus) -> None:
    train("model=fnn", "trainer.max_epochs=1", folder="cnn")
    answer = json.loads(litmus("lr", "cnn", *QUICK, "--json")[0])
    assert "model=fnn" in (words_after(answer["command"]) or [])


def test_values_of_a_run_can_be_changed(train: Train, litmus: Litmus) -> None:
    run = train("model=fnn", "trainer.max_epochs=1")
    answer = json.loads(litmus("lr", str(run.path), "model.dropout=0.5", "--steps", "100", "--json")[0])
    assert "model.dropout=0.5" in (words_after(answer["command"]) or [])


def test_a_run_of_several_machines_is_tested_in_this_process(tmp_path: Path, litmus: Litmus) -> None:
    machines = {"trainer": {"devices": 3, "num_nodes": 2, "strategy": "fsdp"}, "data": {"batch_size": 64}}
    run = made(tmp_path / "run", "model=fnn", *SMALL, changes=machines, resolved={})
    answer = json.loads(litmus("lr", str(run), "optimizer.lr=1e-4", *QUICK, "--json")[0])
    assert answer["configured"] == 1e-4, "written as for train.py"
    assert "trainer.num_nodes=2" not in (words_after(answer["command"]) or [])


@pytest.mark.parametrize("words", [["--to", "1e-6"], ["--from", "3", "--to", "10"]])
def test_a_loss_that_never_falls_suggests_nothing(words: list[str], litmus: Litmus) -> None:
    said, _ = litmus(*FNN, *QUICK, *words, status=1)
    assert "The loss never falls" in said
    assert not [line for line in said.splitlines() if line.startswith(("train  ", "suggestion"))]
    answer = json.loads(litmus(*FNN, *QUICK, *words, "--json", status=1)[0])
    assert (answer["suggestion"], answer["command"]) == (None, None)
    assert answer["reason"].startswith("The loss never falls")


def test_a_range_that_ends_too_soon_is_said(litmus: Litmus) -> None:
    assert "a higher --to may find" in litmus(*FNN, "--steps", "100", "--to", "1e-3")[0]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_curve_is_drawn_on_any_screen(encoding: str, litmus: Litmus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    screen = console.Screen(file=file, force_terminal=True, color_system=None, width=100, soft_wrap=True)
    monkeypatch.setattr(console, "out", screen)
    litmus(*FNN, "--steps", "100")
    file.flush()
    shown = file.buffer.getvalue().decode(encoding).splitlines()
    (curve,) = [line for line in shown if line.startswith("train/loss")]
    blocks = console.BLOCKS if encoding == "utf-8" else console.ASCII_BLOCKS
    assert sum(letter in blocks for letter in curve[13:53]) == 40
    (mark,) = [line for line in shown if line.strip().startswith("^")]
    assert curve[mark.index("^")] == blocks[0], "at the lowest"
    joined = " ".join(line.removesuffix("\\").strip() for line in shown)
    assert shlex.join(shlex.split(train_command(*FNN[1:]))) in joined


def test_it_refuses_where_no_rate_matters() -> None:
    with pytest.raises(SystemExit, match="model=perceptron learns the same at any optimizer.lr"):
        main(["lr", "model=perceptron", *SMALL], compose)
