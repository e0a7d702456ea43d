"""`search.json`: what was searched, and how each trial ended, for whoever reads a search without Optuna.

The study stays the search's own memory. This file follows from it, and is written anew when a trial ends: of many
trials, not at every end, or the cost of a search would grow with the square of their number. The last one is whole.
"""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from litmus.errors import UserError
from litmus.record.files import LARGEST_TEXT, write_text

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SEARCH = "search.json"  # in the sweep's folder
STUDY = "study.db"  # Optuna's, beside it
JOURNAL = "study.journal"  # in place of it where several launchers share the search
SERVER = "study.json"  # or this: on which server the study is
CLAIMS = ".claims"  # empty; bytes of it are locked: see `litmus.sweep.search.launchers`
STUDIES = (STUDY, JOURNAL, SERVER)

State = Literal["finished", "pruned", "diverged", "failed", "running"]
FINISHED: State = "finished"
PRUNED: State = "pruned"
DIVERGED: State = "diverged"
FAILED: State = "failed"
RUNNING: State = "running"
Value = int | float | str  # of a searched key; choices are texts, as they were typed


def has_search(folder: Path) -> bool:
    """Whether a search was begun in the folder."""
    return any((folder / name).is_file() for name in STUDIES)


@dataclass(frozen=True)
class Numbers:
    """A key that was searched between two numbers, both included.

    Attributes:
        low: the lower one.
        high: the higher one.
        log: whether factors count, and not differences.
        step: between two values; None where every number between may be tried.
    """

    low: float
    high: float
    log: bool
    step: float | None


@dataclass(frozen=True)
class Choices:
    """A key that was searched among values without an order, as they were typed."""

    choices: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: from 0.
        folder: the name of its run folder.
        state: how it ended. One that was interrupted is `running`: it goes on when the search is resumed.
        params: the values of the searched keys; those of a trial that was killed early may be missing.
        values: the objectives: of a finished trial at its best epoch, of a pruned one at its last. None where there is
            none, or it is not finite.
        best_epoch: the epoch whose weights it keeps; None if that is not known.
    """

    number: int
    folder: str
    state: State
    params: dict[str, Value]
    values: tuple[float | None, ...]
    best_epoch: int | None


@dataclass(frozen=True)
class Search:
    """A search.

    Attributes:
        metrics: the names of its objectives.
        directions: for each, whether it is minimized or maximized.
        sampler: what proposed the trials, as in `sweep.sampler`.
        pruner: what stopped some, as in `sweep.pruner`.
        seed: of the sampler.
        space: what was searched, by key.
        trials: by number.
    """

    metrics: tuple[str, ...]
    directions: tuple[Literal["minimize", "maximize"], ...]
    sampler: str
    pruner: str
    seed: int
    space: dict[str, Numbers | Choices]
    trials: tuple[Trial, ...]

    def signs(self) -> list[int]:
        """For each objective 1 if less is better, else -1: times that, less is better everywhere."""
        return [1 if direction == "minimize" else -1 for direction in self.directions]

    def finished(self) -> list[Trial]:
        """The trials that ended by themselves, with all objectives finite."""
        return [trial for trial in self.trials if trial.state == FINISHED and None not in trial.values]

    def front(self) -> list[Trial]:
        """The finished trials that no other exceeds in one objective and equals in the rest; with one: the best.

        Of trials with the same objectives only the first is named. Sorted by the first objective, the best first.
        """
        costs = {trial.number: costs_of(self, trial) for trial in reversed(self.finished())}
        first = {own: number for number, own in costs.items()}  # the lowest number comes last, and stays
        kept = {number for own, number in first.items() if not any(_dominates(other, own) for other in first)}
        return sorted((t for t in self.trials if t.number in kept), key=lambda t: costs_of(self, t))


def costs_of(search: Search, trial: Trial) -> tuple[float, ...]:
    """The trial's objectives, turned so that less is better; inf where there is none."""
    pairs = zip(search.signs(), trial.values, strict=True)
    return tuple(math.inf if value is None else sign * value for sign, value in pairs)


def _dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def write_search(folder: Path, search: Search) -> None:
    """Writes `search.json` into the sweep's folder; numbers that are not finite become null."""
    write_text(folder / SEARCH, _adapter().dump_json(search, indent=1).decode() + "\n")


def read_search(folder: Path) -> Search | None:
    """Reads it; None if the folder has none.

    Raises:
        UserError: it is damaged.
    """
    path = folder / SEARCH
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise UserError(f"{path} is damaged: it is larger than {LARGEST_TEXT} bytes.")
        search = _adapter().validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # pydantic's errors are ValueErrors
        raise UserError(f"{path} is damaged: {str(error).splitlines()[0]}.") from None
    num_objectives = {len(search.metrics), len(search.directions), *(len(trial.values) for trial in search.trials)}
    if len(num_objectives) > 1 or not search.metrics:
        raise UserError(f"{path} is damaged: its trials do not have a value for each objective.")
    if bad := next((key for key, numbers in search.space.items() if not _is_whole(numbers)), None):
        raise UserError(f"{path} is damaged: {bad} was searched between no two numbers.")
    return search


def _is_whole(searched: Numbers | Choices) -> bool:
    if isinstance(searched, Choices):
        return bool(searched.choices)
    ends = (searched.low, searched.high)
    return all(map(math.isfinite, ends)) and ends[0] <= ends[1] and not (searched.log and ends[0] <= 0)


@cache
def _adapter() -> "TypeAdapter[Search]":
    from pydantic import TypeAdapter  # takes 0.1 s

    return TypeAdapter(Search)
