"""The columns and cells of a ranking, and the ranking on the screen."""

from collections import Counter
from collections.abc import Callable

from litmus import console
from litmus.compare.ranking import Ranking, Row, exclusion_reason
from litmus.compare.settings import short_key, short_value
from litmus.compare.statistics import Summary
from litmus.compare.verdicts import BEST, DIVERGED, Verdict

GAP = 2  # between columns on the screen
# Bengio and Grandvalet 2004, "No Unbiased Estimator of the Variance of K-Fold Cross-Validation".
OF_FOLDS = "Folds share most of their training samples: intervals are too narrow and p too low, by no known factor."
EFFECT, ON_FRESH = "effect", "fresh seeds"  # headings


def number(value: float) -> str:
    """A number with four decimals, or four digits if it is very large or small."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"


def percent(value: float) -> str:
    """A fraction in percent, with two decimals and without the sign."""
    return f"{100 * value:.2f}"


def plus_minus(summary: Summary | None, write: Callable[[float], str] = number) -> str:
    """The mean, and half the width of its 95% confidence interval where there is one; empty without values."""
    if summary is None or not summary.n:
        return ""
    mean = write(summary.mean)
    return mean if summary.half_width is None else f"{mean} ± {write(summary.half_width)}"


def p_text(p: float | None) -> str:
    """A p-value, `< 0.001` if it is smaller; empty for None."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def difference(verdict: Verdict, write: Callable[[float], str] = number) -> str:
    """The difference from the best, and half the width of its interval; empty without a test."""
    if verdict.difference is None:
        return ""
    half = "" if verdict.half_width is None else f" ± {write(verdict.half_width)}"
    return f"{'+' if verdict.difference > 0 else ''}{write(verdict.difference)}{half}"


def effect(verdict: Verdict) -> str:
    """The difference in standard deviations between seeds; empty without a test."""
    return "" if verdict.effect_size is None else f"{verdict.effect_size:+.1f}"


def seeds(ranking: Ranking, row: Row) -> str:
    """The number of seeds, and of the excluded runs by reason: `2 (1 failed)`."""
    excluded = Counter(exclusion_reason(run, row, ranking.metric) for run in row.excluded)
    words = ", ".join(f"{count} {reason}" for reason, count in sorted(excluded.items()))
    return f"{len(row.runs)} ({words})" if words else str(len(row.runs))


def remeasured(row: Row, write: Callable[[float], str] = number) -> str:
    """The metric on fresh seeds, and their number: `0.9612 ± 0.0050 (5)`; empty without any."""
    if row.remeasured is None:
        return ""
    return f"{plus_minus(row.remeasured, write) or DIVERGED} ({row.remeasured.n or len(row.fresh)})"


def columns(ranking: Ranking) -> list[str]:
    """The headings of a ranking."""
    fresh = [ON_FRESH] if any(row.fresh for row in ranking.rows) else []
    test = [ranking.test] if any(row.test for row in ranking.rows) else []
    against = [f"vs. {ranking.reference}", "difference", EFFECT, "p"]
    return ["#", *ranking.keys, ranking.metric, ranking.unit, *against, *fresh, *test]


def cells(ranking: Ranking, row: Row, write: Callable[[float], str] = number) -> list[str]:
    """A row's texts, in the order of `columns`; `write` writes values of the metric."""
    fresh = [remeasured(row, write)] if any(each.fresh for each in ranking.rows) else []
    test = [plus_minus(row.test, write)] if any(each.test for each in ranking.rows) else []
    settings = [short_value(row.settings, key) for key in ranking.keys]
    against = [row.verdict.words, difference(row.verdict, write), effect(row.verdict), p_text(row.verdict.p)]
    return [str(row.rank), *settings, plus_minus(row.value, write), seeds(ranking, row), *against, *fresh, *test]


def legend(ranking: Ranking) -> str:
    """What the numbers are, in a few sentences."""
    kept = "" if len(ranking.rows) == ranking.total else f" The best {len(ranking.rows)} of {ranking.total} are shown."
    unit = ranking.unit
    order = "highest" if ranking.mode == "max" else "lowest"
    p = ""
    if ranking.num_tested > 1:
        how = "fall so far behind another" if ranking.reference == BEST else "differ so much from the reference"
        p = (
            f" p: how often, if these {ranking.num_tested} settings were equal, any of them would {how} ({unit} as "
            f"blocks, moderated variances). Differences are from the {ranking.reference}, adjusted for {unit}; their "
            "intervals hold together in 95% of cases, and may include 0 where the test, step by step, sees more. "
            f"{EFFECT.capitalize()}: the difference in standard deviations between {unit}."
        )
    shared = "" if ranking.folds is None else f" {OF_FOLDS}"
    return (
        f"Mean over {unit} ± half-width of the 95% confidence interval (Student's t). Ranked by {ranking.metric}, "
        f"{order} first; the test set is not used for ranking.{p}{shared}{kept}"
    )


def show(ranking: Ranking) -> None:
    """Prints a ranking: as a table, with shorter headings if necessary, or as a paragraph for each row."""
    head, rows = columns(ranking), [cells(ranking, row) for row in ranking.rows]
    short = [short_key(name, head) if name in ranking.keys else name for name in head]
    for names, left_out in ((head, ()), (short, ()), (short, (head.index(EFFECT),))):
        places = [i for i in range(len(names)) if i not in left_out]
        widths = [max(len(names[i]), *(len(row[i]) for row in rows)) for i in places]
        if sum(widths) + GAP * len(widths) <= console.out.width:
            console.table([names[i] for i in places], [[row[i] for i in places] for row in rows], title=ranking.title)
            break
    else:
        console.say(ranking.title, style="bold")
        for row in ranking.rows:
            test = f"{ranking.test} {plus_minus(row.test)}, " if row.test else ""
            by = f", difference {difference(row.verdict)}" if row.verdict.difference is not None else ""
            words = {EFFECT: effect(row.verdict), "p": p_text(row.verdict.p)}
            p = ", ".join(f"{name} {text}" for name, text in words.items() if text)
            by += f" ({p})" if p else ""
            console.say(f"{row.rank:>3}  {ranking.label(row)}", style="bold", wrap=True)
            value = f"{ranking.metric} {plus_minus(row.value)}".rstrip()  # what diverged at once has none
            console.say(f"     {value}: {row.verdict.words}{by}", wrap=True)
            if row.fresh:
                console.say(f"     {ranking.metric} on {ON_FRESH} {remeasured(row)}", wrap=True)
            console.say(f"     {test}{ranking.unit} {seeds(ranking, row)}", wrap=True)
    console.say(legend(ranking), style="dim", wrap=True)
