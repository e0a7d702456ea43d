"""A stored configuration of an earlier version is read in the names of this one."""

from pathlib import Path

from litmus.record.configuration import from_yaml


def test_a_key_that_was_renamed_keeps_its_value(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("trainer: {_target_: litmus.trainer.build, accumulate: 4}")
    trainer = from_yaml(path)["trainer"]
    assert trainer["accumulate_grad_batches"] == 4
    assert "accumulate" not in trainer
