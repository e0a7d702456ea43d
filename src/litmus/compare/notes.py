"""Notes on a ranking: what is in no mean, what cannot be told apart, and how far its numbers can be trusted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean

from litmus.compare.ranking import Ranking, Row, lost_seeds
from litmus.compare.settings import duration, setting_label, varying_keys
from litmus.record.baselines import BASELINES, best_baseline

MOST_NAMED = 10  # settings that a note names
MOST_VALUES = 4  # values, or names of what differs, that a note lists


def notes_on(ranking: Ranking) -> Iterator[str]:
    """Sentences for the user, each with the ranking's title."""
    for note in (
        *_left_out(ranking),
        *_best_set(ranking),
        *_remeasured(ranking),
        *_recovered(ranking),
        *_baselines(ranking),
        *_made_with(ranking),
        *_warnings(ranking),
    ):
        yield f"{ranking.title}: {note}"
    for note in _unranked(ranking):
        yield f"{ranking.title}, not ranked: {note}"


def _left_out(ranking: Ranking) -> Iterator[str]:
    """Which runs are not in a mean, and how that may bias it."""
    if ranking.pruned:
        yield "every run was pruned; they are ranked by the best value that each had reached."
    if ranking.repeats:
        older, newer = ranking.repeats[0]
        more = f", and {len(ranking.repeats) - 1} more" if len(ranking.repeats) > 1 else ""
        yield (
            "runs with the same configuration and seed are not independent; only the newest counts: "
            f"{newer.folder} instead of {older.folder}{more}."
        )
    if ranking.unmeasured:
        word = "run has" if ranking.unmeasured == 1 else "runs have"
        yield f"{ranking.unmeasured} finished {word} no {ranking.metric}, and cannot be ranked."
    if diverged := [row for row in ranking.rows if row.diverged]:
        named = "; ".join(_named(ranking, row) for row in diverged[:MOST_NAMED])
        more = f"; and {len(diverged) - MOST_NAMED} more" if len(diverged) > MOST_NAMED else ""
        yield f"a setting that diverged on any seed comes last: {named}{more}."
    if lost := sum(bool(lost_seeds(row, ranking.metric)) for row in ranking.rows):
        word = "setting has" if lost == 1 else "settings have"
        yield f"{lost} {word} lost {ranking.unit}; the mean over the remaining {ranking.unit} may be biased."


def _named(ranking: Ranking, row: Row) -> str:
    return f"{ranking.label(row)} (seed {', '.join(map(str, dict.fromkeys(row.diverged)))})"


def _best_set(ranking: Ranking) -> Iterator[str]:
    """What cannot be told from the best, and the cheapest of it."""
    rows = ranking.best_set()
    if len(rows) < 2:
        return
    seconds = {row.rank: sum(run.seconds for run in row.runs) / len(row.runs) for row in rows}
    cheapest = min(rows, key=lambda row: seconds[row.rank])
    ranks = [f"#{row.rank}" for row in rows[:MOST_NAMED]] + ["..."] * (len(rows) > MOST_NAMED)
    yield (
        f"these {len(rows)} cannot be told apart: {', '.join(ranks)}. The cheapest of them is "
        f"#{cheapest.rank}, {ranking.label(cheapest)} ({duration(seconds[cheapest.rank])} a run)."
    )


def _remeasured(ranking: Ranking) -> Iterator[str]:
    """That the best was chosen, and its score is too good; or what it is on fresh seeds."""
    rows = ranking.best_set()
    if not rows or ranking.total < 2:
        return
    best, again = rows[0], rows[0].remeasured
    if again is None or not again.n:
        yield f"#{best.rank} was chosen for its score, which flatters it; --confirm 5 measures it on 5 fresh seeds."
        return
    seeds = ", ".join(dict.fromkeys(str(run.seed) for run in best.fresh))
    lost = ", ".join(dict.fromkeys(str(run.seed) for run in best.fresh if run.diverged))
    diverged = f"; it diverged on seed {lost}" if lost else ""
    yield (
        f"#{best.rank} was chosen for its score of {best.value.mean:.4g}; on fresh seeds ({seeds}), which had no part "
        f"in that, its {ranking.metric} is {again.mean:.4g}{diverged}."
    )
    sign = 1 if ranking.mode == "max" else -1
    scores = {row.rank: sign * row.remeasured.mean for row in rows if row.remeasured and row.remeasured.n}
    if (first := max(scores, key=scores.__getitem__)) != best.rank:
        yield f"on the fresh seeds, #{first} is ahead of it: {sign * scores[first]:.4g}."


