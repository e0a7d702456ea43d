"""The rankings as Markdown, CSV, LaTeX and JSON."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from litmus.compare.ranking import Ranking, Row
from litmus.compare.report.tables import cells, columns, legend
from litmus.compare.settings import exact
from litmus.compare.statistics import Summary
from litmus.record.folder import finite

FORMATS = {"markdown": "md", "csv": "csv", "latex": "tex", "json": "json"}  # and what their files end in
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
            settings = [exact(row.settings, key) if key in ranking.keys else "" for key in keys]
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
