"""The command that repeats a run composes what the run was trained with, however it was started."""

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import SMALL, composed
from made_runs import made

from litmus.config.keys import identity
from litmus.config.preflight import preflight
from litmus.record.command import command_of, command_with, repeating, typed_words, words_of
from litmus.record.folder import RunDir
from litmus.report.background import again
from litmus.report.parts import Lines
from litmus.run.page import material_of

Command = Callable[..., subprocess.CompletedProcess[str]]
FAST = [*SMALL, "trainer.max_epochs=1", "model=fnn"]


def differences(run: RunDir) -> set[str]:
    """The keys of which the command composes another value than the run had."""
    words = shlex.split(command_of(run) or "")[2:]
    ours, its = identity(composed(*words)), identity(run.read_requested() or run.read_config())
    return {key for key in {*ours, *its} if ours.get(key) != its.get(key)}


def written(folder: Path, *commands: str) -> RunDir:
    """The run, with what `environment.json` says of its start."""
    of = {"commands": list(commands), "packages": {}, "variables": {}, "git": None, "slurm_job": None}
    (folder / "environment.json").write_text(json.dumps(of))
    return RunDir(folder)


@pytest.mark.slow
def test_jobs_and_trials_are_typed_as_they_are_trained(command: Command, tmp_path: Path) -> None:
    grid = command("-m", *FAST, "model.widths=[8],[4,4]", "seed=1", "sweep.name=grid")
    words = ["model.dropout=interval(0,0.6)", "sweep.trials=2", "sweep=optuna", "sweep.name=search"]
    search = command("-m", *FAST, *words)
    assert (grid.returncode, search.returncode) == (0, 0), grid.stderr + search.stderr
    for name in ("grid", "search"):
        runs = [RunDir(path.parent) for path in (tmp_path / "outputs/sweeps" / name).glob("*/result.json")]
        assert len(runs) == 2
        assert not any(map(differences, runs))
        assert len({command_of(run) for run in runs}) == 2
    alone = command(*(words_of(runs[0]) or []), "hydra.run.dir=again")
    assert alone.returncode == 0, alone.stderr
    metrics = [(RunDir(each).read_result() or {})["metrics"] for each in (runs[0].path, tmp_path / "again")]
    assert metrics[0] == metrics[1]


def test_another_choice_takes_the_keys_of_the_one_before_with_it(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    run = written(folder, "python train.py model=fnn scheduler=plateau scheduler.patience=1 optimizer.lr=0.1")
    command = command_with(run, "optimizer.lr=0.3 scheduler=one_cycle")
    assert shlex.split(command)[2:] == ["model=fnn", "optimizer.lr=0.3", "scheduler=one_cycle"]
    composed(*shlex.split(command)[2:])


def test_a_resumed_run_has_what_was_typed_later(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn", changes={"trainer": {"max_epochs": 9}})
    begun, resumed = "litmus train model=fnn trainer.max_epochs=4 'data.dir=a b'", "python train.py resume=run"
    run = written(folder, begun, f"{resumed} trainer.max_epochs=9", resumed)
    assert words_of(run) == ["model=fnn", "trainer.max_epochs=9", "data.dir=a b"]


@pytest.mark.parametrize("start", ["python train.py model=fnn trainer.devices=2 trainer.num_nodes=2", "a job"])
def test_a_run_of_several_machines_is_repeated_without_a_launcher(tmp_path: Path, start: str) -> None:
    machines = {"trainer": {"devices": 2, "num_nodes": 2}}
    run = written(made(tmp_path / "run", "model=fnn", changes=machines, resolved={}), start)
    words = words_of(run) or []
    assert "trainer.devices=2" in words
    assert preflight(composed(*words)) == []


OTHERS = {
    "an earlier version's job": "a job of a sweep: model.dropout=0.3",
    "a program of one's own": "python mine.py model.dropout=0.3",
    "a program that says nothing": "",
    "a reproduction": "python train.py reproduce=a",
    "a resumed run whose start is not known": "python train.py resume=a trainer.max_epochs=9",
    "a quote that is not closed": "python train.py model='fnn",
    "a flag": "python train.py -m model=fnn",
    "nothing": "python train.py",
}


@pytest.mark.parametrize("start", OTHERS)
def test_where_it_is_not_known_the_configuration_is_typed(tmp_path: Path, start: str) -> None:
    run = written(made(tmp_path / "run", "model=fnn", "model.dropout=0.25", seed=7, resolved={}), OTHERS[start])
    assert differences(run) == set()
    assert composed(*(words_of(run) or []))["seed"] == 7
    assert "model=fnn" in command_with(run, "optimizer.lr=0.1")
    assert [word for word in shlex.split(command_with(run, "seed=3")) if word[:5] == "seed="] == ["seed=3"]


def test_a_network_of_somebody_else_is_not_typed(tmp_path: Path) -> None:
    run = RunDir(made(tmp_path / "run", "model=fnn", changes={"model": {"_target_": "mine.Net"}}))
    assert words_of(run) is None
    assert command_with(run, "optimizer.lr=0.1") == "optimizer.lr=0.1", "and no command that trains another network"


@pytest.mark.parametrize("status", ["finished", "pruned", "diverged", "failed", "interrupted"])
def test_only_what_can_be_compared_to_the_last_bit_is(tmp_path: Path, status: str) -> None:
    run = written(made(tmp_path / "run", "model=fnn", status=status), OTHERS["an earlier version's job"])
    result, is_finished = run.read_result() or {}, status == "finished"
    for changes, compared in {(): is_finished, ("optimizer.lr",): False, ("environment.torch",): is_finished}.items():
        changed = result | {"changes": [{"key": key, "step": 3} for key in changes]}
        assert ("reproduce=" in (repeating(run, changed) or "")) == compared
        (block,) = again(material_of(run, run.read_config(), changed, None, [])).blocks
        assert isinstance(block, Lines)
        assert block.lines == [repeating(run, changed)], "and no sentence as a command"
        assert ("compare the two" in block.title) == compared


def test_a_command_s_overrides() -> None:
    words = ["+experiment=x", "~callback.ema", "model.widths=[1, 2]"]
    assert typed_words(f"python '/a b/train.py' {shlex.join(words)}") == words
    assert typed_words(f"litmus train {shlex.join(words)}") == words
