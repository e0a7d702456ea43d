"""A whole comparison: the runs, their rankings, and what one should know of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from litmus.compare.collect import Run, collected
from litmus.compare.costs import cost, counted_in
from litmus.compare.pending import settled
from litmus.compare.ranking import Ranking, ranked


@dataclass(frozen=True)
class Comparison:
    """What was found in some folders.

    Attributes:
        title: which folders.
        runs: all of them.
        rankings: one for each dataset and metric, as far as `--top` shows them.
        counted: the folders of the runs that make up the rows, those that `--top` cut included.
        seconds: what the runs cost, by what became of them.
        damaged: a sentence for each folder or file that could not be read.
        notes: other sentences that one should know.
    """

    title: str
    runs: list[Run]
    rankings: list[Ranking]
    counted: set[Path]
    seconds: dict[str, float]
    damaged: list[str]
    notes: list[str]


def compared(folders: Sequence[Path], metric: str | None, top: int | None) -> Comparison:
    """Reads and ranks every run at or below the folders.

    Args:
        folders: sweeps, runs, or folders that hold any.
        metric: to rank by, in place of that which each run's task monitors.
        top: how many rows of each ranking to keep; None for all.

    Raises:
        UserError: a folder is missing or holds no runs; the metric is unknown or the test's.
    """
    collection, damaged = collected(folders)
    runs, passed_by = settled(collection)
    rankings, notes = ranked(runs, metric)
    return Comparison(
        title=f"Comparison of {', '.join(str(folder) for folder in folders)}",
        runs=runs,
        rankings=[ranking.cut(top) for ranking in rankings],
        counted=counted_in(rankings),
        seconds=cost(runs, rankings),
        damaged=damaged + passed_by,
        notes=notes,
    )
