"""Run folders and sweeps of earlier versions (tests/earlier) resume, evaluate, predict and compare.

All but the sweeps, and one resumption, run in this process: starting another imports torch anew.
"""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import CONF
from omegaconf import OmegaConf

from litmus.__main__ import main

EARLIER = Path(__file__).parent / "earlier"
EXPECTED = json.loads((EARLIER / "expected.json").read_text())
RUNS = sorted(path.parent.name for path in EARLIER.glob("*/config.yaml"))
SWEEPS = sorted(path.parent.name for path in EARLIER.glob("*/sweep.yaml"))
Command = Callable[..., subprocess.CompletedProcess[str]]
Litmus = Callable[..., tuple[str, str]]


@pytest.fixture(autouse=True)
def _copied(tmp_path: Path) -> None:
    shutil.copytree(EARLIER, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def resume(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs `litmus train resume=RUN ...` in this process."""

    def run(name: str, *words: str) -> None:
        unseen = ["callback.dashboard.graph=false", "callback.dashboard.pictures=false"]
        monkeypatch.setattr(sys, "argv", ["litmus", "train", f"resume={name}", *words, *unseen])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # it is set there, too; here it is taken back
        try:
            main()  # which exits if the run does not finish
        finally:
            for resolver in ("litmus.run_dir", "litmus.sweep_dir"):
                OmegaConf.clear_resolver(resolver)

    return run


def test_there_is_a_run_of_every_network() -> None:
    assert {name.partition("-")[0] for name in RUNS} == {path.stem for path in (CONF / "model").glob("*.yaml")}
    assert sorted(EXPECTED["evaluate"]) == RUNS
    assert sorted(EXPECTED["sweep"]) == SWEEPS


@pytest.mark.parametrize("name", RUNS)
def test_an_earlier_run_is_evaluated(name: str, litmus: Litmus) -> None:
    out, _ = litmus("evaluate", name, "--json")
    check(json.loads(out), EXPECTED["evaluate"][name])


def check(metrics: dict[str, float], expected: dict[str, float]) -> None:
    assert {name: float(metrics[name]) for name in expected} == pytest.approx(expected, rel=1e-3, abs=1e-3)


def last_row(folder: Path) -> dict[str, float]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))[-1]


@pytest.mark.wide
@pytest.mark.parametrize("name", sorted(EXPECTED["resume"]))
def test_an_earlier_run_is_resumed(name: str, resume: Callable[..., None], tmp_path: Path) -> None:
    resume(name, "trainer.max_epochs=3")
    check(last_row(tmp_path / name), EXPECTED["resume"][name])


@pytest.mark.wide
def test_an_earlier_run_is_resumed_by_a_process_of_its_own(command: Command, tmp_path: Path) -> None:
    name = min(EXPECTED["resume"])
    done = command(f"resume={name}", "trainer.max_epochs=3")
    assert done.returncode == 0, done.stderr
    check(last_row(tmp_path / name), EXPECTED["resume"][name])


@pytest.mark.wide
@pytest.mark.parametrize("name", [pytest.param("resnet-mnist", marks=pytest.mark.slow), "yolo-mnist_boxes"])
def test_an_earlier_run_whose_tensors_were_made_small_is_resumed(
    name: str, resume: Callable[..., None], tmp_path: Path
) -> None:
    path = tmp_path / name / "checkpoints" / "last.ckpt"
    torch.save(_whole(torch.load(path, weights_only=True)), path)
    resume(name, "trainer.max_epochs=2")
    assert last_row(tmp_path / name)["epoch"] == "2"


def _whole(value: object) -> object:
    """Constants that are stored once, written out: an optimizer changes them in place."""
    if isinstance(value, torch.Tensor):
        return value.contiguous()
    if isinstance(value, dict):
        return type(value)((key, _whole(each)) for key, each in value.items())
    return type(value)(map(_whole, value)) if isinstance(value, list | tuple) else value


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_an_earlier_sweep_is_resumed(name: str, command: Command, tmp_path: Path) -> None:
    done = command("-m", f"resume={name}", timeout=300)
    assert done.returncode == 0, done.stderr
    assert "4 finished" in done.stdout
    for job, expected in EXPECTED["sweep"][name].items():
        check(json.loads((tmp_path / name / job / "result.json").read_text())["metrics"], expected)


@pytest.mark.wide
def test_an_earlier_search_is_resumed_for_the_trial_that_was_stopped(command: Command, tmp_path: Path) -> None:
    done = command("-m", "resume=search", "sweep.trials=3")
    assert done.returncode == 0, done.stderr
    assert "3 finished" in done.stdout
    expected = EXPECTED["sweep"]["search"]["trial_0002"]
    check(json.loads((tmp_path / "search" / "trial_0002" / "result.json").read_text())["metrics"], expected)


@pytest.mark.parametrize("name", [".", *SWEEPS])
def test_earlier_runs_are_compared(name: str, litmus: Litmus) -> None:
    _, err = litmus("compare", name, "--no-figures")
    assert "damaged" not in err


@pytest.mark.parametrize("name", [name for name in RUNS if name.endswith("-text_table")])
def test_an_earlier_run_predicts(name: str, litmus: Litmus) -> None:
    out, _ = litmus("predict", name, "a lovely film", "--json")
    assert set(json.loads(out)["probabilities"]) == {"good", "bad", "fair"}


@pytest.mark.wide
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name.startswith("lstm") else [pytest.mark.slow])
        for name in RUNS
        if "bert" not in name
    ],
)
def test_an_earlier_run_is_exported(name: str, command: Command, tmp_path: Path) -> None:
    """In a process of its own: torch.export's symbols of sizes depend on what the process exported before."""
    done = command("export", name, "--to", "torch", script="litmus")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name / "export" / "model.pt2").is_file()
