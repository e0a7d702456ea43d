"""Folds of a cross-validation are averaged as seeds are."""

import json
from pathlib import Path

import pytest
from comparing import lr_of, printed_by, rank, row_of, sweep
from made_runs import made

from litmus.compare.again import overrides_for
from litmus.compare.report.tables import columns, legend


def folds(folder: Path, values: dict[float, list[float]], seeds: tuple[int, ...] = (0,)) -> Path:
    """A run for each learning rate, fold and seed."""
    for lr, by_fold in values.items():
        for seed in seeds:
            for fold, value in enumerate(by_fold):
                changes = lr_of(lr) | {"data": {"folds": len(by_fold), "fold": fold}}
                path = folder / f"lr={lr},fold={fold},seed={seed}"
                made(path, "model=fnn", value=value + seed / 1000, seed=seed, changes=changes)
    return folder


def test_folds_of_a_setting_are_one_row(tmp_path: Path) -> None:
    ranking, _ = rank(folds(tmp_path, {0.1: [0.8, 0.82, 0.81, 0.83], 0.2: [0.9, 0.92, 0.91, 0.93]}))
    best = row_of(ranking, 0.2)
    assert (best.rank, best.value.n, best.value.mean) == (1, 4, pytest.approx(0.915))
    assert [run.fold for run in best.runs] == [0, 1, 2, 3]
    assert not any("data.fold" in key for key in ranking.keys)
    assert row_of(ranking, 0.1).verdict.difference == pytest.approx(-0.1), "fold by fold"
    assert "folds" in columns(ranking)
    assert "Mean over folds" in legend(ranking)
    assert "intervals are too narrow" in legend(ranking)


def test_seeds_and_folds_count_each(tmp_path: Path) -> None:
    ranking, _ = rank(folds(tmp_path, {0.1: [0.8, 0.9]}, seeds=(0, 1)))
    assert ranking.rows[0].value.n == 4
    assert ranking.unit == "seeds and folds"
    assert not ranking.repeats


def test_the_same_fold_twice_counts_once(tmp_path: Path) -> None:
    folds(tmp_path / "a", {0.1: [0.8, 0.9]})
    folds(tmp_path / "b", {0.1: [0.7, 0.9]})
    ranking, _ = rank(tmp_path)
    assert (ranking.rows[0].value.n, len(ranking.repeats)) == (2, 2)


def test_folds_and_whole_splits_are_ranked_apart(tmp_path: Path) -> None:
    sweep(tmp_path / "whole", {0.1: [0.8, 0.8]})
    folds(tmp_path / "folds", {0.1: [0.8, 0.9]})
    folds(tmp_path / "more", {0.1: [0.8, 0.9, 0.7]})
    printed = json.loads(printed_by(tmp_path, "--format", "json"))
    assert sorted(len(ranking["rows"][0].get("folds", [])) for ranking in printed["rankings"]) == [0, 2, 3]


def test_without_folds_nothing_is_said_of_them(tmp_path: Path) -> None:
    ranking, _ = rank(sweep(tmp_path, {0.1: [0.8, 0.9]}))
    assert ranking.unit == "seeds"
    assert "olds" not in legend(ranking)


def test_what_is_measured_again_is_so_on_every_fold(tmp_path: Path) -> None:
    ranking, comparison = rank(folds(tmp_path, {0.1: [0.8, 0.9], 0.2: [0.81, 0.89]}))
    words = overrides_for(ranking.rows[0], [1000, 1001], [tmp_path], "fresh-seeds")
    assert words is not None
    assert {"data.folds=2", "data.fold=range(0,2)", "seed=1000,1001"} <= set(words)
    assert comparison.more == [], "there are no more folds"
