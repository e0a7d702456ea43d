"""A stored configuration of an earlier version is read in the names of this one."""

from pathlib import Path

import pytest
import yaml

from litmus.record.command import typed_words
from litmus.record.configuration import from_yaml, in_new_words
from litmus.sweep.pool.session import read_overrides


def test_a_key_that_was_renamed_keeps_its_value(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("trainer: {_target_: litmus.trainer.build, accumulate: 4}")
    trainer = from_yaml(path)["trainer"]
    assert trainer["accumulate_grad_batches"] == 4
    assert "accumulate" not in trainer


@pytest.mark.parametrize("target", ["mnist.MNIST", "image_folder.ImageFolder"])
@pytest.mark.parametrize(("before", "now"), [(True, "light"), (False, "none"), ("mixup", "mixup")])
def test_a_value_that_was_renamed_means_the_same(tmp_path: Path, target: str, before: object, now: str) -> None:
    path = tmp_path / "config.yaml"
    data = {"_target_": f"litmus.data.{target}", "augment": before}
    path.write_text(yaml.safe_dump({"data": data, "model": {"_target_": "a.B", "augment": before}}))
    config = from_yaml(path)
    assert config["data"]["augment"] == now
    assert config["model"]["augment"] == before


@pytest.mark.parametrize("target", ["table.Table", "series.Series"])
def test_points_are_decimal_ones_in_runs_that_knew_no_others(tmp_path: Path, target: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"data": {"_target_": f"litmus.data.{target}"}}))
    assert from_yaml(path)["data"]["thousands"] == []


def test_what_was_typed_for_an_earlier_version_is_typed_for_this_one() -> None:
    words = ["data.augment=true,false", "+data.augment=False", "data.augment=mixup", "model.true=true"]
    expected = ["data.augment=light,none", "+data.augment=none", "data.augment=mixup", "model.true=true"]
    assert in_new_words(words) == expected


def test_commands_of_earlier_versions_are_repeated_in_the_words_of_this_one(tmp_path: Path) -> None:
    assert typed_words("python train.py model=cnn data.augment=true") == ["model=cnn", "data.augment=light"]
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump({"version": 2, "words": ["data.augment=true,false"]}))
    assert read_overrides(tmp_path) == ["data.augment=light,none"]
