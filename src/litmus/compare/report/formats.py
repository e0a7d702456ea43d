"""The rankings as Markdown, CSV, LaTeX and JSON."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence

from litmus.compare.ranking import Ranking, Row
from litmus.compare.report.tables import ON_FRESH, cells, columns, legend, number, percent
from litmus.compare.settings import exact_value
from litmus.compare.statistics import Summary
from litmus.compare.verdicts import BEST, SAME
from litmus.console import printable
from litmus.record.folder import finite

FORMATS = {"markdown": "md", "csv": "csv", "latex": "tex", "json": "json"}  # and the suffixes of their files
FRACTIONS = ("acc", "f1", "precision", "recall", "map", "map50")  # metrics that LaTeX shows in percent
DIFFERENCE = ("difference", "difference_ci95_half", "effect_size")  # from the best
FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # with which a formula may begin
TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def format_rankings(
    format: str,
    rankings: Sequence[Ranking],
    notes: Sequence[str],
    commands: Sequence[str],
    seconds: Mapping[str, float],
) -> str:
    """The rankings in one of FORMATS."""
    rankings = [ranking for ranking in rankings if ranking.rows]
    if format == "markdown":
        return to_markdown(rankings, notes, commands)
    if format == "csv":
        return to_csv(rankings)
    if format == "latex":
        return to_latex(rankings)
    return to_json(rankings, notes, commands, seconds)


def to_markdown(rankings: Sequence[Ranking], notes: Sequence[str], commands: Sequence[str]) -> str:
    """A table for each ranking, then the notes, and the commands that run more seeds."""
    parts = []
    for ranking in rankings:
        rows = [columns(ranking), *(cells(ranking, row) for row in ranking.rows)]
        head, *body = ["| " + " | ".join(_markdown(text) for text in row) + " |" for row in rows]
        rule = "|" + "---|" * len(rows[0])
        parts.append("\n".join([f"### {_markdown(ranking.title)}", "", head, rule, *body, "", legend(ranking)]))
    if notes:
        parts.append("\n".join(f"- {_markdown(note)}" for note in notes))
    if commands:
        parts.append("\n".join(["```", *(printable(command) for command in commands), "```"]))
    return "\n\n".join(parts) + "\n"


def _markdown(text: str) -> str:
    """Plain text: no cell ends early, no HTML, no emphasis."""
    text = printable(text)
    for letter in "\\`*_[]|":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").split())


def to_csv(rankings: Sequence[Ranking]) -> str:
    """All rankings in one table, full precision; `data` and `metric` say which a row belongs to."""
    keys = list(dict.fromkeys(key for ranking in rankings for key in ranking.keys if key != "data"))
    measured = ["mean", "ci95_half", "std", "seeds", "test_mean", "test_ci95_half", "fresh_mean", "fresh_ci95_half"]
    head = ["data", "metric", "rank", *keys, *measured, "verdict", "p", *DIFFERENCE, "seeds_in_common"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_no_formula(name) for name in head])
    for ranking in rankings:
        for row in ranking.rows:
            value, test, verdict = row.value, row.test, row.verdict
            settings = [exact_value(row.settings, key) if key in ranking.keys else "" for key in keys]
            numbers = [*_mean(value), value.std, len(row.runs), *_mean(test), *_mean(row.remeasured)]
            by = [verdict.difference, verdict.half_width, verdict.effect_size]
            against = [verdict.words, verdict.p, *by, verdict.num_common]
            whole = [ranking.data, ranking.metric, row.rank, *settings, *numbers, *against]
            writer.writerow([_no_formula(cell) for cell in whole])
    return text.getvalue()


def _mean(summary: Summary | None) -> tuple[float | None, float | None]:
    """And half the width of its interval."""
    return (summary.mean, summary.half_width) if summary and summary.n else (None, None)


def _no_formula(cell: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers."""
    if not isinstance(cell, str) or not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def to_latex(rankings: Sequence[Ranking]) -> str:
    r"""Tables for `\usepackage{booktabs}`: fractions in percent, what cannot be told from the best in bold."""
    parts = ["% \\usepackage{booktabs}"]
    for ranking in rankings:
        in_percent = ranking.metric.rpartition("/")[2] in FRACTIONS
        fractions = (ranking.metric, ranking.test, "difference", ON_FRESH) if in_percent else ()
        signed = {name: f"{name} (%)" for name in fractions}
        head = [signed.get(name, name) for name in columns(ranking)]
        rows = [_latex_row(ranking, row, percent if in_percent else number) for row in ranking.rows]
        # Numbers are aligned to the right; settings, the seeds and the verdict to the left.
        align = "r" + "l" * len(ranking.keys) + "rllrrr" + "r" * (len(head) - len(ranking.keys) - 7)
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


def _latex_row(ranking: Ranking, row: Row, write: Callable[[float], str]) -> str:
    texts = [_latex(text) for text in cells(ranking, row, write)]
    if row.verdict.words in (BEST, SAME):
        place = 1 + len(ranking.keys)  # of the metric
        texts[place] = f"\\textbf{{\\boldmath {texts[place]}}}"
    return " & ".join(texts) + r" \\"


def _latex(text: str) -> str:
    escaped = "".join(TEX.get(letter, letter) for letter in " ".join(printable(text).split()))
    return escaped.replace("±", r"$\pm$").replace("<", "$<$").replace(">", "$>$")


def to_json(
    rankings: Sequence[Ranking], notes: Sequence[str], commands: Sequence[str], seconds: Mapping[str, float]
) -> str:
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
    whole = {"rankings": content, "notes": list(notes), "commands": list(commands), "seconds": seconds}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _row(ranking: Ranking, row: Row) -> dict[str, object]:
    return {
        "rank": row.rank,
        "settings": finite({key: row.settings[key] for key in ranking.keys if key in row.settings}),
        ranking.metric: _summary(row.value),
        ranking.test: _summary(row.test),
        "fresh_seeds": _summary(row.remeasured),
        "verdict": row.verdict.words,
        "p": row.verdict.p,
        "difference": row.verdict.difference,
        "difference_ci95_half": row.verdict.half_width,
        "effect_size": row.verdict.effect_size,
        "seeds": [run.seed for run in row.runs],
        **({} if ranking.folds is None else {"folds": [run.fold for run in row.runs]}),
        "folders": [str(run.folder) for run in row.runs],
        "left_out": [{"folder": str(run.folder), "status": run.status, "seed": run.seed} for run in row.excluded],
    }


def _summary(summary: Summary | None) -> dict[str, float | None] | None:
    if summary is None or not summary.n:
        return None
    return {"mean": summary.mean, "ci95_half": summary.half_width, "std": summary.std, "n": summary.n}
