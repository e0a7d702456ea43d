"""Folders that somebody else made: nothing in them is executed."""

import ast
import json
import os
from pathlib import Path

import pytest
import torch
from helpers import ROOT, SMALL

from litmus.compose.resume import with_sweep_overrides
from litmus.config.conf import CONF
from litmus.config.validate import override
from litmus.errors import UserError
from litmus.inference.load import load_run
from litmus.record.checkpoint import load_checkpoint
from litmus.record.configuration import to_yaml
from litmus.sweep.pool import session
from litmus.sweep.pool.client import Server

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir())
PATHS = (
    "../../evil",
    "/tmp/evil",
    "'../evil'",
    "choice(cnn,../evil)",
    "..",
    "${oc.env:EVIL}",
    "a.b",
    "[../evil]",
    "cnn:x",
)


@pytest.mark.parametrize(
    "hostile",
    [
        "+hydra.callbacks.x._target_=shutil.copyfile",
        "++hydra.callbacks.x={_target_:shutil.copyfile}",
        "hydra.searchpath=[file:///tmp/evil]",
        "hydra/job_logging=custom",
        "hydra/launcher=../../evil",
        "hydra.launcher._target_=os.system",
        "hydra.launcher.setup=['touch /tmp/evil']",
        "hydra.launcher.account='x\ntouch /tmp/evil'",
        "+hydra.launcher.srun_args=['--prolog=evil']",
        "hydra.sweeper._target_=os.system",
        "+model@hydra.callbacks.x=cnn",
        "model@hydra.callbacks.x=cnn",
        "~hydra.callbacks",
        "--config-dir=/tmp/evil",
        "--experimental-rerun=/tmp/evil",
        "-cd",
        "resume=/tmp/evil",
        *(f"{prefix}{group}={path}" for group in GROUPS for prefix in ("", "+") for path in PATHS),
    ],
)
def test_a_sweep_s_folder_repeats_nothing_that_could_run_code(tmp_path: Path, hostile: str) -> None:
    session.write_overrides(tmp_path, ["model=perceptron", hostile, "seed=0,1"])
    with pytest.raises(UserError, match="could run code"):
        with_sweep_overrides(["-m", f"resume={tmp_path}"])


def test_what_the_user_types_again_is_the_user_s(tmp_path: Path) -> None:
    typed = "hydra.launcher.setup=[module load x]"
    session.write_overrides(tmp_path, ["seed=0,1", "hydra/launcher=submitit_slurm", typed])
    arguments = with_sweep_overrides(["-m", f"resume={tmp_path}", typed])
    assert arguments == [
        "-m",
        "seed=0,1",
        "hydra/launcher=submitit_slurm",
        typed,
        override("hydra.sweep.dir", str(tmp_path)),
    ]


def test_overrides_of_every_kind_are_repeated(tmp_path: Path) -> None:
    overrides = [
        *["model=fnn,cnn", "model.widths=[8],[8,8]", "+callback.ema.decay=0.9", "~model.dropout", "seed=range(3)"],
        *["experiment=cnn_best", "sweep.name=x", "data.path='a, b.csv'", "model.dropout=interval(0,0.5)"],
        *["hydra/launcher=ray", "+hydra.launcher.ray.remote.num_cpus=4"],
    ]
    session.write_overrides(tmp_path, overrides)
    assert with_sweep_overrides(["-m", f"resume={tmp_path}"])[1:-1] == overrides


def test_a_module_in_the_current_folder_is_not_imported(tmp_path: Path) -> None:
    for name in ("selectors", "json", "tempfile"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w'); raise SystemExit(9)")
    read, write = os.pipe()
    server = Server(["uuid"], write)
    assert server.ready(False, lambda: False) == 0
    assert server.close() == 0
    assert not (tmp_path / "executed").exists()
    os.close(read)
    os.close(write)


def test_every_python_that_is_started_leaves_the_current_folder_out() -> None:
    commands = [
        node
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.List) and node.elts and ast.unparse(node.elts[0]) == "sys.executable"
    ]
    assert len(commands) >= 3
    for command in commands:
        assert ast.literal_eval(command.elts[1]) in ("-P", "-I"), ast.unparse(command)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"_target_": "litmus.record.files.write_text", "path": "executed", "text": "x"},
            "There is no key model.path",
        ),
        ({"widths": ["x"]}, "model.widths=.* is not allowed"),
        ({"activation": {"_target_": "litmus.record.files.write_text"}}, "model.activation=.* is not allowed"),
    ],
)
def test_a_checkpoint_s_settings_are_checked(trained, tmp_path: Path, settings: dict, said: str) -> None:
    run = trained("model=fnn", *SMALL, "trainer.max_epochs=1")
    content = torch.load(run.best, weights_only=True)
    torch.save({**content, "model": settings}, run.best)
    with pytest.raises(UserError, match=said):
        load_run(run)
    assert not (tmp_path / "executed").exists()


