"""A run that is resumed or reproduced is composed of its own choices, and no word is taken for typed that was not."""

from pathlib import Path

import pytest
from helpers import composed_with_hydra
from made_runs import made

from litmus.compose.command_line import check
from litmus.compose.resume import as_typed, with_stored_choices
from litmus.config.validate import override

CHOICES = ["task=classification", "data=mnist", "optimizer=adam", "scheduler=one_cycle", "model=fnn", "logger=csv"]


@pytest.mark.parametrize(
    ("words", "num_stored"),
    [
        (["resume=run", "trainer.max_epochs=9"], 6),
        (["trainer.max_epochs=9", "data=mnist", "resume=run"], 5),
        ([*CHOICES, "resume=run"], 0),
        (["reproduce=run", "resume=null"], 6),
        (["model=fnn", "resume=null"], 0),
        (["model=fnn"], 0),
    ],
)
def test_what_was_typed_is_found_again(words: list[str], num_stored: int, tmp_path: Path) -> None:
    made(tmp_path / "run", "model=fnn", "logger=csv")
    arguments = with_stored_choices(words)
    typed = as_typed(arguments)
    assert sorted(typed) == sorted(words)
    assert set(CHOICES) - set(words) >= set(arguments) - set(words)
    assert len(arguments) == len(words) + num_stored


def test_a_logger_keeps_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litmus.logger._preflight._check_installed", lambda *_: None)
    monkeypatch.setenv("WANDB_API_KEY", "a")
    run = made(tmp_path / "run", "model=fnn", "logger=wandb", "logger.wandb.mode=online")
    words = with_stored_choices([override("resume", str(run)), "trainer.max_epochs=99", "logger.wandb.project=mine"])
    logger = check(composed_with_hydra(*words))["logger"]["wandb"]
    assert (logger["mode"], logger["project"]) == ("online", "mine")
