"""The report below its rankings: how settings differ, what failed, what is not ranked, and what it cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from litmus.compare.collect import UNFINISHED, Run
from litmus.compare.comparison import Comparison
from litmus.compare.ranking import Ranking, unmeasured_reason
from litmus.compare.report import tables
from litmus.compare.settings import ABSENT, Settings, canonical, duration, short_value
from litmus.config.validate import shown
from litmus.page.template import Cell, Table, TableRow
from litmus.record.folder import RunDir

MOST_LOGS = 50  # errors with which the last lines of a run are shown
MOST_NAMED = 20  # other runs with the same error
MOST_LISTED = 300  # runs or settings in a list
COSTS = {"total": "total", "ranked": "ranked runs"}


@dataclass(frozen=True)
class Differences:
    """How the settings of a ranking differ from the one they are compared with; and the `key=value` that all share."""

    table: Table
    shared: Sequence[str]


@dataclass(frozen=True)
class Failure:
    """Failed runs with the same error.

    Of the first one, its folder, seed, for how long it ran, and the last lines of its log; of the others, the first
    folders, and how many more there are.
    """

    folder: str
    error: str
    seed: int
    duration: str
    log: str
    others: Sequence[str]
    num_more: int


@dataclass(frozen=True)
class Failures:
    """The errors to show, how many others there are, and how many runs failed."""

    errors: Sequence[Failure]
    omitted: int
    num_runs: int


def differences(ranking: Ranking) -> Differences:
    """Every key in which a row differs from the best, or from the reference, and what all of them share."""
    compared_with = next((row for row in ranking.rows if row.verdict.words == ranking.reference), ranking.rows[0])
    first = compared_with.settings
    others = [row for row in ranking.rows if row is not compared_with]
    rows = []
    for each in others[:MOST_LISTED]:
        keys = [key for key in dict.fromkeys([*first, *each.settings]) if _differs(first, each.settings, key)]
        changes = "; ".join(f"{key} {_shown(first, key)} → {_shown(each.settings, key)}" for key in keys)
        rows.append(TableRow([Cell(str(each.rank), "n"), Cell(changes, "key")]))
    shared = [
        f"{key}={shown(value)}"
        for key, value in first.items()
        if not any(_differs(first, each.settings, key) for each in ranking.rows)
    ]
    head = ["#", f"value of the {ranking.reference} → own value"]
    return Differences(Table(head, rows, {0}, omitted=len(others) - len(rows)), shared)


def _differs(a: Settings, b: Settings, key: str) -> bool:
    return key not in a or key not in b or canonical(a[key]) != canonical(b[key])


def _shown(settings: Settings, key: str) -> str:
    value = settings.get(key, ABSENT)
    return "(none)" if value is ABSENT else short_value(settings, key)


def failures(comparison: Comparison) -> Failures:
    """Each error with the failed runs that have it, and the last lines of the first one's log."""
    failed = [run for run in comparison.runs if run.status == "failed"]
    groups: dict[str, list[Run]] = {}
    for run in failed:
        groups.setdefault(run.error or "No error was recorded.", []).append(run)
    shown_first = list(groups.items())[:MOST_LOGS]
    return Failures([_failure(error, runs) for error, runs in shown_first], len(groups) - len(shown_first), len(failed))


def _failure(error: str, runs: Sequence[Run]) -> Failure:
    first, *rest = runs
    log = "\n".join(RunDir(first.folder).last_lines()) or "(the log is empty)"
    named = [str(run.folder) for run in rest[:MOST_NAMED]]
    return Failure(str(first.folder), error, first.seed, duration(first.seconds), log, named, len(rest) - len(named))


def others(comparison: Comparison) -> Table | None:
    """The runs that are in no mean, and did not fail; None if there are none."""
    found = [run for run in comparison.runs if run.status != "failed" and run.folder not in comparison.ranked]
    if not found:
        return None
    rows = [
        TableRow(
            [
                Cell(str(run.folder), "key"),
                Cell(_why(run, comparison.rankings)),
                Cell(str(run.seed), "n"),
                Cell(str(run.rows[-1].get("epoch", "")) if run.rows else "0", "n"),
                Cell(_reached(run), "n"),
            ]
        )
        for run in found[:MOST_LISTED]
    ]
    head = ["run", "status", "seed", "epochs", "reached"]
    return Table(head, rows, {2, 3, 4}, omitted=len(found) - len(rows))


def _why(run: Run, rankings: Sequence[Ranking]) -> str:
    if run.status != "finished":
        return run.status
    metrics = [ranking.metric for ranking in rankings]
    if not run.diverged and any(metric in run.metrics for metric in metrics):
        return "repeated"
    return unmeasured_reason(run, next((metric for metric in metrics if metric in run.undefined), run.monitor[0]))


def _reached(run: Run) -> str:
    name, mode = run.monitor
    if name in run.metrics:
        return f"{name} {tables.number(run.metrics[name])}"
    values = [value for row in run.rows if (value := row.get(name)) is not None]
    if run.status != UNFINISHED or not values:
        return ""
    return f"{name} {tables.number(max(values) if mode == 'max' else min(values))} so far"


def cost(comparison: Comparison) -> Table:
    """Where the time went, by what became of the runs."""
    total = comparison.seconds["total"] or 1.0
    rows = [
        TableRow([Cell(COSTS.get(name, name)), Cell(duration(value), "n"), Cell(f"{value / total:.1%}", "n")])
        for name, value in comparison.seconds.items()
        if value or name == "total"
    ]
    return Table(["runs", "time", "share"], rows, {1, 2})


def cost_by_setting(rankings: Sequence[Ranking]) -> Table:
    """The time that each setting took: per seed, in all, and of the runs that are not ranked."""
    rows = [row for ranking in rankings for row in _cost_rows(ranking)]
    return Table(["#", "setting", "per seed", "all seeds", "excluded runs"], rows, {0, 2, 3, 4})


def _cost_rows(ranking: Ranking) -> Iterator[TableRow]:
    for row in ranking.rows[:MOST_LISTED]:
        ranked = sum(run.seconds for run in row.runs)
        excluded = sum(run.seconds for run in row.excluded)
        yield TableRow(
            [
                Cell(str(row.rank), "n"),
                Cell(ranking.label(row), "key"),
                Cell(duration(ranked / len(row.runs)), "n"),
                Cell(duration(ranked), "n"),
                Cell(duration(excluded) if excluded else "", "n"),
            ]
        )
