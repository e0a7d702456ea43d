"""`litmus compare`: which runs are one row, what the numbers are, and what is done with runs that do not count."""

import contextlib
import csv
import io
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_runs import made
from scipy import stats

from litmus import console
from litmus.cli import main
from litmus.compare import statistics
from litmus.compare.comparison import Comparison, compared
from litmus.compare.ranking import Ranking, Row
from litmus.compare.report.formats import FORMATS
from litmus.errors import UserError
from litmus.record.folder import RunDir

LRS = (0.001, 0.01)


def sweep(folder: Path, values: dict[float, list[float]], **more: object) -> Path:
    """A run for each learning rate and seed."""
    for lr, by_seed in values.items():
        for seed, value in enumerate(by_seed):
            made(folder / f"lr={lr},seed={seed}", "model=fnn", value=value, seed=seed, changes=lr_of(lr), **more)
    return folder


def lr_of(lr: float) -> dict[str, dict[str, float]]:
    return {"optimizer": {"lr": lr}}


def ranked(*folders: Path, metric: str | None = None, top: int | None = None) -> tuple[Ranking, Comparison]:
    comparison = compared(folders, metric, top)
    (ranking,) = comparison.rankings
    return ranking, comparison


def lrs(ranking: Ranking) -> list[float]:
    return [row.settings["optimizer.lr"] for row in ranking.rows]


def row_of(ranking: Ranking, lr: float) -> Row:
    return next(row for row in ranking.rows if row.settings["optimizer.lr"] == lr)


# Which runs are one row


def test_runs_that_differ_only_in_seed_are_one_row(tmp_path: Path) -> None:
    sweep(tmp_path / "s", {0.001: [0.90, 0.92, 0.94], 0.01: [0.95, 0.96, 0.97]})
    ranking, _ = ranked(tmp_path / "s")
    assert ranking.keys == ("optimizer.lr",)
    assert lrs(ranking) == [0.01, 0.001]
    assert [row.value.n for row in ranking.rows] == [3, 3]
    assert [row.value.mean for row in ranking.rows] == pytest.approx([0.96, 0.92])
    assert [row.test.mean for row in ranking.rows] == pytest.approx([0.95, 0.91])
    assert ranking.rows[0].value.half == pytest.approx(stats.t.ppf(0.975, 2) * 0.01 / 3**0.5)


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
    ranking, _ = ranked(tmp_path)
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
    ranking, _ = ranked(tmp_path)
    assert len(ranking.rows) == 2


def test_zero_is_zero_however_it_is_written(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0, changes={"model": {"dropout": 0}})
    made(tmp_path / "b", "model=fnn", seed=1, changes={"model": {"dropout": 0.0}})
    assert len(ranked(tmp_path)[0].rows) == 1


def test_columns_are_what_differs_and_not_what_a_choice_brings_with_it(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn")
    made(tmp_path / "b", "model=cnn")
    ranking, _ = ranked(tmp_path)
    assert "model" in ranking.keys
    assert "model.widths" in ranking.keys, "both have it, with other values"
    assert "model.kernel_size" not in ranking.keys, "only a CNN has it, and always with this value"


def test_a_repeated_run_is_no_second_seed_and_the_newest_finished_counts(tmp_path: Path) -> None:
    made(tmp_path / "old", "model=fnn", value=0.5, ended=1e9)
    made(tmp_path / "new", "model=fnn", value=0.9, ended=2e9)
    made(tmp_path / "failed", "model=fnn", status="failed", ended=3e9)
    ranking, comparison = ranked(tmp_path)
    (row,) = ranking.rows
    assert [run.folder.name for run in row.runs] == ["new"]
    assert (row.value.n, row.value.half) == (1, None)
    assert any(
        "is no second seed; the newest counts" in note and "new in place of" in note for note in comparison.notes
    )


def test_a_folder_counts_once_however_it_is_reached(tmp_path: Path) -> None:
    sweep(tmp_path / "all" / "s", {0.001: [0.9, 0.91]})
    (tmp_path / "all" / "latest").symlink_to("s/lr=0.001,seed=0")
    (tmp_path / "all" / "up").symlink_to(tmp_path)
    folders = [tmp_path / "all", tmp_path / "all" / "s", tmp_path / "all" / "s" / "lr=0.001,seed=1", tmp_path / "all"]
    assert len(compared(folders, None, None).runs) == 2


# What the numbers are


def test_intervals_and_tests_are_scipy_s() -> None:
    generator = random.Random(0)
    for n in (2, 3, 5, 10):
        a, b = ([generator.gauss(0.9, 0.02) for _ in range(n)] for _ in range(2))
        of = statistics.summary(a)
        low, high = stats.t.interval(0.95, n - 1, of.mean, stats.sem(a))
        assert (of.mean - of.half, of.mean + of.half) == pytest.approx((low, high))
        assert statistics.paired_p(list(zip(a, b, strict=True))) == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_holm_on_a_worked_example() -> None:
    # 4 * 0.005; 3 * 0.01; 2 * 0.03; the last is no smaller than the one before.
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.5]) == [1.0, 1.0]
    assert statistics.holm([]) == []


