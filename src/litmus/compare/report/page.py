"""report.html: the whole comparison in one file that opens without a network."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from litmus.compare.comparison import Comparison
from litmus.compare.costs import status_counts
from litmus.compare.ranking import Ranking, Row
from litmus.compare.report import appendix, tables
from litmus.compare.run_pages import report_command
from litmus.compare.search.section import search_section
from litmus.compare.settings import short_key
from litmus.compare.verdicts import BEST, BETTER, DIVERGED, NO_SPREAD, REFERENCE, SAME, WORSE
from litmus.page.canvas import Figure, inline_svg
from litmus.page.template import Cell, Interval, Table, TableRow, relative_address, render
from litmus.record.folder import RunDir

KINDS = {
    BEST: "best",
    REFERENCE: "best",
    SAME: "same",
    WORSE: "worse",
    BETTER: "better",
}  # CSS classes of rows; others are unknown
MOST_LINKS = 10  # of a row
SHORT = 25  # characters of a setting that stay on one line


@dataclass(frozen=True)
class Lead:
    """What a ranking's first sentences say.

    Attributes:
        title: `Best`, `Reference`, `Diverged` if all did, or `One setting`.
        setting: that one.
        value: its metric's name and value.
        seeds: how many seeds it has, in words.
        num_others: the number of other settings.
        num_same: how many of them do not differ significantly.
        num_few_seeds: how many share too few seeds with the best to be tested.
        num_constant: how many differ by the same amount on every seed, which leaves nothing to test with.
        num_diverged: how many diverged.
    """

    title: str
    setting: str
    value: str
    seeds: str
    num_others: int
    num_same: int
    num_few_seeds: int
    num_constant: int
    num_diverged: int


@dataclass(frozen=True)
class PageFigure:
    """A figure's caption and its drawing, an `<svg>` element."""

    caption: str
    svg: object


@dataclass(frozen=True)
class RankingSection:
    """A ranking's part of the page; all but the title and the figures is None if nothing is ranked."""

    title: str
    figures: Sequence[PageFigure]
    lead: Lead | None = None
    table: Table | None = None
    legend: str | None = None
    differences: appendix.Differences | None = None


def page(
    comparison: Comparison,
    of_searches: Sequence[Sequence[Figure]],
    figures: Sequence[Sequence[Figure]],
    across: Sequence[Figure],
    out: Path | None = None,
) -> str:
    """The whole report.

    Args:
        comparison: what to report.
        of_searches: the figures of each of its searches.
        figures: those of each of its rankings.
        across: those of all of them together.
        out: the folder of the page, from which it links the pages of ranked runs; None links none.
    """
    return render(
        "litmus.compare.report",
        "report.html.jinja",
        title=comparison.title,
        counts=status_counts(comparison.runs),
        num_settings=sum(ranking.total for ranking in comparison.rankings),
        written=time.strftime("%Y-%m-%d %H:%M"),
        notes=[*comparison.damaged, *comparison.notes, *(more.note for more in comparison.more)],
        commands=[command for more in comparison.more for command in more.commands],
        searches=[
            (search_section(found, out), _shown(drawn))
            for found, drawn in zip(comparison.searches, of_searches, strict=True)
        ],
        sections=[
            _section(ranking, comparison.top, drawn, out)
            for ranking, drawn in zip(comparison.rankings, figures, strict=True)
        ],
        across=_shown(across),
        failures=appendix.failures(comparison),
        others=appendix.others(comparison),
        cost=appendix.cost(comparison),
        cost_by_setting=appendix.cost_by_setting(comparison.rankings),
    )


def _section(ranking: Ranking, top: int | None, figures: Sequence[Figure], out: Path | None) -> RankingSection:
    shown = _shown(figures)
    if not ranking.rows:
        return RankingSection(ranking.title, shown)
    listed = ranking.top(top)
    low, high = _range(listed.rows)
    legend = f"{tables.legend(listed)}{_interval_legend(listed, low, high)}"
    table = _table(listed, low, high, out)
    return RankingSection(ranking.title, shown, _lead(ranking), table, legend, appendix.differences(ranking))


