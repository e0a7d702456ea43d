"""Curves of the training: which come first."""

from typing import Any

import pytest
from helpers import CONF

from litmus.record.metrics import available_metrics, monitored
from litmus.report.curves import curves
from litmus.report.material import Material
from litmus.report.parts import Chart

TASKS = sorted(path.stem for path in (CONF / "task").glob("*.yaml"))


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_comes_first_and_then_what_decides(task: str) -> None:
    target = f"litmus.task.{task}.{task.capitalize()}"
    monitor = monitored(target)[0].partition("/")[2]
    names = [name for name in available_metrics(target) if name.startswith("val/") and not name.endswith(monitor)]
    row = dict.fromkeys([*names, f"val/{monitor}", "val/loss"], 0.5)
    rows: Any = [{"epoch": epoch, **row} for epoch in (1, 2)]
    material = Material(None, {"task": {"_target_": target}}, {}, rows, None, None, None)  # type: ignore[arg-type]
    found = [block.name for block in curves(material).blocks if isinstance(block, Chart)]
    assert found[:2] == ["curve-loss", f"curve-{monitor}"]
    assert len(found) > 2
