"""Which runs are one row, how rows are ranked, and which runs are excluded."""

import shutil
from pathlib import Path

import pytest
from comparing import lr_of, lrs, printed_by, rank, row_of, run_compare, sweep
from made_runs import made
from scipy import stats

from litmus.compare.comparison import compare
from litmus.errors import UserError


def test_runs_that_differ_only_in_seed_are_one_row(tmp_path: Path) -> None:
    sweep(tmp_path / "s", {0.001: [0.90, 0.92, 0.94], 0.01: [0.95, 0.96, 0.97]})
    ranking, _ = rank(tmp_path / "s")
    assert ranking.keys == ("optimizer.lr",)
    assert lrs(ranking) == [0.01, 0.001]
    assert [row.value.n for row in ranking.rows] == [3, 3]
    assert [row.value.mean for row in ranking.rows] == pytest.approx([0.96, 0.92])
    assert [row.test.mean for row in ranking.rows] == pytest.approx([0.95, 0.91])
    assert ranking.rows[0].value.half_width == pytest.approx(stats.t.ppf(0.975, 2) * 0.01 / 3**0.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"dir": "/elsewhere"}},
        {"data": {"eval_batch_size": 7}},
        {"trainer": {"accelerator": "gpu"}},
        {"callback": {"progress": None}},
        {"callback": {"dashboard": {"_target_": "a.B", "graph": False}}},
        {"logger": {"_target_": "litmus.logger.none"}},
    ],
)
def test_what_does_not_change_what_is_learnt_does_not_split_a_row(tmp_path: Path, changes: dict) -> None:
    made(tmp_path / "a", "model=fnn", seed=0)
    made(tmp_path / "b", "model=fnn", seed=1, changes=changes)
    ranking, _ = rank(tmp_path)
    assert [row.value.n for row in ranking.rows] == [2]


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"source": "bundled"}},  # 5,000 digits, and not 60,000
        {"callback": {"ema": {"decay": 0.9, "ramp": 2000}}},
        {"trainer": {"max_epochs": 3}},
        {"optimizer": {"_target_": "litmus.optimizer.adamw"}},
        {"model": {"widths": [3]}},
    ],
)
def test_what_changes_what_is_learnt_splits_a_row(tmp_path: Path, changes: dict) -> None:
    made(tmp_path / "a", "model=fnn", seed=0)
    made(tmp_path / "b", "model=fnn", seed=1, changes=changes)
    ranking, _ = rank(tmp_path)
    assert len(ranking.rows) == 2


def test_zero_is_zero_however_it_is_written(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0, changes={"model": {"dropout": 0}})
    made(tmp_path / "b", "model=fnn", seed=1, changes={"model": {"dropout": 0.0}})
    assert len(rank(tmp_path)[0].rows) == 1


def test_columns_are_what_differs_and_not_what_a_choice_brings_with_it(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn")
    made(tmp_path / "b", "model=cnn")
    ranking, _ = rank(tmp_path)
    assert "model" in ranking.keys
    assert "model.widths" in ranking.keys, "both have it, with other values"
    assert "model.kernel_size" not in ranking.keys, "only a CNN has it, and always with this value"


def test_a_repeated_run_is_no_second_seed_and_the_newest_finished_counts(tmp_path: Path) -> None:
    made(tmp_path / "old", "model=fnn", value=0.5, ended=1e9)
    made(tmp_path / "new", "model=fnn", value=0.9, ended=2e9)
    made(tmp_path / "failed", "model=fnn", status="failed", ended=3e9)
    ranking, comparison = rank(tmp_path)
    (row,) = ranking.rows
    assert [run.folder.name for run in row.runs] == ["new"]
    assert (row.value.n, row.value.half_width) == (1, None)
    assert any(
        "are not independent; only the newest counts" in note and "new instead of" in note for note in comparison.notes
    )


def test_the_adjustment_is_for_every_setting_even_if_few_are_shown(tmp_path: Path) -> None:
    values = {
        0.001: [0.95, 0.96, 0.97],
        0.002: [0.94, 0.955, 0.962],
        0.003: [0.90, 0.92, 0.91],
        0.004: [0.8, 0.81, 0.83],
    }
    sweep(tmp_path / "s", values)
    all_of_them, _ = rank(tmp_path / "s")
    two, comparison = rank(tmp_path / "s", top=2)
    assert [row.verdict for row in two.rows] == [row.verdict for row in all_of_them.rows[:2]]
    assert (len(two.rows), two.total) == (2, 4)
    assert comparison.seconds["ranked"] == comparison.seconds["total"]


def test_lower_is_better_for_an_error(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=lstm", "data=series", metric="val/rmse", value=20.0)
    made(tmp_path / "b", "model=lstm", "data=series", metric="val/rmse", value=18.0, changes=lr_of(0.5))
    ranking, _ = rank(tmp_path)
    assert (ranking.metric, ranking.mode, lrs(ranking)[0]) == ("val/rmse", "min", 0.5)


def test_other_datasets_and_metrics_are_ranked_apart(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn")
    made(tmp_path / "b", "model=lstm", "data=series", metric="val/rmse", value=20.0)
    made(tmp_path / "c", "model=lstm", "data=sentiment")
    titles = [ranking.title for ranking in compare([tmp_path], None, None).rankings]
    assert titles == ["mnist, val/acc", "sentiment, val/acc", "series, val/rmse"]


def test_another_metric(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", value=0.9, metrics={"val/acc": 0.9, "val/f1": 0.5, "test/f1": 0.4})
    made(
        tmp_path / "b",
        "model=fnn",
        value=0.8,
        changes=lr_of(0.5),
        metrics={"val/acc": 0.8, "val/f1": 0.6, "test/f1": 0.1},
    )
    ranking, _ = rank(tmp_path, metric="val/f1")
    assert [(row.value.mean, row.test.mean) for row in ranking.rows] == [(0.6, 0.1), (0.5, 0.4)]
    with pytest.raises(
        UserError, match=r"No run has the metric val/f2. Did you mean val/f1\? Available: val/acc, val/f1"
    ):
        compare([tmp_path], "val/f2", None)
    with pytest.raises(UserError, match="test/acc is a test metric.*Rank by val/acc"):
        compare([tmp_path], "test/acc", None)


def test_only_finished_runs_are_ranked_and_a_row_says_how_many_it_lost(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91], 0.01: [0.8, 0.82]})
    for seed, status in enumerate(("failed", "pruned", "interrupted", None), start=2):
        made(tmp_path / f"{seed}", "model=fnn", seed=seed, value=0.99, status=status, changes=lr_of(0.01))
    ranking, comparison = rank(tmp_path)
    assert row_of(ranking, 0.01).value.mean == pytest.approx(0.81)
    assert lrs(ranking) == [0.001, 0.01]
    shown = printed_by(tmp_path, "--format", "markdown")
    assert "2 (1 failed, 1 interrupted, 1 pruned, 1 unfinished)" in shown
    assert any("1 setting has lost seeds" in note for note in comparison.notes)


def test_pruned_runs_are_ranked_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9], 0.01: [0.8]}, status="pruned")
    ranking, comparison = rank(tmp_path)
    assert ranking.pruned
    assert lrs(ranking) == [0.001, 0.01]
    assert any("every run was pruned" in note for note in comparison.notes)
    made(tmp_path / "f", "model=fnn", value=0.5, changes=lr_of(0.1))
    assert lrs(rank(tmp_path)[0]) == [0.1]