def verdict(best: list[float], other: list[float], mode: str = "max") -> statistics.Verdict:
    return statistics.verdicts([dict(enumerate(best)), dict(enumerate(other))], mode)[1]


def test_verdicts() -> None:
    assert verdict([0.95, 0.96, 0.97], [0.90, 0.911, 0.919]).words == statistics.WORSE
    assert verdict([0.95, 0.96, 0.97], [0.90, 0.911, 0.919], "min").words == statistics.BETTER
    assert verdict([0.95, 0.96, 0.97], [0.96, 0.95, 0.968]).words == "not distinguishable"
    assert verdict([0.95], [0.90]).words == "one seed: cannot tell"
    assert verdict([0.9, 0.8], []).words == "no seed in common: cannot tell"


def test_differences_without_any_spread() -> None:
    equal = verdict([0.9, 0.8, 0.7], [0.9, 0.8, 0.7])
    assert (equal.words, equal.p) == ("not distinguishable", 1.0)
    shifted = verdict([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])  # by 0.1, but for rounding
    assert (shifted.words, shifted.p) == ("the same difference on every seed: cannot tell", None)
    assert verdict([0.0, 0.0], [0.0, 0.0]).p == 1.0


def test_pairs_are_by_seed_not_by_order() -> None:
    best, other = {0: 0.9, 1: 0.95, 2: 0.92, 7: 0.99}, {2: 0.90, 0: 0.87, 1: 0.94}
    found = statistics.verdicts([best, other], "max")[1]
    assert found.common == 3
    assert found.p == pytest.approx(stats.ttest_rel([0.87, 0.94, 0.90], [0.9, 0.95, 0.92]).pvalue)


def test_the_adjustment_is_for_every_setting_even_if_few_are_shown(tmp_path: Path) -> None:
    values = {
        0.001: [0.95, 0.96, 0.97],
        0.002: [0.94, 0.955, 0.962],
        0.003: [0.90, 0.92, 0.91],
        0.004: [0.8, 0.81, 0.83],
    }
    sweep(tmp_path / "s", values)
    all_of_them, _ = ranked(tmp_path / "s")
    two, comparison = ranked(tmp_path / "s", top=2)
    assert [row.verdict for row in two.rows] == [row.verdict for row in all_of_them.rows[:2]]
    assert (len(two.rows), two.total) == (2, 4)
    assert comparison.seconds["ranked"] == comparison.seconds["total"]


