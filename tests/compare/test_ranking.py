"""Which runs are one row, how rows are ranked, and which runs are excluded."""

import json
import re
import shutil
from pathlib import Path

import pytest
from comparing import lr_of, lrs, printed_by, rank, row_of, run_compare, sweep
from made_runs import made
from scipy import stats

from litmus.compare.comparison import compare
from litmus.compare.report import output
from litmus.compare.report.appendix import differences
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
        {"logger": {"csv": {"_target_": "litmus.logger.csv.CSV"}}},
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


@pytest.mark.parametrize("other", [{"source": "bundled"}, {"limit": 500}, {"val_size": 1000}])
def test_runs_on_other_samples_are_ranked_apart(tmp_path: Path, other: dict[str, object]) -> None:
    made(tmp_path / "a", "model=fnn", value=0.9)
    made(tmp_path / "b", "model=fnn", value=0.8, changes=lr_of(0.5))
    made(tmp_path / "c", "model=fnn", value=0.99, changes={"data": other})
    made(tmp_path / "d", "model=fnn", value=0.7, changes={"data": {"batch_size": 7}})
    rankings = compare([tmp_path], None, None).rankings
    assert sorted(len(ranking.rows) for ranking in rankings) == [1, 3]
    assert len({ranking.title for ranking in rankings}) == 2
    key, value = next(iter(other.items()))
    assert any(f"mnist data.{key}={value}, val/acc" == ranking.title for ranking in rankings)


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
    assert two.rows == all_of_them.rows, "figures and effects show all"
    assert [row["rank"] for row in json.loads(output.texts(comparison)["json"])["rankings"][0]["rows"]] == [1, 2]
    assert "The best 2 of 4 are shown." in output.texts(comparison)["markdown"]
    assert comparison.seconds["ranked"] == comparison.seconds["total"]


def test_lower_is_better_for_an_error(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=lstm", "data=series", metric="val/rmse", value=20.0)
    made(tmp_path / "b", "model=lstm", "data=series", metric="val/rmse", value=18.0, changes=lr_of(0.5))
    ranking, _ = rank(tmp_path)
    assert (ranking.metric, ranking.mode, lrs(ranking)[0]) == ("val/rmse", "min", 0.5)


def test_what_cannot_be_told_apart_is_said_with_the_cheapest_and_the_seeds_to_go(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.93, 0.92, 0.955], 0.1: [0.5, 0.51, 0.52]})
    sweep(tmp_path, {0.01: [0.90, 0.93, 0.92]}, seconds={"startup": 1.0, "fit": 2.0, "test": 1.0})
    comparison = rank(tmp_path)[1]
    cheapest = "The cheapest of them is #2, optimizer.lr=0.01 (4.0 s a run)."
    assert f"mnist, val/acc: these 2 cannot be told apart: #1, #2. {cheapest}" in comparison.notes
    (more,) = comparison.more
    words = re.search(r"if #1 and #2 differ as much as it seems, about (\d+) more seeds of both", more.note)
    assert words is not None
    assert 3 < int(words[1]) < 30


def test_against_a_setting(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.93, 0.931, 0.932], 0.01: [0.95, 0.952, 0.951], 0.1: [0.9, 0.903, 0.901]})
    for words in ("optimizer.lr=0.001", "lr=0.001"):
        ranking, _ = rank(tmp_path, against=words)
        assert lrs(ranking) == [0.01, 0.001, 0.1]
        assert [row.verdict.words for row in ranking.rows] == ["better", "reference", "worse"]
    table = differences(ranking).table
    assert table.head[1] == "value of the reference → own value"
    assert ["lr 0.001 → " in str(row) for row in table.rows] == [True, True]
    text = printed_by(tmp_path, "--against", "lr=0.001", "--format", "markdown")
    assert "| vs. reference | difference |" in text
    assert "Differences are from the reference" in text
    with pytest.raises(UserError, match=r"No ranked setting has lr=3\. There are: optimizer.lr=0.01; optimizer.lr=0.0"):
        rank(tmp_path, against="lr=3")
    with pytest.raises(UserError, match=r"3 settings have model=fnn: add another key, to name one of them\."):
        rank(tmp_path, against="model=fnn")


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
    assert "mnist, val/acc: These are 5,000 of MNIST's digits." in comparison.notes


