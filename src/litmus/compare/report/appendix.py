"""The report below its rankings: what differs, what failed, what does not count, and what it cost."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from litmus.compare.collect import UNFINISHED, Run
from litmus.compare.comparison import Comparison
from litmus.compare.costs import duration
from litmus.compare.ranking import Ranking, without_metric
from litmus.compare.report import tables
from litmus.compare.report.markup import cell, more, row, table
from litmus.compare.settings import ABSENT, canonical
from litmus.config.validate import shown
from litmus.record.folder import RunDir

MOST_LOGS = 50  # failed runs whose last lines are shown
MOST_LISTED = 300  # runs or settings in a list
COSTS = {"total": "in all", "ranked": "of the runs that count"}


def differences(ranking: Ranking) -> str:
    """Every key in which a row differs from the best, and what all of them share."""
    best = ranking.rows[0].settings
    lines = []
    for each in ranking.rows[1 : MOST_LISTED + 1]:
        keys = [key for key in dict.fromkeys([*best, *each.settings]) if _differs(best, each.settings, key)]
        changes = "; ".join(f"{key} {_shown(best, key)} → {_shown(each.settings, key)}" for key in keys)
        lines.append(row(cell(str(each.rank), "n"), cell(changes, "key")))
    shared = [
        f"{key}={shown(value)}"
        for key, value in best.items()
        if not any(_differs(best, each.settings, key) for each in ranking.rows)
    ]
    told = table(["#", "the best one's value → its own"], lines, right={0}) if lines else "<p>There is one setting.</p>"
    return (
        f"<h3>Configuration differences</h3>{told}{more(len(ranking.rows) - 1, MOST_LISTED)}"
        f"<details><summary>The same in all ({len(shared)} keys)</summary>"
        f"<pre>{escape(chr(10).join(shared))}</pre></details>"
    )


def _differs(a: dict[str, Any], b: dict[str, Any], key: str) -> bool:
    return key not in a or key not in b or canonical(a[key]) != canonical(b[key])


def _shown(settings: dict[str, Any], key: str) -> str:
    value = settings.get(key, ABSENT)
    return "(none)" if value is ABSENT else shown(value)


def failures(comparison: Comparison) -> str:
    """Each failed run with its error and the last lines of its log."""
    failed = [run for run in comparison.runs if run.status == "failed"]
    if not failed:
        return ""
    parts = []
    for run in failed[:MOST_LOGS]:
        lines = "\n".join(RunDir(run.folder).last_lines()) or "(the log is empty)"
        parts.append(
            f"<h3><code>{escape(str(run.folder))}</code></h3>"
            f'<p class="error">{escape(run.error or "It does not say why.")}</p>'
            f'<p class="soft">seed {run.seed}, after {duration(run.seconds)}; the last lines of its log:</p>'
            f"<pre>{escape(lines)}</pre>"
        )
    heading = f'<section id="failures"><h2>Failures ({len(failed)})</h2>'
    return f"{heading}{''.join(parts)}{more(len(failed), MOST_LOGS)}</section>"


def others(comparison: Comparison) -> str:
    """Runs that are in no mean, and did not fail."""
    found = [run for run in comparison.runs if run.status != "failed" and run.folder not in comparison.counted]
    if not found:
        return ""
    rows = [
        row(
            cell(str(run.folder), "key"),
            cell(_why(run, comparison.rankings)),
            cell(str(run.seed), "n"),
            cell(str(run.rows[-1].get("epoch", "")) if run.rows else "0", "n"),
            cell(_reached(run), "n"),
        )
        for run in found[:MOST_LISTED]
    ]
    return (
        f'<section id="others"><h2>Not in the ranking ({len(found)})</h2>'
        '<p class="soft">Pruned and interrupted runs were not trained to their end, so that their best value so far is '
        "not what the setting reaches; unfinished ones are running, or were killed.</p>"
        f"{table(['run', 'status', 'seed', 'epochs', 'reached'], rows, right={2, 3, 4})}"
        f"{more(len(found), MOST_LISTED)}</section>"
    )


def _why(run: Run, rankings: Sequence[Ranking]) -> str:
    if run.status != "finished":
        return run.status
    metrics = [ranking.metric for ranking in rankings if ranking.data == run.settings["data"]]
    if any(metric in run.metrics for metric in metrics):
        return "repeated"
    return without_metric(run, next((metric for metric in metrics if metric in run.diverged), run.monitor[0]))


def _reached(run: Run) -> str:
    name, mode = run.monitor
    if name in run.metrics:
        return f"{name} {tables.number(run.metrics[name])}"
    values = [row[name] for row in run.rows if isinstance(row.get(name), int | float)]
    if run.status != UNFINISHED or not values:
        return ""
    return f"{name} {tables.number(max(values) if mode == 'max' else min(values))} so far"


def cost(comparison: Comparison) -> str:
    """Where the time went: by what became of the runs, and by setting."""
    total = comparison.seconds["total"] or 1.0
    parts = [
        row(cell(COSTS.get(name, name)), cell(duration(value), "n"), cell(f"{value / total:.1%}", "n"))
        for name, value in comparison.seconds.items()
        if value or name == "total"
    ]
    groups = list(_by_setting(comparison.rankings))
    heads = ["#", "setting", "a seed", "all seeds", "lost"]
    by_setting = f"<h3>By setting</h3>{table(heads, groups, right={0, 2, 3, 4})}" if groups else ""
    return (
        '<section id="cost"><h2>Cost in time</h2>'
        f"{table(['runs', 'time', 'share'], parts, right={1, 2})}"
        '<p class="soft">From the start of each run to the end of its test, one after another: runs side by side take '
        "less by the clock. Of a run that was continued it is at least this: only the training part of its epochs is "
        f"known of all sessions. Unfinished runs are not counted.</p>{by_setting}</section>"
    )


def _by_setting(rankings: Sequence[Ranking]) -> Iterator[str]:
    for ranking in rankings:
        for each in ranking.rows[:MOST_LISTED]:
            counted = sum(run.seconds for run in each.runs)
            lost = sum(run.seconds for run in each.left_out)
            yield row(
                cell(str(each.rank), "n"),
                cell(ranking.label(each), "key"),
                cell(duration(counted / len(each.runs)), "n"),
                cell(duration(counted), "n"),
                cell(duration(lost) if lost else "", "n"),
            )
