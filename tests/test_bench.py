"""Benches that need a machine of their own say so."""

from pathlib import Path

import pytest
import torch

from bench import __main__ as bench
from bench import gpu


def test_without_a_gpu_its_bench_says_so_and_the_page_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(bench, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr("sys.argv", ["bench", "gpu"])
    bench.main()
    assert "skipped, because there is no GPU of NVIDIA's here" in capsys.readouterr().err
    assert not bench.PAGE.exists()


def test_a_table_has_what_is_to_be_reached() -> None:
    text = gpu._table("CNN", {"litmus": [10.0, 12.0], "other": [2.0, 3.0]}, {"other": ("Lightning", "at least 5")})
    assert text.splitlines()[-1] == "| Lightning | 2 (2 to 3) | 4.50 | at least 5 |"
    assert text.startswith("### CNN\n")


def test_sweeps_are_run_by_how_many_jobs_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(gpu.subprocess, "run", lambda command, **_: commands.append(command))
    text = gpu._sweeps("gpu", 64, (1, 4))
    assert ["sweep.jobs_per_gpu=1" in commands[0], "sweep.jobs_per_gpu=4" in commands[1]] == [True, True]
    assert all("seed=range(0,64)" in command and "trainer=gpu" in command for command in commands)
    assert "### 64 jobs on one GPU" in text
