"""Every choice composes; what is misspelt or out of range is refused in a sentence."""

from pathlib import Path

import pytest
from helpers import CONF, TINY, composed, composed_whole, composed_with_hydra
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf, open_dict

from litmus.compose.command_line import run_dir, sweep_dir
from litmus.config.validate import mistakes, section_mistakes

CHOICES = [(p.parent.name, p.stem) for p in sorted(CONF.glob("*/[!_]*.yaml"))]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_composes_without_a_mistake(group: str, choice: str) -> None:
    plus = "+" if group == "experiment" else ""
    overrides = [f"{plus}{group}={choice}"] if not plus else [f"{group}={choice}"]
    needed = ["data.path=mine"] if choice in ("text_table", "table", "image_folder", "resnet", "yolo_dataset") else []
    needed += ["data.name=imdb"] if choice == "hub" else []
    needed += ["data.target=price"] if choice == "table" else []
    config = composed(*overrides, *needed)
    if group == "callback" and choice != "default":
        assert list(config["callback"]) == [choice]
    assert mistakes(config) == []
    assert section_mistakes("sweep", composed_whole(*overrides)["sweep"]) == []


@pytest.mark.parametrize(
    "words",
    [
        ["model=bert", *TINY["bert"], "data=text_table", "data.path=a b.csv", "seed=3", "hydra.run.dir=x"],
        ["experiment=cnn_best", "~callback.ema", "callback.early_stopping.patience=2", "+model.more={a:[1,2]}"],
        ["trainer=ddp", "trainer.devices=2", "callback.history=null", "resume='a, b'", "sweep.jobs=1"],
    ],
)
def test_the_tests_configurations_are_hydra_s(words: list[str]) -> None:
    """The helper composes what is chosen once, and sets values in copies."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        expected = compose("train", words, return_hydra_config=True)
    assert composed_with_hydra(*words).hydra.overrides == expected.hydra.overrides
    assert composed_with_hydra(*words).hydra.runtime.choices == expected.hydra.runtime.choices
    with open_dict(expected):
        del expected["hydra"]
    assert composed_whole(*words) == OmegaConf.to_container(expected, resolve=True)


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_key_misspelled_fails(group: str, choice: str) -> None:
    if group in ("experiment", "callback"):
        return
    for key in composed_whole(f"{group}={choice}")[group]:
        with pytest.raises(HydraException, match=f"{key}x"):
            composed(f"{group}={choice}", f"{group}.{key}x=1")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.dropout=1.0", "model.dropout is a probability in [0, 1)"),
        ("model.dropout=-0.1", "model.dropout is a probability in [0, 1)"),
        ("model.dropout=nan", "model.dropout=nan is not allowed"),
        ("model.dropout=true", "model.dropout=true is not allowed"),
        ("model.dropout='0.5'", "model.dropout='0.5' is not allowed"),
        ("model.batchnorm=1", "model.batchnorm is true or false"),
        ("model.widths=[32,0]", "a list of whole numbers, each at least 1"),
        ("model.activation=rellu", "Did you mean relu?"),
        ("model.init=He", "Did you mean he?"),
        ("optimizer.lr=0", "optimizer.lr is a number above 0"),
        ("trainer.max_epochs=0", "a whole number, at least 1"),
        ("trainer.max_epochs=2.5", "a whole number, at least 1"),
        ("trainer.gradient_clip=-1", "a number above 0, or null"),
        ("data.source=offical", "Did you mean official?"),
        ("data.batch_size=null", "data.batch_size=null is not allowed"),
        ("seed=-1", "seed is a whole number in [0, 2**32)"),
        ("+model.droput=0.5", "Did you mean model.dropout?"),
        ("~model.dropout", "model.dropout is missing"),
        ("+callback.metre={}", "Did you mean callback.meter?"),
        ("model._target_=os.system", "os.system is none of the choices of model"),
        ("model._target_=litmus.record.files.write_text", "is none of the choices of model"),
        ("model._target_=litmus.optimizer.adam", "is none of the choices of model"),
        ("model._target_=litmus.run.train.subprocess", "is none of the choices of model"),
    ],
)
def test_a_wrong_value_is_refused_in_words(override: str, said: str) -> None:
    (sentence,) = mistakes(composed(override))
    assert said in sentence


def test_a_callback_may_be_switched_off() -> None:
    assert mistakes(composed("callback.progress=null")) == []


def test_the_command_line_wins_over_what_a_model_picks() -> None:
    assert composed("model=perceptron")["optimizer"]["_target_"] == "litmus.optimizer.sgd"
    assert composed("model=perceptron", "optimizer=adam")["optimizer"]["_target_"] == "litmus.optimizer.adam"
    assert composed("trainer.max_epochs=3", "model=fnn")["trainer"]["max_epochs"] == 3
    assert composed("model=fnn", "trainer=debug")["trainer"]["max_epochs"] == 1
    assert composed("experiment=cnn_best", "trainer=debug")["trainer"]["max_epochs"] == 1
    assert composed("experiment=cnn_best", "model.dropout=0.0")["model"]["dropout"] == 0.0


def test_adamw_says_that_its_l2_is_decoupled() -> None:
    assert "decoupled" in (CONF / "optimizer" / "adamw.yaml").read_text()


def test_folders_of_runs_can_be_typed_without_quotes() -> None:
    words = ["model=fnn,cnn", "model.widths=[128,64]", "seed=range(0,3)"]
    assert sweep_dir(None, words) == "outputs/sweeps/model-fnn-cnn-model.widths-128-64-seed-range-0-3"
    assert sweep_dir(None, [*reversed(words), "sweep.jobs=2"]) == sweep_dir(None, words)
    assert sweep_dir("mine", words) == "outputs/sweeps/mine"
    assert run_dir("outputs/old", "cnn", "mnist", []) == "outputs/old"
    new = Path(run_dir(None, "cnn", "mnist", ["model=cnn", "model.dropout=0.3"]))
    assert new.parent == Path("outputs/cnn-mnist")
    assert new.name.endswith("_dropout-0.3")
