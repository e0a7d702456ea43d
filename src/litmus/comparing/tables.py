"""The rankings as Markdown, CSV, LaTeX, JSON, and on the screen."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from litmus import screen
from litmus.comparing.ranking import Ranking, Row, cell, exact, short_key
from litmus.comparing.statistics import Summary
from litmus.rundir import finite

FORMATS = {"markdown": "md", "csv": "csv", "latex": "tex", "json": "json"}  # and what their files end in
GAP = 2  # between columns on the screen
TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def written(format: str, rankings: Sequence[Ranking], notes: Sequence[str], cost: dict[str, float]) -> str:
    """The text of one of FORMATS."""
    rankings = [ranking for ranking in rankings if ranking.rows]
    if format == "markdown":
        return markdown(rankings, notes)
    if format == "csv":
        return as_csv(rankings)
    if format == "latex":
        return latex(rankings)
    return as_json(rankings, notes, cost)


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


def seeds(row: Row) -> str:
    """The number of seeds, and what became of others: `2 (1 failed)`."""
    lost = Counter("repeated" if run.status == row.runs[0].status else run.status for run in row.left_out)
    words = ", ".join(f"{count} {status}" for status, count in sorted(lost.items()))
    return f"{row.value.n} ({words})" if words else str(row.value.n)


def columns(ranking: Ranking) -> list[str]:
    """The headings of a ranking."""
    test = [ranking.test] if any(row.test for row in ranking.rows) else []
    return ["#", *ranking.keys, ranking.metric, "against the best", "p", *test, "seeds"]


def cells(ranking: Ranking, row: Row, sign: str = "±") -> list[str]:
    """A row's texts, below `columns`."""
    test = [plus_minus(row.test, sign)] if any(each.test for each in ranking.rows) else []
    settings = [cell(row, key) for key in ranking.keys]
    against = [row.verdict.words, p_text(row.verdict.p)]
    return [str(row.rank), *settings, plus_minus(row.value, sign), *against, *test, seeds(row)]


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


def markdown(rankings: Sequence[Ranking], notes: Sequence[str]) -> str:
    """A table for each ranking, then the notes."""
    parts = []
    for ranking in rankings:
        rows = [columns(ranking), *(cells(ranking, row) for row in ranking.rows)]
        head, *body = ["| " + " | ".join(_markdown(text) for text in row) + " |" for row in rows]
        rule = "|" + "---|" * len(rows[0])
        parts.append("\n".join([f"### {_markdown(ranking.title)}", "", head, rule, *body, "", legend(ranking)]))
    if notes:
        parts.append("\n".join(f"- {_markdown(note)}" for note in notes))
    return "\n\n".join(parts) + "\n"


def _markdown(text: str) -> str:
    """Plain text: no cell ends early, no HTML, no emphasis."""
    for letter in "\\`*_[]|":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").split())


def as_csv(rankings: Sequence[Ranking]) -> str:
    """All rankings in one table, full precision; `data` and `metric` say which a row belongs to."""
    keys = list(dict.fromkeys(key for ranking in rankings for key in ranking.keys if key != "data"))
    measured = ["mean", "ci95_half", "std", "seeds", "test_mean", "test_ci95_half"]
    head = ["data", "metric", "rank", *keys, *measured, "verdict", "p_holm", "difference", "seeds_in_common"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for ranking in rankings:
        for row in ranking.rows:
            value, test, verdict = row.value, row.test, row.verdict
            settings = [exact(row, key) if key in ranking.keys else "" for key in keys]
            numbers = [value.mean, value.half, value.deviation, value.n, test and test.mean, test and test.half]
            against = [verdict.words, verdict.p, verdict.difference, verdict.common]
            writer.writerow([ranking.data, ranking.metric, row.rank, *settings, *numbers, *against])
    return text.getvalue()


def latex(rankings: Sequence[Ranking]) -> str:
    r"""Tables for `\usepackage{booktabs}`."""
    parts = ["% \\usepackage{booktabs}"]
    for ranking in rankings:
        head = columns(ranking)
        rows = [" & ".join(_latex(text) for text in cells(ranking, row)) + r" \\" for row in ranking.rows]
        # Numbers to the right; settings, the verdict and what became of the seeds to the left.
        align = "r" + "l" * len(ranking.keys) + "rlr" + ("r" if ranking.test in head else "") + "l"
        parts += [
            f"% {' '.join(ranking.title.split())}. {legend(ranking)}",
            f"\\begin{{tabular}}{{{align}}}",
            r"\toprule",
            " & ".join(_latex(text) for text in head) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    return "\n".join(parts) + "\n"


def _latex(text: str) -> str:
    escaped = "".join(TEX.get(letter, letter) for letter in " ".join(text.split()))
    return escaped.replace("±", r"$\pm$").replace("<", "$<$").replace(">", "$>$")


def as_json(rankings: Sequence[Ranking], notes: Sequence[str], cost: dict[str, float]) -> str:
    """Everything, full precision, with the folders that each number comes from."""
    content = [
        {
            "data": ranking.data,
            "metric": ranking.metric,
            "mode": ranking.mode,
            "keys": ranking.keys,
            "settings": ranking.total,
            "rows": [_row(ranking, row) for row in ranking.rows],
        }
        for ranking in rankings
    ]
    whole = {"rankings": content, "notes": list(notes), "seconds": cost}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _row(ranking: Ranking, row: Row) -> dict[str, Any]:
    def summarised(of: Summary | None) -> dict[str, Any] | None:
        return None if of is None else {"mean": of.mean, "ci95_half": of.half, "std": of.deviation, "n": of.n}

    return {
        "rank": row.rank,
        "settings": finite({key: row.settings[key] for key in ranking.keys if key in row.settings}),
        ranking.metric: summarised(row.value),
        ranking.test: summarised(row.test),
        "verdict": row.verdict.words,
        "p_holm": row.verdict.p,
        "difference": row.verdict.difference,
        "seeds": [run.seed for run in row.runs],
        "folders": [str(run.folder) for run in row.runs],
        "left_out": [{"folder": str(run.folder), "status": run.status, "seed": run.seed} for run in row.left_out],
    }


def show(ranking: Ranking) -> None:
    """On the screen: a table if it fits, else with shorter headings, else a paragraph for each row."""
    head, rows = columns(ranking), [cells(ranking, row) for row in ranking.rows]
    short = [short_key(name, head) if name in ranking.keys else name for name in head]
    for names in (head, short):
        widths = [max(len(name), *(len(row[i]) for row in rows)) for i, name in enumerate(names)]
        if sum(widths) + GAP * len(widths) <= screen.console.width:
            screen.table(names, rows, title=ranking.title)
            break
    else:
        screen.say(ranking.title, style="bold")
        for row in ranking.rows:
            test = f"{ranking.test} {plus_minus(row.test)}, " if row.test else ""
            p = f" (p {p_text(row.verdict.p)})" if row.verdict.p is not None else ""
            screen.say(f"{row.rank:>3}  {ranking.label(row)}", style="bold", wrap=True)
            screen.say(f"     {ranking.metric} {plus_minus(row.value)}: {row.verdict.words}{p}", wrap=True)
            screen.say(f"     {test}seeds {seeds(row)}", wrap=True)
    screen.say(legend(ranking), style="dim", wrap=True)
