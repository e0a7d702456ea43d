"""A network of a package outside of litmus trains, sweeps and answers as any other; first in processes of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import plugin
import pytest
from helpers import ROOT, SMALL
from warm import LIGHT, Warm

SHORT = [*SMALL, "data.limit=200", "data.limit_eval=100", "model.width=8"]
TRAIN = [str(ROOT / "train.py")]
VERB = ["-P", "-m", "litmus"]


def run(folder: Path, *words: str, status: int = 0, **variables: str) -> str:
    """What a command prints, in a process that knows the package, or has the variables that are given."""
    environment = variables or plugin.environment(folder / "lib")
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, in lib/, and a run of its network."""
    folder = tmp_path_factory.mktemp("lab")
    plugin.write(folder / "lib")
    run(folder, *TRAIN, "model=mlp_mixer", *SHORT, "hydra.run.dir=run")
    return folder


@pytest.fixture(scope="module")
def known(lab: Path) -> Iterator[Warm]:
    """Runs commands in forks of a process that knows the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITMUS_PLUGINS", plugin.NAME)
        process = Warm((*LIGHT, "litmus.run.summary", "litmus.run.train"), [str(lab / "lib")])
    yield process
    process.close()


@pytest.fixture(scope="module")
def unknown(lab: Path) -> Iterator[Warm]:
    """The same, of one that finds the package, but has not named it."""
    process = Warm(LIGHT, [str(lab / "lib")])
    yield process
    process.close()


def result(path: Path) -> dict:
    return json.loads((path / "result.json").read_text())


@pytest.mark.wide
def test_it_trains_and_is_recorded(lab: Path) -> None:
    found = result(lab / "run")
    assert (found["status"], found["model"]) == ("finished", "mlp_mixer")
    assert found["versions"][plugin.NAME].startswith("code ")
    assert json.loads((lab / "run" / "environment.json").read_text())["packages"][plugin.NAME].startswith("code ")


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "run", "--json"], "test/acc"),
        (["predict", "run", str(ROOT / "docs" / "curves.png"), "--json"], "probabilities"),
        pytest.param(["export", "run", "--to", "onnx"], "model.onnx", marks=pytest.mark.slow),
        (["export", "run", "--to", "torch"], "model.pt2"),
        (["report", "run"], "report.html"),
        (["doctor", "run"], "doctor"),
        (["compare", "run", "--no-figures"], "1 run: 1 finished"),
        (["train", "--help"], "| mlp_mixer |"),
        (["train", "model=mlp_mixer", "--cfg", "job"], "_target_: mixers.mlp_mixer.MLPMixer"),
        (["train", "reproduce=run", "hydra.run.dir=again"], "identical"),
    ],
)
def test_every_verb(lab: Path, known: Warm, words: list[str], said: str) -> None:
    answer = known(*words, folder=lab)
    assert answer.status == 0, answer.out + answer.err
    assert said in answer.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=mlpmixer"], "Did you mean model=mlp_mixer?"),
        (["mlp_mixer"], "Did you mean model=mlp_mixer?"),
        (["model=mlp_mixer", "model.pach=3"], "Did you mean model.patch?"),
        (["model=mlp_mixer", "model.width=0"], "model.width is a whole number, at least 1"),
        (["model=mlp_mixer", "data=sentiment"], "model=mlp_mixer takes images, but data=sentiment provides tokens"),
    ],
)
def test_mistakes_are_answered_before_torch_is_imported(lab: Path, words: list[str], said: str) -> None:
    answer = run(lab, "-X", "importtime", *TRAIN, *words, status=2)
    assert said in answer
    assert "| torch" not in answer
    assert plugin.SOURCE not in answer


@pytest.mark.wide
def test_a_run_of_it_is_resumed(lab: Path, known: Warm) -> None:
    def train(*words: str) -> None:
        answer = known("train", *words, folder=lab)
        assert answer.status == 0, answer.err

    train("model=mlp_mixer", *SHORT, "hydra.run.dir=more", "trainer.max_epochs=1")
    train("resume=more", "trainer.max_epochs=2")
    assert result(lab / "more")["metrics"] == result(lab / "run")["metrics"]
    assert result(lab / "more")["changes"] == []
    with (lab / "lib" / plugin.SOURCE).open("a") as source:
        source.write("# changed\n")
    train("resume=more", "trainer.max_epochs=3")
    assert [each["key"] for each in result(lab / "more")["changes"]] == [f"environment.{plugin.NAME}"]


@pytest.mark.wide
def test_a_sweep_and_its_resumption(lab: Path, known: Warm, unknown: Warm) -> None:
    words = ["model=mlp_mixer,linear", "sweep.name=both", *SMALL, "data.limit=100"]
    assert "2 finished" in run(lab, *TRAIN, "-m", *words)
    assert "mlp_mixer" in known("compare", "outputs/sweeps/both", "--no-figures", folder=lab).out
    assert "2 finished" in known("train", "-m", "resume=outputs/sweeps/both", folder=lab).out
    refused = unknown("train", "-m", "resume=outputs/sweeps/both", folder=lab)
    assert refused.status == 2
    assert "There is no model=mlp_mixer" in refused.err


@pytest.mark.slow
def test_two_processes_train_it(lab: Path) -> None:
    run(lab, *TRAIN, "model=mlp_mixer", *SHORT, "trainer.devices=2", "trainer.max_epochs=1", "hydra.run.dir=two")
    assert result(lab / "two")["status"] == "finished"


@pytest.mark.slow
def test_an_installed_package_needs_no_variable(tmp_path: Path) -> None:
    plugin.write(tmp_path / "lib")
    plugin.install(tmp_path / "lib")
    variables = plugin.environment(tmp_path / "lib", named=None)
    run(tmp_path, *TRAIN, "model=mlp_mixer", *SHORT, "hydra.run.dir=run", **variables)
    assert result(tmp_path / "run")["versions"][plugin.NAME].startswith("0.1, code ")
    answer = run(tmp_path, *VERB, "predict", "run", str(ROOT / "docs" / "curves.png"), **variables)
    assert "mlp_mixer" in answer


@pytest.mark.wide
@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "run"],
        pytest.param(["predict", "run", str(ROOT / "docs" / "curves.png")], marks=pytest.mark.slow),
        pytest.param(["export", "run", "--to", "torch", "--out", "x.pt2"], marks=pytest.mark.slow),
        pytest.param(["verify", "run"], marks=pytest.mark.slow),
        ["train", "resume=run", "trainer.max_epochs=9"],
        ["train", "reproduce=run"],
        ["train", "model._target_=mixers.mlp_mixer.MLPMixer"],
    ],
)
def test_where_the_package_is_not_named_its_run_is_refused(lab: Path, unknown: Warm, words: list[str]) -> None:
    answer = unknown(*words, folder=lab)
    assert answer.status == (2 if words[0] == "train" else 1)
    assert "model._target_=mixers.mlp_mixer.MLPMixer is not called: the package mixers is no plugin here." in answer.err
    assert "set LITMUS_PLUGINS=mixers" in answer.err
    assert not answer.imported or words[0] != "train"


def test_a_run_s_folder_adds_no_plugin(tmp_path: Path) -> None:
    """Neither by an entry point nor by a package in it, whichever folder one is in."""
    folder = plugin.write(tmp_path).parent
    plugin.install(tmp_path)
    (folder / plugin.SOURCE).write_text("open('executed', 'w')\n")
    variables = plugin.environment(None, named=None)
    for words in ([*TRAIN, "model=mlp_mixer"], ["-m", "litmus", "train", "model=mlp_mixer"]):
        answer = run(tmp_path, *words, status=2, **variables)
        assert "There is no model=mlp_mixer" in answer
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("words", [[*TRAIN, "--help"], [*TRAIN, "model=fnn"], [*VERB, "doctor", "run"]])
def test_a_broken_plugin_is_answered_with_a_sentence(tmp_path: Path, words: list[str]) -> None:
    plugin.write(tmp_path / "lib")
    path = tmp_path / "lib" / plugin.YAML
    path.write_text(path.read_text().replace("  width: 64\n", ""))
    what, way_out = run(tmp_path, *words, status=2, **plugin.environment(tmp_path / "lib")).splitlines()
    assert f"The plugin mixers: {path}" in what
    assert what.endswith("mlp_mixer.yaml: it lacks width, which MLPMixer takes: defaults stand in this file.")
    assert way_out == (
        "No command runs before the plugin mixers is mended. Mend it, or leave it out of LITMUS_PLUGINS."
    )


def test_a_broken_plugin_does_not_hide_the_help_of_verbs(tmp_path: Path) -> None:
    variables = plugin.environment(None, named="absent")
    assert "usage: litmus doctor" in run(tmp_path, *VERB, "doctor", "--help", **variables)
    assert "litmus VERB" in run(tmp_path, *VERB, "--help", **variables)
    assert run(tmp_path, *TRAIN, "--version", **variables)
