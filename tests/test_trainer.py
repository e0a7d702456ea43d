"""Lightning's trainer as a run has it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from helpers import composed
from lightning.pytorch.callbacks import LambdaCallback, LearningRateMonitor

from litmus import trainer
from litmus.config.instantiate import build
from litmus.parallel.batch_norm import SharedStatistics
from litmus.record.folder import RunDir
from litmus.trainer import _without_empty_hooks, tune


def test_hooks_that_a_callback_has_are_kept_and_others_left_out() -> None:
    own, given = LearningRateMonitor(), LambdaCallback(on_train_batch_end=print)
    for callback in (own, given):
        _without_empty_hooks(callback)
    assert given.on_train_batch_end is print
    assert callable(own.on_train_batch_start)
    assert own.on_after_backward is None


@pytest.fixture
def flags() -> Iterator[None]:
    """The settings of torch that a GPU's runs change, as they were."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = before[1:]


SETTINGS = {"tf32": True, "deterministic": False, "devices": 1, "num_nodes": 1}


@pytest.mark.usefixtures("flags")
@pytest.mark.parametrize(
    ("changes", "is_constant", "precision", "benchmark", "said"),
    [
        ({}, True, "high", True, "TF32, 10 bits of mantissa instead of 23 (trainer.tf32=true)"),
        ({"tf32": False}, True, "highest", True, "not in TF32 (trainer.tf32=false)"),
        ({}, False, "high", False, "TF32"),
        ({"deterministic": True}, True, "high", False, "CUBLAS_WORKSPACE_CONFIG=:4096:8"),
        ({"devices": 2}, False, "high", False, "SyncBatchNorm"),
        ({"num_nodes": 2}, False, "high", False, "SyncBatchNorm"),
    ],
)
def test_a_gpu_is_set_up_and_that_is_said(
    changes: dict[str, object],
    is_constant: bool,
    precision: str,
    benchmark: bool,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    lines = tune({**SETTINGS, **changes}, "cuda", is_constant)
    assert torch.get_float32_matmul_precision() == precision
    assert torch.backends.cudnn.allow_tf32 == (precision == "high")
    assert torch.backends.cudnn.benchmark == benchmark
    assert any(said in line for line in lines)
    assert any("cudnn.benchmark)" in line for line in lines) == benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == (":4096:8" if changes.get("deterministic") else "")


@pytest.mark.usefixtures("flags")
def test_older_gpus_have_no_tf32_to_speak_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert tune(SETTINGS, "cuda") == []


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_nothing_changes_on_other_devices(kind: str) -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    assert tune({**SETTINGS, "deterministic": True}, kind, is_constant=True) == []
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == before


@pytest.mark.parametrize(
    ("kind", "devices", "by_torch", "by_us"),
    [("cuda", 1, False, False), ("cuda", 2, True, False), ("cpu", 1, False, False), ("cpu", 2, False, True)],
)
def test_several_processes_share_batch_norm_s_statistics(
    kind: str, devices: int, by_torch: bool, by_us: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(trainer, "find_device", lambda *_: kind)

    def made(**settings: object) -> MagicMock:
        given.update(settings)
        return MagicMock()

    monkeypatch.setattr(trainer.lightning, "Trainer", made)
    section = composed("model=fnn", f"trainer.devices={devices}", "trainer.precision=32")["trainer"]
    build(section, RunDir(tmp_path), [], [])
    assert given["sync_batchnorm"] == by_torch
    assert any(isinstance(plugin, SharedStatistics) for plugin in given["plugins"]) == by_us
