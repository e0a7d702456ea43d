"""Settings over several datasets: mean ranks and critical differences, against scipy and Demsar's worked example."""

from pathlib import Path

import numpy as np
import pytest
from comparing import run_compare
from made_runs import made
from scipy import stats

from litmus.compare.comparison import Comparison, compare
from litmus.compare.datasets import OverDatasets

LRS = (0.001, 0.003, 0.01, 0.03)


def on_domains(folder: Path, table: np.ndarray, status: dict[tuple[int, int], str] | None = None) -> Comparison:
    """Compares made runs: a row of the table for each domain of the snippets, a column for each learning rate."""
    domains = ("movie", "tweets", "amazon", "nyt", "all")
    for i, values in enumerate(table):
        for j, value in enumerate(values):
            changes = {"optimizer": {"lr": LRS[j]}, "data": {"domain": domains[i]}}
            how = (status or {}).get((i, j), "finished")
            made(folder / f"{i},{j}", "model=lstm", "data=sentiment", value=value, changes=changes, status=how)
    return compare([folder], None, None)


def test_mean_ranks_and_friedmans_p(tmp_path: Path) -> None:
    table = np.array([[0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.6, 0.7], [0.8, 0.9, 0.7, 0.6], [0.9, 0.85, 0.7, 0.5]])
    over = on_domains(tmp_path, table).over
    assert over is not None
    assert over.labels == tuple(f"optimizer.lr={lr}" for lr in LRS)
    assert over.ranks == (1.25, 1.75, 3.25, 3.75)
    chi2 = stats.friedmanchisquare(*table.T).statistic
    assert over.p == pytest.approx(stats.f.sf(3 * chi2 / (4 * 3 - chi2), 3, 9))  # Iman and Davenport's form
    assert over.critical == pytest.approx(2.569 * (4 * 5 / (6 * 4)) ** 0.5, rel=1e-3)  # Demsar's table 5
    assert over.groups() == [(0, 2), (1, 3)]
    assert "Those less than 2.35 apart cannot be told apart" in over.note


def test_a_setting_that_diverged_has_the_last_rank_of_its_dataset(tmp_path: Path) -> None:
    table = np.array([[0.9, 0.8, 0.7, 0.6]] * 4)
    over = on_domains(tmp_path, table, {(0, 0): "diverged", (0, 1): "diverged"}).over
    assert over is not None
    assert dict(zip(over.labels, over.ranks, strict=True))["optimizer.lr=0.001"] == pytest.approx((3.5 + 1 + 1 + 1) / 4)


def test_bars_join_what_cannot_be_told_apart() -> None:
    def groups(*ranks: float) -> list[tuple[int, int]]:
        return OverDatasets((), ("",) * len(ranks), ranks, 0.01, 1.0).groups()

    assert groups(1.0, 1.5, 2.2, 4.0) == [(0, 1), (1, 2)]
    assert groups(1.0, 1.1, 1.2) == [(0, 2)], "no bar within a bar"
    assert groups(1.0, 3.0, 5.0) == []


def test_too_few_datasets_or_settings(tmp_path: Path) -> None:
    assert on_domains(tmp_path / "a", np.array([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]])).over is None
    assert on_domains(tmp_path / "b", np.array([[0.9, 0.8]] * 5)).over is None


def test_parts_of_a_dataset_are_one_dataset(tmp_path: Path) -> None:
    for limit in (100, 200, 300, 400):
        for lr in LRS:
            changes = {"optimizer": {"lr": lr}, "data": {"limit": limit}}
            made(tmp_path / f"{limit},{lr}", "model=fnn", value=1 - lr, changes=changes)
    comparison = compare([tmp_path], None, None)
    assert len(comparison.rankings) == 4
    assert comparison.over is None


@pytest.mark.wide
def test_the_diagram_is_drawn_and_in_the_report(tmp_path: Path) -> None:
    on_domains(tmp_path, np.array([[0.9, 0.8, 0.7, 0.6]] * 5))
    assert run_compare(tmp_path) == 0
    figures = tmp_path / "compare" / "figures"
    assert {path.suffix for path in figures.glob("critical-difference.*")} == {".svg", ".png", ".pdf"}
    assert "critical difference 2.10" in (figures / "critical-difference.svg").read_text()
    assert "Over the datasets" in (tmp_path / "compare" / "report.html").read_text()
