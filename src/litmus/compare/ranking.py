"""Runs that differ only in their seed become one row; rows are sorted and held against the best."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from litmus.compare.collect import UNFINISHED, Run
from litmus.compare.settings import canonical, cell, differing, identity
from litmus.compare.statistics import Summary, Verdict, summary, verdicts
from litmus.config.validate import did_you_mean
from litmus.errors import UserError
from litmus.record.metrics import mode_of

MOST_NAMED = 10  # settings that are not ranked
LOST = ("failed", "pruned", "interrupted", "diverged")  # fates of runs that leave a mean without their seed


@dataclass(frozen=True)
class Row:
    """One setting.

    Attributes:
        rank: from 1.
        settings: everything that decides what its runs learn, but for the seed.
        runs: those that count, one for each seed.
        left_out: runs of the same settings that do not count: failed, pruned, interrupted, unfinished,
            diverged, repeats.
        value: the metric that is ranked by, over the seeds.
        test: the same of the test set, if every run that counts has it.
        verdict: how it stands against the best.
    """

    rank: int
    settings: dict[str, Any]
    runs: tuple[Run, ...]
    left_out: tuple[Run, ...]
    value: Summary
    test: Summary | None
    verdict: Verdict


@dataclass(frozen=True)
class Ranking:
    """Settings that can be compared: the same dataset, and the same metric decides.

    Attributes:
        data: the dataset's name.
        metric: that is ranked by.
        mode: whether it should be "min" or "max".
        keys: the settings that differ between the rows.
        rows: best first.
        total: number of rows before `--top` cut them.
        tests: number of tests against the best.
        pruned: whether all its runs were pruned, and are ranked by how far they came.
        running: unfinished runs of settings that have no row yet.
    """

    data: str
    metric: str
    mode: str
    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int
    tests: int
    pruned: bool
    running: tuple[Run, ...]

    @property
    def test(self) -> str:
        """The test's counterpart of the metric: shown, never selected on."""
        return f"test/{self.metric.partition('/')[2]}"

    @property
    def title(self) -> str:
        return f"{self.data}, {self.metric}"

    def label(self, row: Row) -> str:
        """A row in words: `optimizer.lr=0.003  model.dropout=0.1`."""
        return "  ".join(f"{key}={text}" for key in self.keys if (text := cell(row.settings, key))) or self.data

    def cut(self, top: int | None) -> "Ranking":
        """The first `top` rows."""
        return replace(self, rows=self.rows[:top])


def ranked(runs: Sequence[Run], metric: str | None) -> tuple[list[Ranking], list[str]]:
    """The rankings, and sentences on what one should know of them.

    Only finished runs count. A pruned run was stopped because it looked bad, at an epoch of the pruner's choice: its
    best value so far is not what the setting reaches, and one is only pruned for being worse than others, so ranking it
    among finished runs would tell of the pruner. It is counted in its row, and listed; only where every run of a
    dataset was pruned, those are ranked, and that is said. Nor do failed and interrupted runs count: a mean over the
    seeds that survived looks better than the setting is, so a row says how many seeds it lost.

    Args:
        runs: all of them.
        metric: to rank by, in place of that which each run's task monitors.

    Raises:
        UserError: the metric is the test's, or no run has it.
    """
    mode = None if metric is None else _mode(runs, metric)
    sections: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        monitor = run.monitor if metric is None or mode is None else (metric, mode)
        sections.setdefault((str(run.settings["data"]), *monitor), []).append(run)
    rankings, notes = [], []
    for (data, name, direction), members in sorted(sections.items(), key=lambda item: item[0]):
        ranking, said = _ranking(data, name, direction, members)
        rankings += [ranking] if ranking.rows or ranking.running else []
        notes += said
    return rankings, notes


def _mode(runs: Sequence[Run], metric: str) -> str:
    known = sorted({name for run in runs for name in run.metrics if not name.startswith("test/")})
    if metric.startswith("test/"):
        raise UserError(
            f"{metric} is measured on the test set, which decides nothing: what is chosen by it is no longer tested "
            f"by it. Rank by {metric.replace('test/', 'val/', 1)}; the test's value is shown beside it."
        )
    if metric not in known:
        there = f" There are: {', '.join(known)}." if known else " No run has any metric yet."
        raise UserError(f"No run has the metric {metric}.{did_you_mean(metric, known)}{there}")
    try:
        return mode_of(metric)
    except UserError:
        raise UserError(f"Whether {metric} should be small or large, its name does not say; rank by another.") from None