def _shown(figures: Sequence[Figure]) -> list[PageFigure]:
    from markupsafe import Markup  # Jinja's: text that is not escaped again

    return [PageFigure(figure.caption, Markup(inline_svg(figure))) for figure in figures]  # escaped by matplotlib


def _lead(ranking: Ranking) -> Lead:
    first = next((row for row in ranking.rows if row.verdict.words == ranking.reference), ranking.rows[0])
    others = [row for row in ranking.rows if row is not first]
    num_diverged = sum(row.verdict.words == DIVERGED for row in others)
    num_constant = sum(row.verdict.words == NO_SPREAD for row in others)
    return Lead(
        title="One setting" if ranking.total == 1 else first.verdict.words.capitalize(),
        setting=ranking.label(first),
        value=f"{ranking.metric} {tables.plus_minus(first.value)}",
        seeds=f"{len(first.runs)} {ranking.unit.rstrip('s') if len(first.runs) == 1 else ranking.unit}",
        num_others=len(others),
        num_same=sum(row.verdict.words == SAME for row in others),
        num_few_seeds=sum(row.verdict.p is None for row in others) - num_constant - num_diverged,
        num_constant=num_constant,
        num_diverged=num_diverged,
    )


def _table(ranking: Ranking, low: float, high: float, out: Path | None) -> Table:
    """The ranking's columns, and before the metric's a drawing of its interval."""
    head = [short_key(name, ranking.keys) if name in ranking.keys else name for name in tables.columns(ranking)]
    place = 1 + len(ranking.keys)  # of the metric
    kinds = ["n", *("key" for _ in ranking.keys), "n", "seeds", "verdict", *("n" for _ in head[place + 3 :])]
    rows = []
    for row in ranking.rows:
        texts = tables.cells(ranking, row)
        cells = [Cell(text, _kind(kind, text), name) for text, kind, name in zip(texts, kinds, head, strict=True)]
        if out:
            command = report_command([run.folder for run in row.runs[:MOST_LINKS]])
            cells[place + 1] = replace(cells[place + 1], links=_links(row, out), command=command)
        cells.insert(place, Cell("", "range", interval=_interval(row, low, high) if row.value.n else None))
        rows.append(TableRow(cells, KINDS.get(row.verdict.words, "unknown")))
    head.insert(place, "")
    kinds.insert(place, "range")
    return Table(head, rows, {i for i, kind in enumerate(kinds) if kind == "n"}, cards=True)


def _links(row: Row, out: Path) -> list[tuple[str, str]]:
    """Of each seed its run's own page, where there is one, relative to the folder of this page."""
    pages = [(run.block_name, RunDir(run.folder).page) for run in row.runs[:MOST_LINKS]]
    return [(name, relative_address(own, out)) for name, own in pages if own.is_file()]


def _kind(kind: str, text: str) -> str:
    return "key short" if kind == "key" and len(text) < SHORT else kind


def _interval_legend(ranking: Ranking, low: float, high: float) -> str:
    ends = f", from {tables.number(low)} to {tables.number(high)}" if low < high else ""
    selected = " The mean of the best, which was selected, is slightly optimistic." if ranking.total > 1 else ""
    return f" Dots are means, lines their intervals{ends}.{selected}"


def _range(rows: Sequence[Row]) -> tuple[float, float]:
    """What the drawings of intervals span: all means, and each interval as far as the means spread."""
    rows = [row for row in rows if row.value.n]
    means = [row.value.mean for row in rows] or [0.0]
    spread = max(means) - min(means) or abs(means[0]) * 0.01 or 1.0
    ends = [row.value.mean + sign * min(row.value.half_width or 0.0, spread) for row in rows for sign in (-1, 1)]
    return min(ends, default=0.0), max(ends, default=0.0)


def _interval(row: Row, low: float, high: float) -> Interval:
    def place(value: float) -> float:
        fraction = (value - low) / (high - low) if high > low else 0.5
        return min(1.0, max(0.0, fraction))

    mean, half = row.value.mean, row.value.half_width or 0.0
    accented = row.verdict.words in (BEST, SAME)
    return Interval(place(mean - half), place(mean), place(mean + half), accented)