def test_runs_on_other_files_are_ranked_apart(tmp_path: Path) -> None:
    for i, (lr, file) in enumerate([(0.001, "aaaaaaaaaa"), (0.01, "aaaaaaaaaa"), (0.1, "bbbbbbbbbb")]):
        for seed in (0, 1):
            dataset = {"sha256": {"table.csv": file}, "warning": None}
            made(tmp_path / f"{i},{seed}", "model=fnn", seed=seed, changes=lr_of(lr), dataset=dataset, ended=1e9 + i)
    made(tmp_path / "failed", "model=fnn", seed=2, changes=lr_of(0.01), status="failed", dataset=None)
    older, newer = compare([tmp_path], None, None).rankings
    assert [older.title, newer.title] == ["mnist table.csv=aaaaaaaa, val/acc", "mnist table.csv=bbbbbbbb, val/acc"]
    assert [len(row.excluded) for row in older.rows] == [0, 1], "a run that failed early is with those of its setting"
    assert lrs(newer) == [0.1]


def test_checksums_that_include_the_split_of_a_seed_are_not_other_files(tmp_path: Path) -> None:
    for lr in (0.001, 0.01):
        for seed in (0, 1, 2):
            dataset = {"sha256": {"data.yaml": f"split-{seed}"}, "warning": None}
            made(tmp_path / f"{lr},{seed}", "model=fnn", seed=seed, changes=lr_of(lr), dataset=dataset)
    ranking, _ = rank(tmp_path)
    assert [row.value.n for row in ranking.rows] == [3, 3]
    dataset = {"sha256": {"data.yaml": "other photos"}, "warning": None}
    made(tmp_path / "new", "model=fnn", seed=1, changes=lr_of(0.1), dataset=dataset, ended=3e9)
    assert [len(ranking.rows) for ranking in compare([tmp_path], None, None).rankings] == [2, 1]


@pytest.mark.parametrize("more", [{"metrics": {"val/acc": 0.99, "val/loss": None}}, {"status": "diverged"}])
def test_a_setting_that_diverged_comes_last_and_is_named(tmp_path: Path, more: dict[str, object]) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91], 0.01: [0.8, 0.82]})
    sweep(tmp_path, {0.1: [0.99, 0.99]}, **more)
    sweep(tmp_path, {0.2: [0.95]})
    made(tmp_path / "lost", "model=fnn", value=0.99, seed=1, changes=lr_of(0.2), **more)
    ranking, comparison = rank(tmp_path)
    assert lrs(ranking) == [0.001, 0.01, 0.1, 0.2]
    assert [row.verdict.words for row in ranking.rows][2:] == ["diverged", "diverged"]
    assert row_of(ranking, 0.2).value.mean == 0.95, "of what is healthy"
    named = "optimizer.lr=0.1 (seed 0, 1); optimizer.lr=0.2 (seed 1)"
    assert f"mnist, val/acc: a setting that diverged on any seed comes last: {named}." in comparison.notes


def test_a_metric_that_is_undefined_is_no_divergence(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", metrics={"val/acc": 0.9, "val/loss": 0.1, "val/r": None})
    assert rank(tmp_path)[0].rows[0].verdict.words == "best"


def test_a_run_whose_metric_is_no_number_is_not_averaged(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0)
    made(tmp_path / "b", "model=fnn", seed=1, metrics={"val/acc": None})
    ranking, comparison = rank(tmp_path)
    assert ranking.rows[0].value.n == 1
    assert any("comes last" in note for note in comparison.notes)
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
