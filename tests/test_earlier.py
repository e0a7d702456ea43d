"""Run folders and sweeps of earlier versions (tests/earlier) resume, evaluate, predict and compare."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

EARLIER = Path(__file__).parent / "earlier"
EXPECTED = json.loads((EARLIER / "expected.json").read_text())
RUNS = sorted(path.parent.name for path in EARLIER.glob("*/config.yaml"))
SWEEPS = sorted(path.parent.name for path in EARLIER.glob("*/sweep.yaml"))
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _copied(tmp_path: Path) -> None:
    for path in EARLIER.iterdir():
        target = tmp_path / path.name
        shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)


def test_there_is_a_run_of_every_network() -> None:
    root = EARLIER.parent.parent
    assert {name.partition("-")[0] for name in RUNS} == {path.stem for path in (root / "conf" / "model").glob("*.yaml")}
    assert sorted(EXPECTED["evaluate"]) == RUNS
    assert sorted(EXPECTED["sweep"]) == SWEEPS


@pytest.mark.parametrize("name", RUNS)
def test_an_earlier_run_is_evaluated(name: str, command: Command) -> None:
    done = command("evaluate", name, "--json", script="litmus")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = EXPECTED["evaluate"][name]
    assert {metric: found[metric] for metric in expected} == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", sorted(EXPECTED["resume"]))
def test_an_earlier_run_is_resumed(name: str, command: Command, tmp_path: Path) -> None:
    done = command(f"resume={name}", "trainer.max_epochs=3")
    assert done.returncode == 0, done.stderr
    with (tmp_path / name / "metrics.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    expected = EXPECTED["resume"][name]
    assert {metric: float(last[metric]) for metric in expected} == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", ["resnet-mnist", "yolo-mnist_boxes"])
def test_an_earlier_run_whose_tensors_were_made_small_is_resumed(name: str, command: Command, tmp_path: Path) -> None:
    path = tmp_path / name / "checkpoints" / "last.ckpt"
    torch.save(_whole(torch.load(path, weights_only=True)), path)
    done = command(f"resume={name}", "trainer.max_epochs=2")
    assert done.returncode == 0, done.stderr


def _whole(value: object) -> object:
    """Constants that are stored once, written out: an optimizer changes them in place."""
    if isinstance(value, torch.Tensor):
        return value.contiguous()
    if isinstance(value, dict):
        return type(value)((key, _whole(each)) for key, each in value.items())
    return type(value)(map(_whole, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", SWEEPS)
def test_an_earlier_sweep_is_resumed(name: str, command: Command, tmp_path: Path) -> None:
    done = command("-m", f"resume={name}")
    assert done.returncode == 0, done.stderr
    assert "4 finished" in done.stdout
    for job, expected in EXPECTED["sweep"][name].items():
        metrics = json.loads((tmp_path / name / job / "result.json").read_text())["metrics"]
        assert {metric: metrics[metric] for metric in expected} == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", [".", *SWEEPS])
def test_earlier_runs_are_compared(name: str, command: Command) -> None:
    done = command("compare", name, "--no-figures", script="litmus")
    assert done.returncode == 0, done.stderr
    assert "damaged" not in done.stderr


@pytest.mark.parametrize("name", [name for name in RUNS if name.endswith("-text_table")])
def test_an_earlier_run_predicts(name: str, command: Command) -> None:
    done = command("predict", name, "a lovely film", "--json", script="litmus")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["probabilities"]) == {"good", "bad", "fair"}


@pytest.mark.parametrize("name", [name for name in RUNS if "bert" not in name])
def test_an_earlier_run_is_exported(name: str, command: Command, tmp_path: Path) -> None:
    done = command("export", name, "--to", "torch", script="litmus")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name / "export" / "model.pt2").is_file()
