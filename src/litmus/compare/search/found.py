"""The searches among the compared folders, and how far what they found can be trusted."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from litmus.compare.collect import Run
from litmus.errors import UserError
from litmus.page.axes import digits
from litmus.record.search import FINISHED, PRUNED, Search, has_search, read_search

FEW = 10  # finished trials; TPE's own first ten are random
EVERY_VALUE = "grid"  # the sampler that tries every combination: what it ran is a grid


@dataclass(frozen=True)
class FoundSearch:
    """A search, and the folder that it was found in."""

    folder: Path
    search: Search


def find_searches(runs: Sequence[Run], folders: Sequence[Path]) -> tuple[list[FoundSearch], list[str]]:
    """The searches at or below the folders, of which there are runs.

    Args:
        runs: as they were collected.
        folders: that are compared. A trial that is compared alone brings no search with it.

    Returns:
        The searches, and a message for each that cannot be read.
    """
    parents = dict.fromkeys(run.folder.parent for run in runs)
    found, unread = [], []
    for folder in parents:
        if not any(folder.is_relative_to(each) for each in folders):
            continue
        try:
            search = read_search(folder)
        except UserError as error:
            unread.append(str(error))
            continue
        if search is not None:
            found.append(FoundSearch(folder, search))
        elif has_search(folder):
            unread.append(f"{folder} is a search of an earlier version: -m resume={folder} adds it to the report.")
    return found, unread


def searched_keys(found: Sequence[FoundSearch], folders: Collection[Path]) -> set[str]:
    """The keys whose values a sampler chose for runs in these folders: means over such values compare nothing.

    Args:
        found: the searches.
        folders: of runs.
    """
    parents = {folder.parent for folder in folders}
    return {
        key
        for each in found
        if each.folder in parents and each.search.sampler != EVERY_VALUE
        for key in each.search.space
    }


def notes_on_search(found: FoundSearch) -> Iterator[str]:
    """Sentences on a search, each with its folder's name."""
    search = found.search
    finished = len(search.finished())
    for note in flat_objectives(search):
        yield f"{found.folder.name}: {note}"
    if 0 < finished < FEW and search.sampler != EVERY_VALUE:
        trials = "1 trial" if finished == 1 else f"{finished} trials"
        yield f"{found.folder.name}: {trials} finished; what they say of the searched keys may be chance."


def flat_objectives(search: Search) -> list[str]:
    """What says that a search had nothing to choose by: equal objectives, or only networks that were never trained."""
    ended = [trial for trial in search.trials if trial.state in (FINISHED, PRUNED)]
    finished = search.finished()
    notes = []
    if len(ended) > 1 and all(trial.best_epoch == 0 for trial in ended):
        notes.append(
            f"all {len(ended)} trials keep epoch 0, before the training: no value of the searched keys improved on it, "
            "so the search had nothing to choose by."
        )
    for metric, column in zip(search.metrics, zip(*(trial.values for trial in finished), strict=True), strict=False):
        if len(finished) > 1 and len(set(column)) == 1:
            value = next(value for value in column if value is not None)
            notes.append(f"all {len(finished)} finished trials have the same {metric}, {digits(value)}.")
    return notes


def counts(search: Search) -> str:
    """`30 trials: 22 finished, 8 pruned`."""
    states = Counter(trial.state for trial in search.trials)
    return f"{len(search.trials)} trials: {', '.join(f'{number} {state}' for state, number in states.items())}"
