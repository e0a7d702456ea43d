"""report.html: everything in one file that opens without a network.

There is no script in it, and its Content-Security-Policy forbids scripts and every request: what stands in a
configuration or a log is escaped, and even what was not could do nothing.
"""

import time
from collections.abc import Sequence
from html import escape

from litmus.compare.comparison import Comparison
from litmus.compare.costs import counts
from litmus.compare.ranking import Ranking, Row
from litmus.compare.report import appendix, tables
from litmus.compare.report.canvas import Figure, for_page
from litmus.compare.report.markup import STYLE, cell, row, table
from litmus.compare.settings import short_key
from litmus.compare.statistics import BEST, BETTER, NO_SPREAD, SAME, WORSE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
KINDS = {BEST: "best", SAME: "same", WORSE: "worse", BETTER: "better"}  # of rows; others are unknown
SHORT = 25  # letters of a setting that stay on one line
WIDTH, HEIGHT, MARGIN = 150, 22, 8  # of the picture of an interval


def page(comparison: Comparison, drawn: Sequence[Sequence[Figure]]) -> str:
    """The whole report.

    Args:
        comparison: what there is to say.
        drawn: the figures of each of its rankings.
    """
    title = comparison.title
    body = [_top(comparison)]
    for number, (ranking, figures) in enumerate(zip(comparison.rankings, drawn, strict=True)):
        body += [_ranking(ranking, number), _figures(figures)]
        body += [appendix.differences(ranking)] if ranking.rows else []
    body += [appendix.failures(comparison), appendix.others(comparison), appendix.cost(comparison)]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _top(comparison: Comparison) -> str:
    rankings, runs = comparison.rankings, comparison.runs
    links = [(f"ranking-{number}", f"Ranking: {ranking.title}") for number, ranking in enumerate(rankings)]
    links += [("failures", "Failures")] if any(run.status == "failed" for run in runs) else []
    links += [("cost", "Cost in time")]
    settings = sum(ranking.total for ranking in rankings)
    said = "".join(f"<li>{escape(note)}</li>" for note in [*comparison.damaged, *comparison.notes])
    anchors = "".join(f'<a href="#{to}">{escape(text)}</a>' for to, text in links)
    return (
        f"<header><h1>{escape(comparison.title)}</h1>\n"
        f'<p class="soft">{counts(runs)}. {settings} {"setting is" if settings == 1 else "settings are"} ranked. '
        f"{time.strftime('%Y-%m-%d %H:%M')}</p>\n"
        f"<nav>{anchors}</nav>"
        + (f'<ul class="notes">{said}</ul>' if said else "")
        + ("" if rankings else '<p class="lead">No run has finished: there is nothing to rank.</p>')
        + "</header>"
    )


def _ranking(ranking: Ranking, number: int) -> str:
    if not ranking.rows:
        heading = f'<section id="ranking-{number}"><h2>{escape(ranking.title)}</h2>'
        return f'{heading}<p class="lead">No run has finished yet: there is nothing to rank.</p></section>'
    head = [short_key(name, ranking.keys) if name in ranking.keys else name for name in tables.columns(ranking)]
    low, high = _range(ranking.rows)
    place = 1 + len(ranking.keys)  # of the metric; the pictures stand before it
    kinds = ["n", *("key" for _ in ranking.keys), "n", "verdict", *("n" for _ in head[place + 2 : -1]), "seeds"]
    rows = []
    for each in ranking.rows:
        texts = tables.cells(ranking, each)
        marks = [cell(text, _kind(kind, text), name) for text, kind, name in zip(texts, kinds, head, strict=True)]
        marks.insert(place, f'<td class="range">{_interval(each, low, high)}</td>')
        rows.append(row(*marks, kind=KINDS.get(each.verdict.words, "unknown")))
    head.insert(place, "")
    kinds.insert(place, "range")
    right = {i for i, kind in enumerate(kinds) if kind == "n"}
    return (
        f'<section id="ranking-{number}"><h2>Ranking: {escape(ranking.title)}</h2>\n'
        f'<p class="lead">{_lead(ranking)}</p>\n{table(head, rows, right, "cards")}\n'
        f'<p class="legend">{escape(tables.legend(ranking))}{_marks(ranking, low, high)}</p></section>'
    )


def _marks(ranking: Ranking, low: float, high: float) -> str:
    """What the pictures of intervals say, and what the first row does not."""
    ends = f", from {tables.number(low)} to {tables.number(high)}" if low < high else ""
    flattered = " That the best was picked from several flatters it a little." if ranking.total > 1 else ""
    return f" The marks are the mean and its interval{ends}.{flattered}"


def _kind(kind: str, text: str) -> str:
    return "key short" if kind == "key" and len(text) < SHORT else kind


def _lead(ranking: Ranking) -> str:
    first = ranking.rows[0]
    what = f"<code>{escape(ranking.label(first))}</code>"
    reached = f"{escape(ranking.metric)} {tables.plus_minus(first.value)}"
    n = f"{first.value.n} {'seed' if first.value.n == 1 else 'seeds'}"
    if ranking.total == 1:
        return f"One setting: {what}, with {reached} ({n})."
    others = ranking.rows[1:]
    same = sum(each.verdict.words == SAME for each in others)
    no_spread = sum(each.verdict.words == NO_SPREAD for each in others)
    unknown = sum(each.verdict.p is None for each in others) - no_spread
    said = [f"Best: {what}, with {reached} ({n})."]
    if same:
        said.append(
            f"<strong>{same} of the {len(others)} others {'is' if same == 1 else 'are'} {SAME}</strong> from it."
        )
    if unknown:
        said.append(f"Nothing can be told of {unknown}: too few seeds in common.")
    if no_spread:
        said.append(f"Nothing can be told of {no_spread}: the same difference on every seed.")
    return " ".join(said)


def _range(rows: Sequence[Row]) -> tuple[float, float]:
    """What the pictures of intervals span: all means, and the intervals as far as they are not absurdly wide."""
    means = [each.value.mean for each in rows]
    spread = max(means) - min(means) or abs(means[0]) * 0.01 or 1.0
    ends = [each.value.mean + sign * min(each.value.half or 0.0, spread) for each in rows for sign in (-1, 1)]
    return min(ends), max(ends)


def _interval(of: Row, low: float, high: float) -> str:
    def x(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return MARGIN + (WIDTH - 2 * MARGIN) * min(1.0, max(0.0, share))

    half = of.value.half or 0.0
    left, right, middle = x(of.value.mean - half), x(of.value.mean + half), x(of.value.mean)
    colour = "var(--accent)" if of.verdict.words in (BEST, SAME) else "var(--soft)"
    line = (
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="11" y2="11" stroke="{colour}" stroke-width="2"/>' if half else ""
    )
    dot = f'<circle cx="{middle:.1f}" cy="11" r="4" fill="{colour}"/>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{line}{dot}</svg>'


def _figures(figures: Sequence[Figure]) -> str:
    return "\n".join(
        f'<figure><div role="img" aria-label="{escape(figure.caption)}">{for_page(figure)}</div>'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
        for figure in figures
    )
