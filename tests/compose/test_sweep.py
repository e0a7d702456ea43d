"""A sweep's jobs are composed as Hydra would compose each alone."""

from pathlib import Path

import pytest
from helpers import CONF, composed
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from litmus.compose.sweep import Composer
from litmus.errors import UserError
from litmus.record.files import slug


@pytest.fixture
def composer():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield Composer(GlobalHydra.instance().config_loader(), CONF)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["seed=7"],
        ["model=fnn", "model.widths=[3,4]", "optimizer=sgd", "optimizer.lr=1e-3"],
        ["model=bert", "data.domain=tweets", "task={label_smoothing:0.1}"],
        ["experiment=cnn_best", "trainer=debug", "trainer.precision=bf16-mixed"],
        ["model=yolo", "~callback.ema", "callback.early_stopping.patience=3"],
        ["model=cnn", "++data.batch_size=32", "resume=null"],
    ],
)
def test_as_hydra_composes_it(words: list[str]) -> None:
    expected = composed(*words)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composer = Composer(GlobalHydra.instance().config_loader(), CONF)
        assert composer.config(["model=fnn", "seed=3"])[0]["seed"] == 3, "what came before leaves no trace"
        config, choices = composer.config(words)
        assert composer.config(words)[0] == config
    assert config == expected
    assert choices["model"] == next((w.partition("=")[2] for w in words if w.startswith("model=")), "cnn")


def test_a_wrong_key_or_value_is_refused(composer: Composer) -> None:
    with pytest.raises(UserError, match="model.dropot=1: There is no key model.dropot. Did you mean model.dropout"):
        composer.job(["model.dropot=1"], [], 0, Path())
    with pytest.raises(UserError, match="model=cnnn: There is no model=cnnn. Did you mean model=cnn"):
        composer.job(["model=cnnn"], [], 0, Path())
    with pytest.raises(UserError, match="dropout is a probability"):
        composer.job(["model.dropout=2"], [], 0, Path())


def test_combinations_and_what_varies(composer: Composer) -> None:
    typed = ["model=fnn,cnn", "trainer.max_epochs=1", "seed=range(0,2)", "sweep.jobs=3", "hydra.sweep.dir=x"]
    made = composer.combinations(composer.select_for_jobs(typed))
    assert made[0] == (["model=fnn", "trainer.max_epochs=1", "seed=0"], ["model=fnn", "seed=0"])
    assert [own for _, own in made] == [[f"model={m}", f"seed={s}"] for m in ("fnn", "cnn") for s in (0, 1)]


def test_names_of_folders() -> None:
    assert slug("model.widths=[64,32] seed=0") == "model.widths-64-32-seed-0"
    assert slug("[]") == "job"
    assert slug("optimizer.lr=1e+30") == "optimizer.lr-1e30" != slug("optimizer.lr=1e-30")
    long = slug("x" * 300)
    assert len(long) < 140
    assert long != slug("x" * 301)
