"""A whole comparison: the runs, their rankings, and notes on how far they can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from litmus.compare.again import More, is_fresh, more_seeds
from litmus.compare.collect import Run, collect
from litmus.compare.costs import ranked_folders, seconds_by_status
from litmus.compare.datasets import OverDatasets, over_datasets
from litmus.compare.notes import notes_on
from litmus.compare.pending import with_final_settings
from litmus.compare.ranking import Ranking, rank
from litmus.compare.search.found import FoundSearch, find_searches, notes_on_search


@dataclass(frozen=True)
class Comparison:
    """What was found in some folders.

    Attributes:
        title: which folders.
        runs: all runs.
        rankings: one for each dataset and metric.
        top: how many rows of each ranking the tables show; None for all.
        ranked: the folders of the runs in any mean, and of those that measured any row again.
        seconds: total time of the runs, by what became of them.
        damaged: a message for each folder or file that could not be read.
        notes: other messages for the user.
        over: the settings over several datasets, if enough of both were compared.
        searches: those that some of the runs are trials of.
        more: for each ranking whose first two cannot be told apart, which runs would do it.
    """

    title: str
    runs: list[Run]
    rankings: list[Ranking]
    top: int | None
    ranked: set[Path]
    seconds: dict[str, float]
    damaged: list[str]
    notes: list[str]
    over: OverDatasets | None
    searches: list[FoundSearch]
    more: list[More]


def compare(folders: Sequence[Path], metric: str | None, top: int | None, against: str | None = None) -> Comparison:
    """Reads and ranks every run at or below the folders.

    Args:
        folders: sweeps, runs, or folders that contain any.
        metric: to rank by; None for the metric that each run's task monitors.
        top: how many rows of each ranking the tables show; None for all.
        against: the setting that the others are compared with, `key=value key=value`; None for the best.

    Raises:
        UserError: a folder is missing or has no runs; the metric is unknown or a test metric; there is no such setting.
    """
    collected, damaged = collect(folders)
    runs, ignored = with_final_settings(collected)
    fresh = [run for run in runs if is_fresh(run, folders)]
    ranked = rank([run for run in runs if not is_fresh(run, folders)], metric, against, fresh)
    rankings = [ranking for ranking in ranked if ranking.rows or ranking.running]
    over = over_datasets([ranking for ranking in rankings if ranking.rows])
    searches, unread = find_searches(runs, folders)
    notes = [note for found in searches for note in notes_on_search(found)]
    notes += [note for ranking in ranked for note in notes_on(ranking)]
    return Comparison(
        title=f"Comparison of {', '.join(str(folder) for folder in folders)}",
        runs=runs,
        rankings=rankings,
        top=top,
        ranked=ranked_folders(rankings),
        seconds=seconds_by_status(runs, rankings),
        damaged=damaged + ignored + unread,
        notes=[*notes, *([over.note] if over else [])],
        over=over,
        searches=searches,
        more=[more for ranking in rankings if (more := more_seeds(ranking, folders))],
    )
