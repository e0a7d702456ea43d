"""Sweeps of made runs, and what `litmus compare` makes of them."""

import contextlib
import io
from pathlib import Path

import pytest
from made_runs import made

from litmus.cli import main
from litmus.compare.comparison import Comparison, compare
from litmus.compare.ranking import Ranking, Row


def sweep(folder: Path, values: dict[float, list[float]], **more: object) -> Path:
    """A run for each learning rate and seed."""
    for lr, by_seed in values.items():
        for seed, value in enumerate(by_seed):
            made(folder / f"lr={lr},seed={seed}", "model=fnn", value=value, seed=seed, changes=lr_of(lr), **more)
    return folder


def lr_of(lr: float) -> dict[str, dict[str, float]]:
    return {"optimizer": {"lr": lr}}


def rank(
    *folders: Path, metric: str | None = None, top: int | None = None, against: str | None = None
) -> tuple[Ranking, Comparison]:
    comparison = compare(folders, metric, top, against)
    (ranking,) = comparison.rankings
    return ranking, comparison


def lrs(ranking: Ranking) -> list[float]:
    return [row.settings["optimizer.lr"] for row in ranking.rows]


def row_of(ranking: Ranking, lr: float) -> Row:
    return next(row for row in ranking.rows if row.settings["optimizer.lr"] == lr)


def run_compare(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main.main(["compare", *map(str, words)])
    return 0 if left.value.code is None else left.value.code


def printed_by(*words: object) -> str:
    """What stands on standard output."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert run_compare(*words, "--no-figures") == 0
    return text.getvalue()
