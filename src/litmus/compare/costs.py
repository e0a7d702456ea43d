"""How long the runs took, and how much of it is in no mean."""

from collections.abc import Sequence
from pathlib import Path

from litmus.compare.collect import UNFINISHED, Run
from litmus.compare.ranking import Ranking

LOST = ("diverged", "failed", "interrupted", "pruned")


def seconds_by_status(runs: Sequence[Run], rankings: Sequence[Ranking]) -> dict[str, float]:
    """Seconds of all runs, of the ranked ones, of those lost by status, and of the rest."""
    counted = ranked_folders(rankings)
    uncounted = [run for run in runs if run.folder not in counted]  # a pruned or diverged run may be ranked, too
    by_status = {status: sum(run.seconds for run in uncounted if run.status == status) for status in LOST}
    ranked = sum(run.seconds for run in runs if run.folder in counted)
    total = sum(run.seconds for run in runs)
    rest = total - ranked - sum(by_status.values())
    seconds = {"total": total, "ranked": ranked, **by_status, "repeated or without the metric": rest}
    return {name: round(value, 3) + 0.0 for name, value in seconds.items()}


def ranked_folders(rankings: Sequence[Ranking]) -> set[Path]:
    """The folders of the runs that the rows are means of, and of those that measured them again."""
    return {run.folder for ranking in rankings for row in ranking.rows for run in (*row.runs, *row.fresh)}


def status_counts(runs: Sequence[Run]) -> str:
    """`24 runs: 20 finished, 3 failed, 1 unfinished`."""
    order = ("finished", *LOST, UNFINISHED)
    counts = {status: sum(run.status == status for run in runs) for status in order}
    parts = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{len(runs):,} {'run' if len(runs) == 1 else 'runs'}: {parts}" if runs else "0 runs"
