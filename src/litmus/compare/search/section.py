"""The section of the page on a search: its best trial or its Pareto front, and what was searched."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from litmus.compare.run_pages import report_command
from litmus.compare.search.axes import BETTER
from litmus.compare.search.figures import not_drawn
from litmus.compare.search.found import FoundSearch, counts
from litmus.compare.settings import abbreviate
from litmus.page.axes import digits
from litmus.page.template import Cell, Table, TableRow, relative_address
from litmus.record.folder import RunDir
from litmus.record.search import Choices, Numbers, Search, Trial, Value

MOST_LISTED = 300  # trials of a front
SAMPLERS = {"tpe": "TPE", "cmaes": "CMA-ES", "gp": "a Gaussian process", "random": "chance", "grid": "a grid"}


@dataclass(frozen=True)
class SearchSection:
    """A search's part of the page.

    Attributes:
        title: its folder.
        lead: the best trial, or how many are on the front.
        how: how many trials ended in which way, and what proposed and pruned them.
        front: the front's trials, where there are several objectives.
        best: where there is one, the best trial's own page, if it has one: what to read, and the address.
        command: that makes that page, where it is not there yet; else empty.
        space: the searched keys, how each was searched, and its best value.
        missing: what the figures leave out, and why.
    """

    title: str
    lead: str
    how: str
    front: Table | None
    best: Sequence[tuple[str, str]]
    command: str
    space: Table
    missing: Sequence[str]


def search_section(found: FoundSearch, out: Path | None = None) -> SearchSection:
    """The section on a search.

    Args:
        found: the search, and its folder.
        out: the folder of the page, from which it links the trials' own pages; None links none.
    """
    search = found.search
    best = search.front()[:1] if len(search.metrics) == 1 else []
    pruned = f", and {search.pruner} pruned them" if search.pruner != "none" else ""
    sampler = SAMPLERS.get(search.sampler, search.sampler)
    return SearchSection(
        title=str(found.folder),
        lead=_lead(search),
        how=f"{counts(search)}. {sampler[0].upper()}{sampler[1:]} proposed the values (seed {search.seed}){pruned}.",
        front=_front(found, out) if len(search.metrics) > 1 and search.front() else None,
        best=_links(found, best, out),
        command=report_command([found.folder / trial.folder for trial in best]) if out else "",
        space=_space(search),
        missing=not_drawn(search),
    )


def _lead(search: Search) -> str:
    front = search.front()
    if not front:
        return "No trial has finished with a finite objective."
    if len(search.metrics) > 1:
        names = ", ".join(f"{m} ({BETTER[d]})" for m, d in zip(search.metrics, search.directions, strict=True))
        word = "trial is" if len(front) == 1 else "trials are"
        return f"{len(front)} {word} on the Pareto front of {names}: no other is better in one and as good in the rest."
    best = front[0]
    values = "  ".join(f"{key}={shown_value(best.params[key])}" for key in search.space if key in best.params)
    return f"Best: trial {best.number}, with {search.metrics[0]} {_number(best.values[0])}: {values}."


def _front(found: FoundSearch, out: Path | None) -> Table:
    search, rows = found.search, found.search.front()
    keys = list(search.space)
    return Table(
        ["trial", *search.metrics, *keys, "run folder"],
        [_front_row(found, trial, keys, out) for trial in rows[:MOST_LISTED]],
        set(range(len(search.metrics) + 1)),
        cards=True,
        omitted=max(0, len(rows) - MOST_LISTED),
    )


def _front_row(found: FoundSearch, trial: Trial, keys: Sequence[str], out: Path | None) -> TableRow:
    numbers = [Cell(_number(v), "n", m) for m, v in zip(found.search.metrics, trial.values, strict=True)]
    params = [Cell(shown_value(trial.params[key]) if key in trial.params else "", "key", key) for key in keys]
    command = report_command([found.folder / trial.folder]) if out else ""
    folder = Cell(trial.folder, "key", "run folder", links=_links(found, [trial], out), command=command)
    return TableRow([Cell(str(trial.number), "n", "trial"), *numbers, *params, folder])


def _links(found: FoundSearch, trials: Sequence[Trial], out: Path | None) -> list[tuple[str, str]]:
    """The trials' own pages, of those that have one."""
    pages = [RunDir(found.folder / trial.folder).page for trial in trials]
    return [("page", relative_address(page, out)) for page in pages if out is not None and page.is_file()]


def _space(search: Search) -> Table:
    best = search.front()[0] if search.front() and len(search.metrics) == 1 else None
    head = ["key", "values", "scale", *(["best"] if best else [])]
    rows = []
    for key, searched in search.space.items():
        texts = [key, *_described(searched)]
        texts += [shown_value(best.params[key]) if key in best.params else ""] if best else []
        rows.append(TableRow([Cell(text, "key", name) for text, name in zip(texts, head, strict=True)]))
    return Table(head, rows, cards=True)


def _described(searched: Numbers | Choices) -> tuple[str, str]:
    """The values of a key, and the scale."""
    if isinstance(searched, Choices):
        return ", ".join(searched.choices), "choices"
    steps = f", in steps of {searched.step:g}" if searched.step is not None else ""
    return f"{searched.low:g} to {searched.high:g}{steps}", "logarithmic" if searched.log else "linear"


def shown_value(value: Value) -> str:
    """A value of a searched key: three digits of a number that a sampler drew, a choice as it was typed."""
    return abbreviate(repr(value)) if isinstance(value, float) else str(value)


def _number(value: float | None) -> str:
    return "" if value is None else digits(value)