def test_a_setting_of_which_nothing_is_left_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91]})
    for seed in (0, 1):
        made(tmp_path / f"lost{seed}", "model=fnn", seed=seed, status="failed", changes=lr_of(0.1))
    _, comparison = rank(tmp_path)
    assert "mnist, val/acc, not ranked: optimizer.lr=0.1 (2 failed)" in comparison.notes
    for path in tmp_path.glob("lr=*"):
        shutil.rmtree(path)
    assert run_compare(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "figures " not in printed, "there are none"
    assert "tensorboard " not in printed
    assert not (tmp_path / "compare" / "figures").exists()


def test_notes_on_the_data(tmp_path: Path) -> None:
    few = {"sha256": {"few.csv": "a"}, "warning": "These are 5,000 of MNIST's digits."}
    made(tmp_path / "few", "model=fnn", changes=lr_of(0.001), dataset=few)
    made(tmp_path / "same", "model=fnn", changes=lr_of(0.01), dataset=few)
    _, comparison = rank(tmp_path)
    assert comparison.notes == ["mnist, val/acc: These are 5,000 of MNIST's digits."]
    whole = {"sha256": {"all": "b"}, "warning": None}
    made(tmp_path / "all", "model=fnn", changes=lr_of(0.1) | {"data": {"source": "npm"}}, dataset=whole)
    _, comparison = rank(tmp_path)
    assert any("the rows used different data" in note for note in comparison.notes)


def test_a_run_with_another_metric_that_is_not_finite_is_reported(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", metrics={"val/acc": 0.1, "val/loss": None})
    _, comparison = rank(tmp_path)
    assert "mnist, val/acc: 1 ranked run diverged: a metric is not finite." in comparison.notes


def test_a_run_whose_metric_is_no_number_is_not_averaged(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0)
    made(tmp_path / "b", "model=fnn", seed=1, metrics={"val/acc": None})
    ranking, comparison = rank(tmp_path)
    assert ranking.rows[0].value.n == 1
    assert any("1 finished run has no finite val/acc" in note for note in comparison.notes)
    assert any("1 setting has lost seeds" in note for note in comparison.notes)
    made(tmp_path / "c", "model=fnn", seed=0, ended=1e9)
    assert "| 1 (1 diverged, 1 repeated) |" in printed_by(tmp_path, "--format", "markdown")
    made(tmp_path / "d", "model=fnn", seed=1)
    _, comparison = rank(tmp_path)
    assert not any("lost seeds" in note for note in comparison.notes), "seed 1 was run again"


def test_a_run_that_never_measured_the_metric_did_not_diverge(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0, metrics={"val/acc": 0.9, "val/f1": 0.5})
    made(tmp_path / "b", "model=fnn", seed=1, metrics={"val/acc": 0.9})
    assert "| 1 (1 without the metric) |" in printed_by(tmp_path, "--metric", "val/f1", "--format", "markdown")
