"""The page's table of what differs from the defaults: what was typed, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers import CONF, composed
from made_runs import made

from litmus.record.folder import RunDir
from litmus.report.background import configuration
from litmus.report.parts import Section, Tabled, Words
from litmus.run.page import material_of

CHOICES = [f"{group}={path.stem}" for group in ("model", "data") for path in sorted((CONF / group).glob("[!_]*.yaml"))]
FOUND = {None: 7, "auto": "found"}  # what a run decides for these


def decided(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with a value wherever a run might find one itself."""
    found = json.loads(json.dumps(config))
    for group in ("data", "trainer"):
        for key, value in found[group].items():
            if value in (None, "auto"):
                found[group][key] = FOUND[value]
    return found


def listed(folder: Path, *typed: str) -> list[list[str]]:
    """The rows of the page's table for a run of that command line."""
    made(folder, "model=fnn")
    run, config = RunDir(folder), composed(*typed)
    run.write_requested(config)
    run.write_config(decided(config))
    return rows(configuration(material_of(run, run.read_config(), run.read_result() or {}, None, [])))


def rows(section: Section) -> list[list[str]]:
    first = section.blocks[0]
    if isinstance(first, Words):
        assert first.sentences == ["Every key has its default value."]
        return []
    assert isinstance(first, Tabled)
    return [[cell.text for cell in row.cells] for row in first.table.rows]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_alone_differs_in_nothing(tmp_path: Path, choice: str) -> None:
    assert listed(tmp_path / "run", choice) == []


@pytest.mark.parametrize("choice", CHOICES)
def test_what_was_typed_is_listed_with_the_default_of_that_choice(tmp_path: Path, choice: str) -> None:
    usual = composed(choice)
    typed = {"optimizer.lr": "0.0123", "trainer.max_epochs": "77", "seed": "3", "data.limit": "9"}
    found = listed(tmp_path / "run", choice, *(f"{key}={value}" for key, value in typed.items()))
    assert {key: value for key, value, _ in found} == typed
    default = {key: value for key, _, value in found}
    assert default["optimizer.lr"] == str(usual["optimizer"]["lr"])
    assert default["trainer.max_epochs"] == str(usual["trainer"]["max_epochs"])
    assert (default["seed"], default["data.limit"]) == ("0", "null")


def test_callbacks_that_were_changed_or_switched_off_are_listed(tmp_path: Path) -> None:
    found = listed(tmp_path / "run", "model=cnn", "callback.ema.decay=0.5", "callback.progress=null")
    assert [row[:2] for row in found] == [["callback.progress", "null"], ["callback.ema.decay", "0.5"]]
    assert not any("_target_" in cell or cell == "" for row in found for cell in row)


def test_a_network_of_one_s_own_has_no_defaults_to_differ_from(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn", changes={"model": {"_target_": "own.Net"}, "optimizer": {"lr": 5}})
    run = RunDir(folder)
    (folder / "requested.yaml").write_text("damaged")
    found = rows(configuration(material_of(run, run.read_config(), run.read_result() or {}, None, [])))
    assert not any(re.match("model", row[0]) for row in found)
    assert ["optimizer.lr", "5"] in [row[:2] for row in found]
