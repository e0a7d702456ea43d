"""Benches that need a machine of their own say so."""

from pathlib import Path

import polars as pl
import pytest
import torch

from bench import __main__ as bench
from bench import gpu, scale
from bench.scale import Cost


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
    text = gpu._table("CNN", {"litmus": [10.0, 12.0], "other": [2.0, 3.0]}, {"other": ("Lightning", 5)})
    assert text.splitlines()[-1] == "| Lightning | 2 (2 to 3) | 4.50 | at least 5: missed |"
    assert text.startswith("### CNN\n")


def test_sweeps_are_run_by_how_many_jobs_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(gpu.subprocess, "run", lambda command, **_: commands.append(command))
    text = gpu._sweeps("gpu", 64, (1, 4))
    assert ["sweep.jobs_per_gpu=1" in commands[0], "sweep.jobs_per_gpu=4" in commands[1]] == [True, True]
    assert all("seed=range(0,64)" in command and "trainer=gpu" in command for command in commands)
    assert "### 64 jobs on one GPU" in text


def costs(of_one: float, power: float = 1.0) -> dict[int, Cost]:
    return {n: Cost(1.0 + of_one * n**power, 2e9, 3.0, 2.5) for n in (10, 1000, 100_000)}


def test_what_grows_with_the_square_of_the_work_is_said_to_bend() -> None:
    assert scale.said({"fnn": costs(1e-3), "cnn": costs(0.1)}) == "Straight lines."
    assert scale.said({"fnn": costs(1e-3), "all": costs(1e-6, 2)}) == "**all: time bends at 100,000, slope 1.85.**"
    text = scale.report({"fnn": costs(1e-3)}, {"own": costs(0.1)}, {"one seed": costs(1e-6, 2)})
    assert "| fnn | 100,000 | 3.0 | 2.50 | 101.00 | 0.85 | 2.00 | 0.00 |" in text
    assert "| own | 1,000 | 101.00 | 101.0 | 0.85 | 2.00 | 0.00 |" in text
    assert "**one seed: time bends at 100,000, slope 1.85.**" in text
    heavy = {n: Cost(n, n**2, 3.0) for n in (10, 1000)}
    assert scale.said({"fnn": heavy}) == "**fnn: memory bends at 1,000, slope 2.00.**"


@pytest.mark.wide
def test_more_images_than_files_are_a_list_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "MOST_FILES", 4)
    _, path, *_ = scale._images(tmp_path, 8)
    listed = pl.read_csv(path.removeprefix("data.path="))
    assert (len(listed), listed["path"].n_unique(), listed["label"].unique().sort().to_list()) == (8, 4, ["a", "b"])
    assert all(Path(name).is_file() for name in listed["path"])


def test_the_picture_of_scale_is_small() -> None:
    drawn = scale._draw({"fnn": costs(1e-3), "cnn": costs(0.1)}, {"own": costs(0.1)}, {"one seed": costs(1e-6, 2)})
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) < 100_000


@pytest.mark.slow  # minutes: nine processes that import torch
def test_scale_measures_every_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "PICTURE", tmp_path / "scale.png")
    for name in ("SAMPLES", "RUNS"):
        monkeypatch.setattr(scale, name, (40, 200))
    monkeypatch.setattr(scale, "JOBS", (1, 4))
    text = scale.measure()
    rows = [line for line in text.splitlines() if line.startswith("| ") and line[2] != " "]
    assert len(rows) == 2 * (4 + 1 + 2)
    assert (tmp_path / "scale.png").stat().st_size > 1000