def _recovered(ranking: Ranking) -> Iterator[str]:
    """Which runs diverged on the way, and went on."""
    for what, of_run in (
        ("its learning rate was halved after a divergence", lambda run: run.rollbacks),
        ("steps were left out, which would have diverged", lambda run: run.skipped_steps),
    ):
        found = [(row, run) for row in ranking.rows for run in row.runs if of_run(run)]
        named = "; ".join(f"#{row.rank} {run.block_name} ({of_run(run)} times)" for row, run in found[:MOST_NAMED])
        more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        if found:
            yield f"{what}: {named}{more}."


def _baselines(ranking: Ranking) -> Iterator[str]:
    """The best of what needs no network, and the settings that do not beat it: means over the seeds, in the test."""
    best = {row.rank: [found for run in row.runs if (found := best_baseline(run.metrics))] for row in ranking.rows}
    every = [found for own in best.values() for found in own]
    if not every:
        return
    name, _ = Counter(BASELINES[found.name][1] for found in every).most_common()[0]
    bar = f"{name} ({every[0].metric} {fmean(found.value for found in every):.4g})"
    lost = [
        f"#{rank}"
        for rank, own in best.items()
        if own and not own[0].beats(fmean(found.network for found in own), fmean(found.value for found in own))
    ]
    if not lost:
        yield f"the best of what needs no network is {bar}; every setting beats it."
        return
    ranks = ", ".join(lost[:MOST_NAMED] + ["..."] * (len(lost) > MOST_NAMED))
    yield f"{ranks} {'does' if len(lost) == 1 else 'do'} not beat {bar}, which needs no network."


def _made_with(ranking: Ranking) -> Iterator[str]:
    """Whether the runs come from other code, threads, devices or versions: their results may differ for that."""
    runs = [run for row in ranking.rows for run in row.runs]
    names = dict.fromkeys(name for run in runs for name in run.made_with)
    values = {name: sorted({run.made_with[name] for run in runs if name in run.made_with}) for name in names}
    differing = [f"{name} ({_listed(found)})" for name, found in values.items() if len(found) > 1]
    parts = [f"the runs differ in {_listed(differing)}"] if differing else []
    if uncommitted := sum(run.uncommitted for run in runs):
        parts.append(f"{uncommitted} of {len(runs)} runs come from code with uncommitted changes")
    if parts:
        yield f"{'; '.join(parts)}."


def _listed(words: Sequence[str]) -> str:
    more = [f"{len(words) - MOST_VALUES} more"] if len(words) > MOST_VALUES else []
    return ", ".join([*words[:MOST_VALUES], *more])


def _warnings(ranking: Ranking) -> Iterator[str]:
    """What the data warned of."""
    yield from dict.fromkeys(run.warning for row in ranking.rows for run in row.runs if run.warning)


def _unranked(ranking: Ranking) -> Iterator[str]:
    """Names the settings without a finished run."""
    members = ranking.unranked
    keys = varying_keys([*(row.settings for row in ranking.rows), *(runs[0].settings for runs in members)])
    for runs in members[:MOST_NAMED]:
        label = setting_label(runs[0].settings, keys) or "the only setting"
        statuses = Counter(run.status for run in runs)
        yield f"{label} ({', '.join(f'{n} {status}' for status, n in statuses.items())})"
    if len(members) > MOST_NAMED:
        yield f"{len(members) - MOST_NAMED} more settings without a finished run."