def _ranking(data: str, metric: str, mode: str, runs: Sequence[Run]) -> tuple[Ranking, list[str]]:
    statuses = {run.status for run in runs}
    pruned = "pruned" in statuses and not statuses & {"finished", UNFINISHED}
    counting = "pruned" if pruned else "finished"
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(identity(run.settings), []).append(run)
    rows, repeats, running, without, lost = [], [], [], 0, []
    for members in groups.values():
        able = [run for run in members if run.status == counting and metric in run.metrics]
        without += sum(run.status == counting and metric not in run.metrics for run in members)
        chosen: dict[int, Run] = {}
        for run in sorted(able, key=lambda run: run.ended):
            repeats += [(chosen[run.seed], run)] if run.seed in chosen else []
            chosen[run.seed] = run
        if chosen:
            rows.append(_row([chosen[seed] for seed in sorted(chosen)], members, metric))
        else:
            running += [run for run in members if run.status == UNFINISHED]
            lost += [members] if any(run.status in ("failed", "interrupted") for run in members) else []
    sign = -1 if mode == "max" else 1
    rows.sort(key=lambda row: (sign * row.value.mean, str(row.runs[0].folder)))
    against = verdicts([{run.seed: run.metrics[metric] for run in row.runs} for row in rows], mode) if rows else []
    placed = [replace(row, rank=i + 1, verdict=v) for i, (row, v) in enumerate(zip(rows, against, strict=True))]
    keys = differing([row.settings for row in placed])
    tests = sum(verdict.p is not None for verdict in against)
    ranking = Ranking(data, metric, mode, keys, tuple(placed), len(placed), tests, pruned, tuple(running))
    return ranking, [*_notes(ranking, repeats, without), *_unranked(ranking, lost)]


def _unranked(ranking: Ranking, lost: Sequence[Sequence[Run]]) -> Iterator[str]:
    """Names the settings of which no run came to its end."""
    keys = differing([*(row.settings for row in ranking.rows), *(members[0].settings for members in lost)])
    for members in lost[:MOST_NAMED]:
        what = "  ".join(f"{key}={text}" for key in keys if (text := cell(members[0].settings, key)))
        fates = ", ".join(f"{count} {status}" for status, count in Counter(run.status for run in members).items())
        yield f"{ranking.title}: not ranked: {what or 'the only setting'} ({fates})"
    if len(lost) > MOST_NAMED:
        yield f"{ranking.title}: nor are {len(lost) - MOST_NAMED} more settings of which no run has finished."


def fate(run: Run, row: Row, metric: str) -> str:
    """Why a run of a row does not count: its status, or what is wrong with one of the status that counts."""
    if run.status != row.runs[0].status:
        return run.status
    return "repeated" if metric in run.metrics else without_metric(run, metric)


def without_metric(run: Run, metric: str) -> str:
    """Why a run that was trained to its end has no value to rank by."""
    return "diverged" if metric in run.diverged else "without the metric"


def lost_seeds(row: Row, metric: str) -> set[int]:
    """Seeds that were begun and came to nothing, and have no other run that counts."""
    lost = {run.seed for run in row.left_out if fate(run, row, metric) in LOST}
    return lost - {run.seed for run in row.runs}


def _row(runs: Sequence[Run], members: Sequence[Run], metric: str) -> Row:
    test = f"test/{metric.partition('/')[2]}"
    counted = {run.folder for run in runs}
    tested = [run.metrics[test] for run in runs if test in run.metrics]
    return Row(
        rank=0,
        settings=runs[0].settings,
        runs=tuple(runs),
        left_out=tuple(run for run in members if run.folder not in counted),
        value=summary([run.metrics[metric] for run in runs]),
        test=summary(tested) if len(tested) == len(runs) else None,
        verdict=Verdict("", None, None, 0),
    )


def _notes(ranking: Ranking, repeats: Sequence[tuple[Run, Run]], without: int) -> Iterator[str]:
    if ranking.pruned:
        yield f"{ranking.title}: every run was pruned, so they are ranked by the best that each had reached until then."
    if repeats:
        older, newer = repeats[0]
        more = f", and {len(repeats) - 1} more" if len(repeats) > 1 else ""
        yield (
            f"{ranking.title}: a run with the same configuration and seed as another is no second seed; "
            f"the newest counts: {newer.folder} in place of {older.folder}{more}."
        )
    if without:
        word = "run has" if without == 1 else "runs have"
        yield f"{ranking.title}: {without} finished {word} no finite {ranking.metric}, and cannot be ranked."
    counted = [run for row in ranking.rows for run in row.runs]
    lost = sum(bool(lost_seeds(row, ranking.metric)) for row in ranking.rows)
    if lost:
        word = "setting has" if lost == 1 else "settings have"
        yield f"{ranking.title}: {lost} {word} lost seeds; a mean of those that are left may flatter."
    if len(codes := {run.code for run in counted if run.code}) > 1:
        yield f"{ranking.title}: the runs come from {len(codes)} versions of the code."
    checksums: dict[tuple[str, ...], set[str]] = {}
    for run in counted:
        data = (f"{key}={canonical(value)}" for key, value in run.settings.items() if key.startswith("data"))
        checksums.setdefault((str(run.seed), *data), set()).add(canonical(run.data))
    if any(len(each) > 1 for each in checksums.values()):
        yield f"{ranking.title}: not all runs saw the same data; files of the same name have other checksums."
    elif len({canonical(run.data) for run in counted if run.data}) > 1:
        yield f"{ranking.title}: the rows come from different data (its checksums differ), and do not compare."
    if diverged := sum(bool(run.diverged) for run in counted):
        word = "run that counts" if diverged == 1 else "runs that count"
        yield f"{ranking.title}: {diverged} {word} diverged: a metric of it is no finite number."
    for warning in dict.fromkeys(run.warning for run in counted):
        if warning:
            yield f"{ranking.title}: {warning}"
