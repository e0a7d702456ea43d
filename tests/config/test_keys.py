"""What the table of keys says of a configuration, and of every callback."""

from copy import deepcopy

import pytest
from helpers import CONF, composed

from litmus.config import validate
from litmus.config.keys import affects_training, flat, hyperparameters, identity, key_of
from litmus.errors import UserError

CALLBACKS = sorted(path.stem for path in (CONF / "callback").glob("*.yaml") if path.stem != "default")
LEARNS = {"early_stopping", "ema"}


@pytest.mark.parametrize("name", CALLBACKS)
def test_every_callback_says_whether_it_affects_training(name: str) -> None:
    assert affects_training(name) == (name in LEARNS)


def test_a_callback_that_does_not_say_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "_source", lambda module: "class History:\n    rows = []\n")
    cached = (validate.class_attributes, validate._parsed)
    for function in cached:
        function.cache_clear()
    try:
        with pytest.raises(UserError, match="does not set affects_training"):
            affects_training("history")
    finally:
        for function in cached:
            function.cache_clear()


@pytest.mark.parametrize(
    ("overrides", "same"),
    [
        (["logger=none"], True),
        (["logger=[csv,wandb]"], True),
        (["data.dir=elsewhere"], True),
        (["callback.dashboard=null"], True),
        (["callback.progress.refresh_per_second=1"], True),
        (["seed=1"], False),
        (["trainer.max_epochs=9"], False),
        (["data.source=bundled"], False),
        (["callback.early_stopping.patience=3"], False),
        (["callback.ema.decay=0.9"], False),
        (["optimizer=sgd"], False),
    ],
)
def test_what_identifies_a_run(overrides: list[str], same: bool) -> None:
    assert (identity(composed("model=cnn", *overrides)) == identity(composed("model=cnn"))) == same


@pytest.mark.parametrize(
    ("key", "resumable"),
    [
        ("trainer", True),
        ("trainer._target_", True),
        ("trainer.max_epochs", True),
        ("callback", True),
        ("callback.ema.decay", True),
        ("logger", True),
        ("logger.wandb.mode", True),
        ("data.dir", True),
        ("data.source", True),
        ("data", False),
        ("data.batch_size", False),
        ("model", False),
        ("model.dropout", False),
        ("optimizer.lr", False),
        ("seed", False),
    ],
)
def test_what_may_change_on_resume(key: str, resumable: bool) -> None:
    assert key_of(key).resumable == resumable


def test_what_a_comparison_shows() -> None:
    config = composed("model=fnn", "callback.ema.decay=0.9")
    compared = hyperparameters(config)
    assert list(compared)[:5] == ["model", "data", "task", "optimizer", "scheduler"]
    assert compared["callback.ema.decay"] == 0.9
    assert not {"data.dir", "trainer.accelerator", "resume"} & set(compared)
    assert not [key for key in compared if key.startswith(("logger", "callback.progress")) or key.endswith("_target_")]


def test_every_key_has_a_row_and_asking_changes_nothing() -> None:
    config = composed("model=bert")
    before = deepcopy(config)
    for key, _ in flat(config):
        assert key_of(key).pattern
    identity(config)
    hyperparameters(config)
    assert config == before
