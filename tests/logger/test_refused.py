"""What is missing or cannot be reached is said before the training; what is lost later does not end it."""

import importlib.util
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import ROOT, composed
from logged import EXTRAS, INSTALLED, LOGGERS, mlflow_run

from litmus.config.instantiate import build
from litmus.config.preflight import data_mistakes, job_mistakes, preflight
from litmus.errors import UserError
from litmus.record.configuration import from_yaml, to_yaml
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
FIND = importlib.util.find_spec
needs_mlflow = pytest.mark.skipif("mlflow" not in INSTALLED, reason="litmus[mlflow] is not installed")


@pytest.mark.parametrize("name", LOGGERS)
def test_a_missing_package_is_said_before_torch_with_what_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(module: str, package: str | None = None) -> object:
        return None if module in (*EXTRAS, "alembic") else FIND(module, package)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    config = composed("trainer=cpu", "logger=csv" if name == "csv" else f"logger=[csv,{name}]")
    said = [f"logger={name} requires the package {name}. Run pip install 'litmus[{name}]'."] * (name in EXTRAS)
    assert preflight(config) == job_mistakes(config) == said
    assert data_mistakes(config) == []  # `litmus evaluate` needs no logger
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert (name in extras) == (name in EXTRAS)


@pytest.mark.skipif("wandb" in INSTALLED, reason="the package hides the folder")
def test_a_folder_is_no_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wandb itself makes such a folder where a script runs."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wandb").mkdir()
    assert preflight(composed("trainer=cpu", "logger=wandb"))[0].startswith("logger=wandb requires the package")


@pytest.mark.parametrize(("netrc", "is_known"), [("", False), ("machine api.wandb.ai login user password k\n", True)])
def test_wandb_s_server_needs_a_key(netrc: str, is_known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litmus.logger._preflight._check_installed", lambda *_: None)
    Path("netrc").write_text(netrc)
    said = preflight(composed("trainer=cpu", "logger=wandb", "logger.wandb.mode=online"))
    assert bool(said) != is_known
    assert all("there is no key for https://api.forge.coreweave.com. Run wandb login" in each for each in said)
    assert preflight(composed("trainer=cpu", "logger=wandb")) == []


@pytest.mark.parametrize(("own", "limit_s"), [(None, "20"), ("300", "300")])
def test_wandb_s_server_is_not_waited_for_long(
    own: str | None, limit_s: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody has set another limit; wandb reads it when it begins a run."""

    def init(**_: object) -> None:
        assert os.environ["WANDB_INIT_TIMEOUT"] == limit_s
        raise RuntimeError("no server\nhere.")

    standing_in = SimpleNamespace(init=init, Settings=dict, Error=RuntimeError)
    monkeypatch.setitem(sys.modules, "wandb", standing_in)
    monkeypatch.setattr("lightning.pytorch.loggers.wandb._WANDB_AVAILABLE", True)
    monkeypatch.setattr(os, "environ", {} if own is None else {"WANDB_INIT_TIMEOUT": own})
    logger = build(composed("logger=wandb", "logger.wandb.mode=online")["logger"]["wandb"], RunDir(tmp_path), 0)
    with pytest.raises(UserError, match=r"^logger=wandb cannot begin a run: no server\.$"):
        _ = logger.experiment


@pytest.mark.parametrize("name", ["tensorboard", "none"])
def test_the_one_logger_of_an_earlier_version(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml({**composed(), "logger": {"_target_": f"litmus.logger.{name}"}}))
    assert from_yaml(path)["logger"] == composed(f"logger={name}")["logger"]


@pytest.mark.parametrize("text", ['{"wandb": "../../x"}', "[1]", "{", '{"mlflow": {"a": 1}}'])
def test_ids_that_are_none_are_not_used(text: str, tmp_path: Path) -> None:
    (tmp_path / "tracking.json").write_text(text)
    assert RunDir(tmp_path).read_tracking() == {}
    RunDir(tmp_path).write_tracking("mlflow", "a1")
    RunDir(tmp_path).write_tracking("wandb", "b2")
    assert RunDir(tmp_path).read_tracking() == {"mlflow": "a1", "wandb": "b2"}


@needs_mlflow
@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////dev/null/store.db"])
def test_a_store_that_cannot_be_reached_is_said_before_the_first_step(
    uri: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = train("model=fnn", "logger=mlflow", f"logger.mlflow.tracking_uri='{uri}'")
    result = run.read_result()
    assert (result["status"], result["steps"]) == ("failed", 0)
    assert result["error"].startswith(f"logger.mlflow.tracking_uri={uri} cannot be used: ")
    assert "Traceback" not in result["error"]


@needs_mlflow
def test_a_store_that_fails_later_does_not_end_a_training(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    def refuse(self: object, run_id: str, metrics: object = (), **_: object) -> None:
        if metrics:
            raise MlflowException("no space left")

    monkeypatch.setattr(MlflowClient, "log_batch", refuse)
    run = train("model=fnn", "logger=mlflow")
    assert run.read_result()["status"] == "finished"
    assert "MLflow's store has not all of this run: no space left" in run.log.read_text()


@needs_mlflow
def test_what_a_resumption_changes_is_a_tag_as_parameters_stay(train: Train, resume: Train) -> None:
    run = resume(train("model=fnn", "logger=mlflow"), "trainer.max_epochs=3", "logger.mlflow.experiment=other")
    found = mlflow_run(run)
    assert (found.data.params["trainer.max_epochs"], found.data.tags["trainer.max_epochs"]) == ("2", "3")
    Path("outputs/mlflow.db").unlink()  # elsewhere, there is no such run
    before = run.read_tracking()
    resume(run, "trainer.max_epochs=4", "logger.mlflow.tracking_uri='sqlite:///elsewhere/store.db'")
    assert run.read_result()["status"] == "finished"
    assert run.read_tracking() != before