def test_a_checkpoint_does_not_change_the_class(trained) -> None:
    run = trained("model=fnn", *SMALL, "trainer.max_epochs=1")
    content = torch.load(run.best, weights_only=True)
    torch.save({**content, "model": {"_target_": "litmus.model.cnn.CNN"}}, run.best)
    assert type(load_run(run)).__name__ == "FNN"
    assert load_checkpoint(run.best).rebuilding({"_target_": "x"} | run.read_config()["model"])


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "litmus.record.files.write_text",
        "litmus.model.cnn.nn.Linear",
        "litmus.run.ddp.subprocess.Popen",  # through what another module imports
        "litmus.fetch.download.subprocess.run",
        "functools.partial",
        "eval",
    ],
)
@pytest.mark.parametrize("group", ["model", "data", "task", "optimizer", "scheduler", "trainer", "logger"])
def test_a_run_folder_s_targets_are_litmus_own(trained, resume, tmp_path: Path, group: str, target: str) -> None:
    """In each group, for each verb: one run, whose configuration is replaced each time."""
    run = trained("model=perceptron", *SMALL, "trainer.max_epochs=1")
    config = run.read_config()
    config[group] = {"_target_": target, "path": "executed", "text": "x", "command": "touch executed"}
    (run.path / "config.yaml").write_text(to_yaml(config))
    for call in (lambda: load_run(run), lambda: resume(run, "trainer.max_epochs=2")):
        with pytest.raises((UserError, SystemExit)):
            call()
    assert not (tmp_path / "executed").exists()


def test_yaml_tags_are_not_followed(trained, tmp_path: Path) -> None:
    run = trained("model=perceptron", *SMALL, "trainer.max_epochs=1")
    tag = "!!python/object/apply:os.system ['touch executed']"
    (run.path / "config.yaml").write_text(f"model: {tag}\n")
    with pytest.raises(UserError, match="cannot be read"):
        load_run(run)
    (run.path / "sweep.yaml").write_text(f"words: {tag}\n")
    with pytest.raises(UserError, match="is damaged"):
        session.read_overrides(run.path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("key", ["_partial_", "_args_", "_convert_", "_recursive_"])
@pytest.mark.parametrize("group", ["model", "data", "optimizer"])
def test_hydra_s_own_keys_of_a_section_are_refused(trained, tmp_path: Path, group: str, key: str) -> None:
    run = trained("model=perceptron", *SMALL, "trainer.max_epochs=1")
    config = run.read_config()
    config[group][key] = True
    (run.path / "config.yaml").write_text(to_yaml(config))
    with pytest.raises(UserError, match=f"There is no key {group}.{key}"):
        load_run(run)


class _Payload:
    """Executes a command where it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch executed",)


@pytest.mark.parametrize(
    "slot", ["spec", "model", "state_dict", "callbacks", "loops", "sha256", "seen", "optimizer_states"]
)
def test_a_pickle_in_a_checkpoint_is_not_loaded(trained, resume, tmp_path: Path, slot: str) -> None:
    run = trained("model=perceptron", *SMALL, "trainer.max_epochs=1")
    content = torch.load(run.best, weights_only=True)
    for path in (run.best, run.last):
        torch.save({**content, slot: _Payload()}, path)
    with pytest.raises(Exception, match=r"[Ww]eights"):
        load_run(run)
    assert resume(run, "trainer.max_epochs=2").read_result() is not None
    assert not (tmp_path / "executed").exists()
    json.loads((run.path / "result.json").read_text())