def test_lower_is_better_for_an_error(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=lstm", "data=series", metric="val/rmse", value=20.0)
    made(tmp_path / "b", "model=lstm", "data=series", metric="val/rmse", value=18.0, changes=lr_of(0.5))
    ranking, _ = ranked(tmp_path)
    assert (ranking.metric, ranking.mode, lrs(ranking)[0]) == ("val/rmse", "min", 0.5)


def test_other_datasets_and_metrics_are_ranked_apart(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn")
    made(tmp_path / "b", "model=lstm", "data=series", metric="val/rmse", value=20.0)
    made(tmp_path / "c", "model=lstm", "data=sentiment")
    titles = [ranking.title for ranking in compared([tmp_path], None, None).rankings]
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
    ranking, _ = ranked(tmp_path, metric="val/f1")
    assert [(row.value.mean, row.test.mean) for row in ranking.rows] == [(0.6, 0.1), (0.5, 0.4)]
    with pytest.raises(
        UserError, match=r"No run has the metric val/f2. Did you mean val/f1\? There are: val/acc, val/f1"
    ):
        compared([tmp_path], "val/f2", None)
    with pytest.raises(UserError, match="test/acc is measured on the test set, which decides nothing.*Rank by val/acc"):
        compared([tmp_path], "test/acc", None)


# Runs that do not count


def test_only_finished_runs_are_ranked_and_a_row_says_how_many_it_lost(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91], 0.01: [0.8, 0.82]})
    for seed, status in enumerate(("failed", "pruned", "interrupted", None), start=2):
        made(tmp_path / f"{seed}", "model=fnn", seed=seed, value=0.99, status=status, changes=lr_of(0.01))
    ranking, comparison = ranked(tmp_path)
    assert row_of(ranking, 0.01).value.mean == pytest.approx(0.81)
    assert lrs(ranking) == [0.001, 0.01]
    shown = output(tmp_path, "--format", "markdown")
    assert "2 (1 failed, 1 interrupted, 1 pruned, 1 unfinished)" in shown
    assert any("1 setting has lost seeds" in note for note in comparison.notes)


def test_pruned_runs_are_ranked_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9], 0.01: [0.8]}, status="pruned")
    ranking, comparison = ranked(tmp_path)
    assert ranking.pruned
    assert lrs(ranking) == [0.001, 0.01]
    assert any("every run was pruned" in note for note in comparison.notes)
    made(tmp_path / "f", "model=fnn", value=0.5, changes=lr_of(0.1))
    assert lrs(ranked(tmp_path)[0]) == [0.1]


