"""The columns and cells of a ranking, and the ranking on the screen."""

from collections import Counter

from litmus import console
from litmus.compare.ranking import Ranking, Row, fate
from litmus.compare.settings import cell, short_key
from litmus.compare.statistics import Summary

GAP = 2  # between columns on the screen


def number(value: float) -> str:
    """With as many digits as one compares."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"


def plus_minus(of: Summary | None, sign: str = "±") -> str:
    """Mean and half the 95 % interval, where there is one."""
    if of is None:
        return ""
    return number(of.mean) if of.half is None else f"{number(of.mean)} {sign} {number(of.half)}"


def p_text(p: float | None) -> str:
    """A p-value; very small ones are only bounded."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def seeds(ranking: Ranking, row: Row) -> str:
    """The number of seeds, and what became of others: `2 (1 failed)`."""
    lost = Counter(fate(run, row, ranking.metric) for run in row.left_out)
    words = ", ".join(f"{count} {status}" for status, count in sorted(lost.items()))
    return f"{row.value.n} ({words})" if words else str(row.value.n)


def columns(ranking: Ranking) -> list[str]:
    """The headings of a ranking."""
    test = [ranking.test] if any(row.test for row in ranking.rows) else []
    return ["#", *ranking.keys, ranking.metric, "against the best", "p", *test, "seeds"]


def cells(ranking: Ranking, row: Row, sign: str = "±") -> list[str]:
    """A row's texts, below `columns`."""
    test = [plus_minus(row.test, sign)] if any(each.test for each in ranking.rows) else []
    settings = [cell(row.settings, key) for key in ranking.keys]
    against = [row.verdict.words, p_text(row.verdict.p)]
    return [str(row.rank), *settings, plus_minus(row.value, sign), *against, *test, seeds(ranking, row)]


def legend(ranking: Ranking) -> str:
    """What the numbers are, in a sentence or two."""
    kept = "" if len(ranking.rows) == ranking.total else f" The best {len(ranking.rows)} of {ranking.total} are shown."
    best = "largest" if ranking.mode == "max" else "smallest"
    tests = f"{ranking.tests} test{'' if ranking.tests == 1 else 's'}"
    p = f" p: paired t-test against the best, seed by seed, adjusted by Holm for {tests}." if ranking.tests else ""
    return (
        f"Mean over seeds ± half the 95 % interval (Student's t); {best} {ranking.metric} first, the test set decides "
        f"nothing.{p}{kept}"
    )


def show(ranking: Ranking) -> None:
    """On the screen: a table if it fits, else with shorter headings, else a paragraph for each row."""
    head, rows = columns(ranking), [cells(ranking, row) for row in ranking.rows]
    short = [short_key(name, head) if name in ranking.keys else name for name in head]
    for names in (head, short):
        widths = [max(len(name), *(len(row[i]) for row in rows)) for i, name in enumerate(names)]
        if sum(widths) + GAP * len(widths) <= console.out.width:
            console.table(names, rows, title=ranking.title)
            break
    else:
        console.say(ranking.title, style="bold")
        for row in ranking.rows:
            test = f"{ranking.test} {plus_minus(row.test)}, " if row.test else ""
            p = f" (p {p_text(row.verdict.p)})" if row.verdict.p is not None else ""
            console.say(f"{row.rank:>3}  {ranking.label(row)}", style="bold", wrap=True)
            console.say(f"     {ranking.metric} {plus_minus(row.value)}: {row.verdict.words}{p}", wrap=True)
            console.say(f"     {test}seeds {seeds(ranking, row)}", wrap=True)
    console.say(legend(ranking), style="dim", wrap=True)