def test_a_setting_of_which_nothing_is_left_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91]})
    for seed in (0, 1):
        made(tmp_path / f"lost{seed}", "model=fnn", seed=seed, status="failed", changes=lr_of(0.1))
    _, comparison = ranked(tmp_path)
    assert "mnist, val/acc: not ranked: optimizer.lr=0.1 (2 failed)" in comparison.notes
    for path in tmp_path.glob("lr=*"):
        shutil.rmtree(path)
    assert run(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "figures " not in printed, "there are none"
    assert "tensorboard " not in printed
    assert not (tmp_path / "compare" / "figures").exists()


def test_what_one_should_know_of_the_data_is_said(tmp_path: Path) -> None:
    few = {"sha256": {"few.csv": "a"}, "warning": "These are 5,000 of MNIST's digits."}
    made(tmp_path / "few", "model=fnn", changes=lr_of(0.001), dataset=few)
    made(tmp_path / "same", "model=fnn", changes=lr_of(0.01), dataset=few)
    _, comparison = ranked(tmp_path)
    assert comparison.notes == ["mnist, val/acc: These are 5,000 of MNIST's digits."]
    whole = {"sha256": {"all": "b"}, "warning": None}
    made(tmp_path / "all", "model=fnn", changes=lr_of(0.1) | {"data": {"source": "npm"}}, dataset=whole)
    _, comparison = ranked(tmp_path)
    assert any("the rows come from different data" in note for note in comparison.notes)


def test_a_run_that_diverged_elsewhere_is_said(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", metrics={"val/acc": 0.1, "val/loss": None})
    _, comparison = ranked(tmp_path)
    assert "mnist, val/acc: 1 run that counts diverged: a metric of it is no finite number." in comparison.notes


def test_a_run_whose_metric_is_no_number_is_not_averaged(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0)
    made(tmp_path / "b", "model=fnn", seed=1, metrics={"val/acc": None})
    ranking, comparison = ranked(tmp_path)
    assert ranking.rows[0].value.n == 1
    assert any("1 finished run has no finite val/acc" in note for note in comparison.notes)
    assert any("1 setting has lost seeds" in note for note in comparison.notes)
    made(tmp_path / "c", "model=fnn", seed=0, ended=1e9)
    assert "| 1 (1 diverged, 1 repeated) |" in output(tmp_path, "--format", "markdown")
    made(tmp_path / "d", "model=fnn", seed=1)
    _, comparison = ranked(tmp_path)
    assert not any("lost seeds" in note for note in comparison.notes), "seed 1 was run again"


def test_a_run_that_never_measured_the_metric_did_not_diverge(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0, metrics={"val/acc": 0.9, "val/f1": 0.5})
    made(tmp_path / "b", "model=fnn", seed=1, metrics={"val/acc": 0.9})
    assert "| 1 (1 without the metric) |" in output(tmp_path, "--metric", "val/f1", "--format", "markdown")


# Runs that ended before anything followed from the data

EARLY = {"settled": {}, "epochs": 0}  # a job that has no epoch yet
BY_HAND = {"epochs": 0}
SETTLED = {"trainer": {"precision": "32"}}
VALUES = {"_target_": "litmus.task.regression.Regression"}


@pytest.mark.parametrize(
    "settled",
    [SETTLED, {**SETTLED, "data": {"source": "bundled"}}, {**SETTLED, "task": VALUES}],
    ids=["precision", "fallback", "task"],
)
def test_a_job_that_ended_early_is_lost_to_the_row_of_those_that_were_asked_the_same(
    tmp_path: Path, settled: dict
) -> None:
    metric = "val/rmse" if "task" in settled else "val/acc"
    for lr in LRS:
        for seed in range(2):
            changes = lr_of(lr)
            made(tmp_path / f"{lr},{seed}", "model=fnn", seed=seed, changes=changes, settled=settled, metric=metric)
    made(tmp_path / "failed", "model=fnn", seed=2, status="failed", changes=lr_of(0.01), **EARLY)
    made(tmp_path / "stopped", "model=fnn", seed=3, status="interrupted", changes=lr_of(0.01), **EARLY)
    made(tmp_path / "begun", "model=fnn", seed=4, status=None, changes=lr_of(0.01), **EARLY)
    ranking, comparison = ranked(tmp_path)
    assert {run.folder.name for run in row_of(ranking, 0.01).left_out} == {"failed", "stopped", "begun"}
    assert (row_of(ranking, 0.001).left_out, ranking.running) == ((), ())
    assert any("1 setting has lost seeds" in note for note in comparison.notes)
    assert "2 (1 failed, 1 interrupted, 1 unfinished)" in output(tmp_path, "--format", "markdown")


def test_jobs_and_runs_by_hand_meet_in_a_row(tmp_path: Path) -> None:
    fell_back = {**SETTLED, "data": {"source": "bundled"}}
    made(tmp_path / "job", "model=fnn", seed=0, settled=fell_back)
    made(tmp_path / "run", "model=fnn", seed=1, changes=fell_back)
    assert [row.value.n for row in ranked(tmp_path)[0].rows] == [2]
    made(tmp_path / "run-failed", "model=fnn", seed=2, status="failed", **BY_HAND)
    assert [len(row.left_out) for row in ranked(tmp_path)[0].rows] == [1], "asked as the job was"
    shutil.rmtree(tmp_path / "job")
    made(tmp_path / "job-failed", "model=fnn", seed=3, status="failed", **EARLY)
    assert [len(row.left_out) for row in ranked(tmp_path)[0].rows] == [2], "as the run may have been asked"


def test_an_early_end_is_not_laid_at_the_door_of_another_setting(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", settled={}, changes=SETTLED)  # 32 is what was asked for
    made(tmp_path / "b", "model=fnn", seed=1, status="failed", **EARLY)
    (row,) = ranked(tmp_path)[0].rows
    assert row.left_out == ()


def test_jobs_that_were_asked_the_same_and_learnt_from_other_data_are_two_rows(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", seed=0, settled=SETTLED)
    made(tmp_path / "b", "model=fnn", seed=1, value=0.5, settled={**SETTLED, "data": {"source": "bundled"}})
    made(tmp_path / "c", "model=fnn", seed=2, status=None, settled={"trainer": {"precision": "bf16-mixed"}})
    ranking, _ = ranked(tmp_path)
    assert (ranking.keys, len(ranking.rows)) == (("data.source",), 2)
    assert [run.folder.name for run in ranking.running] == ["c"], "it has epochs: its settings are its own"


def test_an_asked_yaml_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", settled=SETTLED)
    made(tmp_path / "b", "model=fnn", seed=1, status="failed", **EARLY)
    (tmp_path / "b" / "asked.yaml").write_text("model: [")
    ranking, comparison = ranked(tmp_path)
    assert [len(row.left_out) for row in ranking.rows] == [1], "its config.yaml still says what was asked"
    (said,) = comparison.damaged
    assert said.startswith(f"{tmp_path / 'b' / 'asked.yaml'} is damaged and passed by: ")


def test_of_a_run_that_was_continued_every_session_takes_time(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", epochs=3)  # 10 s in its last session
    for seconds, expected in ((2.0, 10.0), (5.0, 17.0)):
        rows = [{"epoch": i + 1, "val/acc": 0.9, "time/epoch_seconds": seconds} for i in range(3)]
        RunDir(tmp_path / "a").write_metrics(rows)
        assert compared([tmp_path], None, None).seconds["total"] == pytest.approx(expected)
    made(tmp_path / "b", "model=fnn", seed=1, status=None)
    RunDir(tmp_path / "b").write_metrics(rows)
    assert compared([tmp_path], None, None).seconds["total"] == pytest.approx(17.0), "b has not ended"


def test_while_nothing_has_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "a", "model=fnn", status=None)
    assert run(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "No run has finished yet: there is nothing to rank." in printed
    assert "figures " in printed
    assert "1 run: 1 unfinished" in printed
    assert (tmp_path / "compare" / "figures" / "curves.svg").is_file(), "its curve so far"


DAMAGE = {
    "config.yaml": ["model: [", "", "- a\n", "model: {_target_: a.b}\n", "\x00"],
    "result.json": ["{", "[]", "{}", '{"status": "finished", "metrics": [], "seconds": {}}', '{"status": "great"}'],
    "metrics.csv": ["epoch,val/acc\n1,many\n", "epoch,val/acc\n1,2,3\n"],
}


@pytest.mark.parametrize(("name", "content"), [(name, text) for name, texts in DAMAGE.items() for text in texts])
def test_a_damaged_run_is_passed_by_with_a_warning_that_names_it(tmp_path: Path, name: str, content: str) -> None:
    made(tmp_path / "good", "model=fnn")
    made(tmp_path / "bad", "model=fnn", seed=1)
    (tmp_path / "bad" / name).write_text(content)
    ranking, comparison = ranked(tmp_path)
    assert ranking.rows[0].value.n == 1
    (said,) = comparison.damaged
    assert said.startswith(f"{tmp_path / 'bad'} is damaged and left out: ")


def test_a_run_without_its_configuration_is_damaged_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "good", "model=fnn")
    made(tmp_path / "bad", "model=fnn", seed=1)
    (tmp_path / "bad" / "config.yaml").unlink()
    assert run(tmp_path, "--format", "csv", "--no-figures") == 0
    assert "bad is damaged" in " ".join(capsys.readouterr().err.split())


def test_a_run_that_vanishes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from litmus.compare import collect

    made(tmp_path / "a", "model=fnn")
    made(tmp_path / "b", "model=fnn", seed=1)
    read = collect.read

    def reading(folder: Path) -> collect.Run:
        if folder.name == "b":
            shutil.rmtree(folder)
        return read(folder)

    monkeypatch.setattr(collect, "read", reading)
    runs, damaged = collect.collected([tmp_path])
    assert [run.folder.name for run in runs] == ["a"]
    assert damaged == []


# Mistakes, and what is printed and written


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main.main(["compare", *map(str, words)])
    return 0 if left.value.code is None else left.value.code


def output(*words: object) -> str:
    """What stands on standard output."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert run(*words, "--no-figures") == 0
    return text.getvalue()


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    assert run("nowhere") == "litmus compare: There is no folder nowhere."
    assert run(tmp_path) == f"litmus compare: There is no run folder in {tmp_path}."
    assert "--top=0 is not allowed" in run(tmp_path, "--top", 0)
    made(tmp_path / "a", "model=fnn")
    (tmp_path / "file").touch()
    assert "cannot be written" in run(tmp_path, "--out", tmp_path / "file", "--no-figures")


def test_formats(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.92, 0.91], 0.01: [0.95, 0.957, 0.966]})
    texts = {name: output(tmp_path, "--format", name) for name in FORMATS}
    for name, ending in FORMATS.items():
        assert (tmp_path / "compare" / f"ranking.{ending}").read_text() == texts[name]
    (ranking,) = json.loads(texts["json"])["rankings"]
    first, second = ranking["rows"]
    assert first["settings"] == {"optimizer.lr": 0.01}
    assert first["val/acc"]["mean"] == pytest.approx(0.9576667)
    assert second["seeds"] == [0, 1, 2]
    assert [Path(folder).name for folder in second["folders"]] == [f"lr=0.001,seed={seed}" for seed in range(3)]
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [row["optimizer.lr"] for row in rows] == ["0.01", "0.001"]
    assert float(rows[1]["p_holm"]) == pytest.approx(stats.ttest_rel([0.9, 0.92, 0.91], [0.95, 0.957, 0.966]).pvalue)
    assert "| # | optimizer.lr | val/acc | against the best | p | test/acc | seeds |" in texts["markdown"]
    assert "\\begin{tabular}{rlrlrrl}" in texts["latex"]
    assert "0.9577 $\\pm$ " in texts["latex"]


def test_texts_are_escaped(tmp_path: Path) -> None:
    nasty = "a|b_$x & <i> \\ {50%}"
    made(tmp_path / "a", "model=fnn", changes={"data": {"source": nasty}})
    made(tmp_path / "b", "model=fnn", value=0.5)
    markdown, latex = (output(tmp_path, "--format", name) for name in ("markdown", "latex"))
    assert r"| a\|b\_$x &amp; &lt;i> \\ {50%} |" in markdown
    assert r"a|b\_\$x \& $<$i$>$ \textbackslash{} \{50\%\}" in latex


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_screen_shows_every_number_however_narrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    sweep(tmp_path, {0.001: [0.95, 0.952, 0.954], 0.01: [0.951, 0.95, 0.9537]})
    monkeypatch.setattr(console.out, "width", columns)
    printed = " ".join(output(tmp_path).split())
    for text in ("0.001", "0.01", "0.9520 ± 0.0050", "not distinguishable", "val/acc", "test/acc"):
        assert text in printed
    assert "…" not in printed


def test_a_second_time_replaces_its_own_files_and_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path / "s", {0.001: [0.9, 0.91], 0.01: [0.8, 0.81]})
    out = tmp_path / "s" / "compare"
    assert run(tmp_path / "s") == 0
    (out / "mine.txt").write_text("mine")
    first = {path.relative_to(out) for path in out.rglob("*")}
    shutil.rmtree(tmp_path / "s" / "lr=0.01,seed=0")
    shutil.rmtree(tmp_path / "s" / "lr=0.01,seed=1")
    assert run(tmp_path / "s") == 0
    assert "2 runs: 2 finished" in capsys.readouterr().out, "its own folder is no run"
    second = {path.relative_to(out) for path in out.rglob("*")}
    assert Path("mine.txt") in second
    assert any("optimizer.lr=0.01" in str(path) for path in first)
    assert not any("optimizer.lr=0.01" in str(path) for path in second), "a setting that is no more"


def test_several_folders_go_to_outputs(tmp_path: Path, command: Callable) -> None:
    for name in ("a", "b"):
        made(tmp_path / name, "model=fnn", seed=ord(name))
    done = command("compare", "a", "b", "--no-figures", script="litmus")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs" / "compare" / "ranking.md").is_file()
    assert not (tmp_path / "outputs" / "compare" / "report.html").exists()
    assert done.stderr == ""


def test_it_answers_without_torch(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91], 0.01: [0.8, 0.81]})
    code = (
        "import sys; from litmus.cli import compare; import argparse; p = argparse.ArgumentParser();"
        "compare.arguments(p);"
        f"compare.main(p.parse_args([{str(tmp_path)!r}])); assert not {{'torch', 'lightning'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
